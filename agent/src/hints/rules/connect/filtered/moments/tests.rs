use crate::{
    api::{BlameKind, Hint},
    hints::testing::{Case, Run, firing, healthy, lose, verdict},
    sample::Tally,
    state::EdgeView,
};
use netwhy_abi::{Retransmit, Role};

const PEER: &str = "10.0.0.7";
const FILTERED: u16 = 8080;
const OTHER: u16 = 9100;
/// Seconds of the fault. Each third of them has a burst.
const LONG: u64 = 60;

/// A client's edge to a port of the peer, with so many data segments and handshakes in the window.
fn to_port(pod: &str, port: u16, segments: u64, connects: u64) -> EdgeView {
    let mut edge = EdgeView { port, role: Some(Role::Client), ..healthy(pod, PEER) };
    (edge.window.data_segs_out, edge.window.connects) = (segments, [connects, 0]);
    edge
}

/// Two Pods ask one port, and one of them another port, more often.
fn normal() -> Case {
    let mut case = Case::mesh(&["cart", "web"], &["10.0.0.8"]);
    let ports = [("cart", FILTERED, 1_000, 2), ("web", FILTERED, 1_000, 2), ("cart", OTHER, 16_000, 20)];
    case.edges.extend(ports.map(|(pod, port, segments, connects)| to_port(pod, port, segments, connects)));
    case
}

/// The window has so many bursts, in which everything of five connections was lost: a probe, and what followed it.
fn vanish(tally: &mut Tally, bursts: u64) {
    tally.retransmits[Retransmit::TailLossProbe as usize] = 2 * bursts;
    tally.retransmits[Retransmit::Timeout as usize] = 4 * bursts;
    tally.loss_episodes = 6 * bursts;
    tally.lossy_sockets = if bursts > 0 { 50 } else { 0 };
    tally.segs_after_loss = 50 * bursts;
}

/// The hints that fire after a minute. `bad` gets each edge, the bursts of the window, and whether one is now.
fn after_a_minute(normal: &Case, bad: impl Fn(&mut EdgeView, u64, bool)) -> Vec<Hint> {
    let mut run = Run::warm(normal);
    let is_burst = |second: u64| second.is_multiple_of(3);
    let hints = (1..=LONG).map(|second| {
        let bursts = (second.saturating_sub(9).max(1)..=second).filter(|second| is_burst(*second)).count() as u64;
        let mut case = normal.clone();
        case.edges.iter_mut().for_each(|edge| bad(edge, bursts, is_burst(second)));
        run.tick(&case)
    });
    firing(&hints.last().unwrap_or_default())
}

#[track_caller]
fn expect_no_filter(normal: &Case, bad: impl Fn(&mut EdgeView, u64, bool)) -> Vec<Hint> {
    let hints = after_a_minute(normal, bad);
    assert!(hints.iter().all(|hint| hint.cause != "port_filtered"), "{hints:?}");
    hints
}

fn on_port(edge: &mut EdgeView, bursts: u64, _: bool) {
    if edge.port == FILTERED {
        vanish(&mut edge.window, bursts);
    }
}

#[test]
fn a_port_on_which_all_vanishes_for_moments_beside_others_is_filtered() {
    let hints = after_a_minute(&normal(), on_port);
    assert_eq!(hints.len(), 2, "{hints:?}");
    for hint in &hints {
        assert_eq!(verdict(hint), ("port_filtered", BlameKind::PeerPod, PEER));
        assert!(hint.summary.contains("port 8080"), "{}", hint.summary);
        assert!(hint.ruled_out.iter().any(|out| out.cause == "path_loss"), "{:?}", hint.ruled_out);
    }
}

#[test]
fn requests_from_the_same_host_acquit_it_as_other_ports_do() {
    let mut normal = normal();
    normal.edges.last_mut().unwrap().role = Some(Role::Server);
    let hints = after_a_minute(&normal, on_port);
    assert!(!hints.is_empty() && hints.iter().all(|hint| hint.cause == "port_filtered"), "{hints:?}");
}

#[test]
fn a_path_that_stops_for_moments_is_no_filter() {
    let hints = expect_no_filter(&normal(), |edge, bursts, _| {
        if edge.port != 0 {
            vanish(&mut edge.window, bursts);
        }
    });
    assert!(hints.iter().any(|hint| hint.cause == "path_loss"), "{hints:?}");
}

/// More losses than in the bursts. Nearly all are repaired by the second try.
#[test]
fn losses_at_random_are_no_filter_though_one_port_alone_has_them() {
    let hints = expect_no_filter(&normal(), |edge, bursts, _| {
        if edge.port == FILTERED {
            vanish(&mut edge.window, bursts);
            edge.window.retransmits[Retransmit::Timeout as usize] = bursts;
            edge.window.loss_episodes = 3 * bursts;
            lose(&mut edge.window, 6 * bursts);
        }
    });
    assert!(hints.iter().any(|hint| hint.cause == "path_loss"), "{hints:?}");
}

#[test]
fn a_port_without_another_to_compare_keeps_the_wider_answer() {
    let mut normal = normal();
    normal.edges.retain(|edge| edge.port != OTHER);
    let hints = expect_no_filter(&normal, on_port);
    assert!(hints.iter().any(|hint| hint.cause == "path_loss"), "{hints:?}");
}

/// Clients that wait for the silent port ask no other one in the meantime.
#[test]
fn other_ports_that_nobody_asks_in_these_moments_say_nothing() {
    expect_no_filter(&normal(), |edge, bursts, is_now| {
        on_port(edge, bursts, is_now);
        (edge.recent, edge.answered) = (edge.window.clone(), !is_now);
    });
}

/// However many others there are: it may be one of several paths that stops.
#[test]
fn one_connection_beside_others_is_no_port() {
    let mut normal = normal();
    normal.edges.retain(|edge| edge.subject.name != "web" || edge.port == 0);
    normal.edges.last_mut().unwrap().window.connects = [200, 0];
    expect_no_filter(&normal, |edge, bursts, _| {
        if edge.port == FILTERED {
            vanish(&mut edge.window, bursts);
            edge.window.lossy_sockets = 0;
        }
    });
}

#[test]
fn a_pod_that_loses_all_it_sends_for_moments_is_no_filter() {
    let mut normal = normal();
    normal.edges.retain(|edge| edge.subject.name != "web" || edge.port == 0);
    normal.edges.push(to_port("web", OTHER, 16_000, 20));
    normal.edges.retain(|edge| edge.subject.name != "cart" || edge.port != OTHER);
    expect_no_filter(&normal, |edge, bursts, _| {
        if edge.subject.name == "cart" {
            vanish(&mut edge.window, bursts);
        }
    });
    // The same without losses to its other peers.
    let hints = after_a_minute(&normal, on_port);
    assert!(hints.iter().any(|hint| hint.cause == "port_filtered"), "{hints:?}");
}

/// Behind an address that stands for several hosts one of them is gone. Its connections time out until they give up.
#[test]
fn dead_connections_beside_others_that_work_are_no_filter() {
    expect_no_filter(&normal(), |edge, bursts, is_now| {
        on_port(edge, bursts, is_now);
        edge.window.segs_after_loss = 6 * bursts;
    });
}

/// SYNs are lost too, and each connection is used once.
#[test]
fn attempts_that_are_answered_show_that_the_port_comes_back() {
    let hints = after_a_minute(&normal(), |edge, bursts, is_now| {
        on_port(edge, bursts, is_now);
        edge.window.segs_after_loss = 0;
        if edge.port == FILTERED {
            edge.window.retransmits[Retransmit::Syn as usize] = bursts;
        }
    });
    assert!(!hints.is_empty() && hints.iter().all(|hint| hint.cause == "port_filtered"), "{hints:?}");
}

/// New connections that all complete: the port takes packets.
#[test]
fn handshakes_that_complete_all_the_same_are_no_filter() {
    let mut normal = normal();
    for edge in normal.edges.iter_mut().filter(|edge| edge.port == FILTERED) {
        edge.window.connects = [200, 0];
    }
    expect_no_filter(&normal, on_port);
}

use crate::{
    api::{BlameKind, Hint},
    hints::testing::{Case, Run, firing, verdict},
    sample::Tally,
    state::EdgeView,
};
use netwhy_abi::{Retransmit, Role};

const PEERS: [&str; 4] = ["10.0.0.7", "10.0.0.8", "10.0.0.9", "10.0.0.10"];
/// Connections that stall, of a pool of many.
const STUCK: u64 = 4;
/// Timeouts of one connection up to each second after its loss: after 0.2, 0.6, 1.4, 3.0 and 6.2 s.
const TIMEOUTS: [u64; 9] = [0, 2, 3, 4, 4, 4, 4, 5, 5];
/// Seconds after which a short stall is judged, and a long one.
const SHORT: u64 = 4;
const LONG: u64 = 7;

/// A Pod with pools of connections to peers on four Nodes.
fn normal() -> Case {
    let mut case = Case::mesh(&["cart"], &PEERS);
    for edge in &mut case.edges {
        edge.peer_node = Some(format!("node-{}", edge.peer.octets()[15]).into());
        (edge.port, edge.role) = (8080, Some(Role::Client));
        edge.window.connects = [0, 0];
    }
    case
}

/// Adds to sums so many connections that lose all they send. `timeouts` and `probes`: of each of them.
fn put(tally: &mut Tally, stuck: u64, (timeouts, probes): (u64, u64), walks: u64) {
    tally.retransmits[Retransmit::Timeout as usize] = stuck * timeouts;
    tally.retransmits[Retransmit::TailLossProbe as usize] = stuck * probes;
    tally.loss_episodes = stuck * (timeouts + probes);
    tally.segs_after_loss = stuck * timeouts;
    tally.data_segs_out += stuck * (timeouts + probes);
    tally.lossy_sockets = stuck * walks;
}

/// The edge after so many seconds. The others of its connections go on.
fn stall(edge: &mut EdgeView, stuck: u64, second: u64) {
    let (all, before) = (TIMEOUTS[second as usize], TIMEOUTS[second.saturating_sub(3) as usize]);
    edge.recent = Tally { data_segs_out: edge.window.data_segs_out * 3 / 10, ..edge.window.clone() };
    edge.answered = true;
    put(&mut edge.recent, stuck, (all - before, u64::from(second <= 3)), second.min(3));
    // The first two timeouts of a connection follow an older loss, and count as repeated.
    edge.recent.repeated_episodes = if second <= 3 { 2 * stuck } else { 0 };
    put(&mut edge.window, stuck, (all, 1), second);
    edge.window.repeated_episodes = 2 * stuck;
}

/// The hints that fire after so many seconds of `bad`, which gets the edge to the first peer and the second.
fn after(seconds: u64, normal: &Case, bad: impl Fn(&mut EdgeView, u64)) -> Vec<Hint> {
    let mut run = Run::warm(normal);
    let hints = (1..=seconds).map(|second| {
        let mut case = normal.clone();
        bad(case.edge("cart", PEERS[0]), second);
        run.tick(&case)
    });
    firing(&hints.last().unwrap_or_default())
}

#[track_caller]
fn expect_no_part(hints: &[Hint]) {
    let names_part = |hint: &Hint| hint.blame.candidates().any(|one| one.kind == BlameKind::PathShare);
    assert!(!hints.iter().any(names_part), "{hints:?}");
}

#[track_caller]
fn expect_part(hints: &[Hint]) {
    assert_eq!(hints.len(), 1, "{hints:?}");
    assert_eq!(verdict(&hints[0]), ("path_loss", BlameKind::PathShare, "node-a↔node-7"));
}

#[test]
fn connections_that_get_nothing_through_beside_others_that_go_on_are_on_one_of_several_paths() {
    let hints = after(SHORT, &normal(), |edge, second| stall(edge, STUCK, second));
    expect_part(&hints);
    let summary = &hints[0].summary;
    assert!(summary.contains("nothing gets through on 4 of them any more (16 losses"), "{summary}");
    let again = hints[0].evidence.iter().find(|one| one.signal == "lost_again");
    assert!(again.is_some_and(|one| one.observed == 16.0 && one.unit == "of 20 loss episodes"), "{:?}", hints[0]);
}

/// A Pod that is scaled down: its address is gone for all connections.
#[test]
fn connections_that_all_stall_are_no_part() {
    expect_no_part(&after(LONG, &normal(), |edge, second| {
        stall(edge, STUCK, second);
        let left = 10 - second;
        (edge.window.bytes_acked, edge.window.bytes_received) = (20_000 * left, 100_000 * left);
        (edge.recent.bytes_acked, edge.recent.bytes_received) = (0, 0);
        edge.answered = false;
    }));
}

#[test]
fn one_connection_may_have_a_reason_of_its_own() {
    expect_no_part(&after(LONG, &normal(), |edge, second| stall(edge, 1, second)));
    expect_part(&after(LONG, &normal(), |edge, second| stall(edge, 2, second)));
}

/// What they send after the stop makes them like the others.
#[test]
fn connections_that_recover_were_stopped_like_all() {
    expect_no_part(&after(SHORT, &normal(), |edge, second| {
        stall(edge, STUCK, second);
        edge.window.segs_after_loss = 60 * second;
    }));
}

#[test]
fn new_connections_that_stall_may_be_in_a_full_accept_queue() {
    let mut normal = normal();
    let with_new = |made: u64| {
        move |edge: &mut EdgeView, second: u64| {
            edge.window.connects = [made, 0];
            stall(edge, STUCK, second);
        }
    };
    normal.edge("cart", PEERS[0]).window.connects = [1, 0];
    expect_no_part(&after(SHORT, &normal, with_new(3)));
    expect_part(&after(SHORT, &normal, with_new(2)));
}

#[test]
fn large_segments_that_stall_are_no_part() {
    expect_no_part(&after(SHORT, &normal(), |edge, second| {
        stall(edge, STUCK, second);
        edge.window.full_size_timeouts = edge.window.retransmits[Retransmit::Timeout as usize] / 2;
        edge.recent.full_size_timeouts = edge.recent.retransmits[Retransmit::Timeout as usize] / 2;
    }));
}

/// One of them may be filtered.
#[test]
fn several_ports_that_nobody_tells_apart_are_no_connections_to_compare() {
    let mut normal = normal();
    normal.edge("cart", PEERS[0]).port = 0;
    expect_no_part(&after(SHORT, &normal, |edge, second| stall(edge, STUCK, second)));
}

/// Four segments a second: the others may have sent nothing while the path stopped for 1.4 s, but not for 3 s.
#[test]
fn few_segments_of_others_refute_a_long_stop_only() {
    let mut normal = normal();
    normal.tally("cart", PEERS[0]).data_segs_out = 60;
    expect_no_part(&after(SHORT, &normal, |edge, second| stall(edge, STUCK, second)));
    expect_part(&after(LONG, &normal, |edge, second| stall(edge, STUCK, second)));
}

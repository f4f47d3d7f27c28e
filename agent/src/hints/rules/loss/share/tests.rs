use crate::{
    api::{BlameKind, Hint},
    hints::testing::{Case, Run, firing, lose, verdict},
    peers::PeerKind,
    sample::{LossTicks, Tally},
    state::EdgeView,
};
use netwhy_abi::{Retransmit, Role};

const PEERS: [&str; 4] = ["10.0.0.7", "10.0.0.8", "10.0.0.9", "10.0.0.10"];

/// A Pod with peers on four Nodes.
fn normal() -> Case {
    let mut case = Case::mesh(&["cart"], &PEERS);
    for edge in &mut case.edges {
        edge.peer_node = Some(format!("node-{}", edge.peer.octets()[15]).into());
    }
    case
}

/// Losses of some seconds.
#[derive(Clone, Copy)]
struct Lost {
    episodes: u64,
    repeated: u64,
    /// Of the segments, those on connections that had lost before.
    after: u64,
    /// Sightings of lossy connections.
    sockets: u64,
}

impl Lost {
    fn put(self, tally: &mut Tally) {
        lose(tally, self.episodes);
        tally.repeated_episodes = self.repeated;
        tally.segs_after_loss = self.after;
        tally.lossy_sockets = self.sockets;
    }
}

/// A third of the connections loses a quarter of its segments.
const WINDOW: Lost = Lost { episodes: 80, repeated: 76, after: 300, sockets: 200 };
const RECENT: Lost = Lost { episodes: 30, repeated: 30, after: 100, sockets: 60 };

/// Losses to the first peer.
fn losing(case: &Case, window: Lost, recent: Lost) -> Case {
    let mut case = case.clone();
    let edge = case.edge("cart", PEERS[0]);
    edge.recent = Tally { data_segs_out: 300, ..edge.window.clone() };
    edge.answered = true;
    recent.put(&mut edge.recent);
    window.put(&mut edge.window);
    case
}

fn expect_undecided(normal: &Case, bad: &Case) {
    let hint = Run::warm(normal).expect_one(bad);
    assert_eq!(verdict(&hint), ("path_loss", BlameKind::Undecided, ""));
    assert!(!hint.summary.contains("a part of the connections"), "{}", hint.summary);
}

fn is_share(hint: &Hint) -> bool {
    verdict(hint) == ("path_loss", BlameKind::PathShare, "node-a↔node-7")
}

#[test]
fn losses_of_the_same_connections_again_and_again_are_of_one_path_of_several() {
    let normal = normal();
    let hint = Run::warm(&normal).expect_one(&losing(&normal, WINDOW, RECENT));
    assert!(is_share(&hint), "{hint:?}");
    assert!(hint.summary.contains("only a part of the connections is affected: those with 33 %"), "{}", hint.summary);
    let share = hint.evidence.iter().find(|one| one.signal == "share_of_lossy_connections");
    assert!(share.is_some_and(|one| (one.observed - 1.0 / 3.0).abs() < 1e-9), "{:?}", hint.evidence);
}

#[test]
fn losses_that_hit_all_connections_alike_are_of_no_part() {
    let normal = normal();
    // As many as the lossy connections' share of the segments.
    expect_undecided(&normal, &losing(&normal, WINDOW, Lost { repeated: 10, ..RECENT }));
    // All connections lost before: there are no others.
    expect_undecided(&normal, &losing(&normal, WINDOW, Lost { after: 290, ..RECENT }));
}

/// Before a fault all connections are clean, and after its first second a few have lost.
#[test]
fn segments_of_before_the_fault_make_no_part() {
    let normal = normal();
    expect_undecided(&normal, &losing(&normal, Lost { sockets: 12, ..RECENT }, RECENT));
}

#[test]
fn one_lossy_connection_is_no_path() {
    let normal = normal();
    expect_undecided(&normal, &losing(&normal, WINDOW, Lost { sockets: 3, ..RECENT }));
}

#[test]
fn connections_that_are_not_alike_prove_nothing() {
    let changes: [fn(&mut EdgeView); 3] = [
        |edge| edge.window.bytes_acked = 900_000,
        |edge| (edge.kind, edge.peer_node) = (PeerKind::Service, None),
        |edge| (edge.kind, edge.role, edge.port) = (PeerKind::Node, Some(Role::Server), 8080),
    ];
    for change in changes {
        let mut normal = normal();
        change(normal.edge("cart", PEERS[0]));
        let hint = Run::warm(&normal).expect_one(&losing(&normal, WINDOW, RECENT));
        assert!(hint.blame.candidates().all(|one| one.kind != BlameKind::PathShare), "{hint:?}");
    }
}

/// A burst makes connections lossy, and hits the same ones once more before it ends.
#[test]
fn bursts_make_no_part() {
    let normal = normal();
    let of_ticks = |lossy| {
        let mut bad = losing(&normal, WINDOW, RECENT);
        bad.edge("cart", PEERS[0]).loss_ticks = LossTicks { lossy, all: 10 };
        bad
    };
    let (mut run, burst) = (Run::warm(&normal), of_ticks(0b1111));
    assert_eq!(run.expect_one(&burst).blame.kind, BlameKind::Undecided);
    // Nor once the losses are hardly chance for longer than a window.
    let hints = firing(&run.ticks(10, &burst));
    assert!(hints.len() == 1 && hints[0].blame.kind == BlameKind::Undecided, "{hints:?}");
    assert!(is_share(&Run::warm(&normal).expect_one(&of_ticks(0b1_0101_0101))));
}

/// Where ticks are not known, the last seconds and those before must both have losses.
#[test]
fn losses_of_the_last_seconds_alone_are_a_burst_for_all_that_is_known() {
    let normal = normal();
    let (mut run, bad) = (Run::warm(&normal), losing(&normal, Lost { sockets: 40, ..RECENT }, RECENT));
    let hints = firing(&run.ticks(15, &bad));
    assert!(hints.len() == 1 && hints[0].blame.kind == BlameKind::Undecided, "{hints:?}");
}

/// Once the fault is older than a window, all of the window counts. One may be chance, and two add up.
#[test]
fn an_old_fault_is_judged_by_more() {
    let normal = normal();
    let window = Lost { episodes: 16, repeated: 15, after: 300, sockets: 40 };
    let recent = Lost { episodes: 4, repeated: 4, after: 90, sockets: 12 };
    let (mut run, bad) = (Run::warm(&normal), losing(&normal, window, recent));
    assert_eq!(run.expect_one(&bad).blame.kind, BlameKind::Undecided);
    assert_eq!(firing(&run.ticks(10, &bad))[0].blame.kind, BlameKind::Undecided);
    let hints = firing(&run.ticks(10, &bad));
    assert!(hints.len() == 1 && is_share(&hints[0]), "{hints:?}");
}

/// Three connections of two dozen, and eight losses in 3 s.
#[test]
fn few_connections_with_few_losses_are_a_part_when_the_others_lose_nothing_for_long() {
    let normal = normal();
    let (window, recent) = (
        Lost { episodes: 24, repeated: 18, after: 130, sockets: 30 },
        Lost { episodes: 8, repeated: 6, after: 40, sockets: 9 },
    );
    let bad = losing(&normal, window, recent);
    expect_undecided(&normal, &bad);
    let hints = firing(&Run::warm(&normal).ticks(23, &bad));
    assert!(hints.len() == 1 && is_share(&hints[0]), "{hints:?}");
    assert!(hints[0].summary.contains("(3 connections, so "), "{}", hints[0].summary);
    // The same losses are as likely where these connections have half of the segments.
    let half = losing(&normal, Lost { after: 500, ..window }, Lost { after: 150, ..recent });
    let hints = firing(&Run::warm(&normal).ticks(23, &half));
    assert!(hints.len() == 1 && hints[0].blame.kind == BlameKind::Undecided, "{hints:?}");
}

/// A second has room for many losses of one connection, and all may have one reason.
#[test]
fn losses_within_one_second_count_once_per_connection() {
    let normal = normal();
    let dense = Lost { episodes: 60, repeated: 50, after: 100, sockets: 6 };
    let window = Lost { episodes: 90, ..WINDOW };
    expect_undecided(&normal, &losing(&normal, window, dense));
    assert!(is_share(&Run::warm(&normal).expect_one(&losing(&normal, window, Lost { sockets: 60, ..dense }))));
}

/// Nothing gets through on some connections: their timers fire again and again.
#[test]
fn timeouts_in_a_row_are_no_losses_of_other_connections() {
    let normal = normal();
    let recent = Lost { episodes: 110, repeated: 40, after: 20, sockets: 30 };
    let mut bad = losing(&normal, Lost { episodes: 130, ..WINDOW }, recent);
    bad.edge("cart", PEERS[0]).recent.retransmits[Retransmit::Timeout as usize] = 60;
    assert!(is_share(&Run::warm(&normal).expect_one(&bad)));
}

/// A probe and the timeout after it are one loss.
#[test]
fn timeouts_are_no_further_losses() {
    let normal = normal();
    let mut bad = losing(&normal, WINDOW, RECENT);
    bad.edge("cart", PEERS[0]).recent.retransmits[Retransmit::Timeout as usize] = 28;
    expect_undecided(&normal, &bad);
}

/// Fewer sightings of as many connections.
#[test]
fn rare_walks_make_no_connection_clean() {
    let normal = normal();
    let bad = losing(&normal, WINDOW, Lost { sockets: 20, ..RECENT });
    let mut run = Run::warm(&normal);
    // One walk within the last 3 s found all twenty.
    run.walked_at = Some(run.next_at());
    let hint = run.expect_one(&bad);
    assert!(is_share(&hint), "{hint:?}");
    assert!(hint.summary.contains("(20 connections, so "), "{}", hint.summary);
}

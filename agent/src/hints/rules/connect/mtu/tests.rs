use crate::{
    api::BlameKind,
    hints::testing::{Case, NODE, Run, firing, verdict},
    sample::Tally,
};
use netwhy_abi::{PeerClass, Retransmit};

const PEERS: [&str; 4] = ["10.0.0.7", "10.0.0.8", "10.0.0.9", "10.0.0.10"];

/// Large answers are stuck, while health checks pass.
fn stuck(case: &Case, peers: &[&str]) -> Case {
    let mut case = case.clone();
    for peer in peers {
        let edge = case.edge("cart", peer);
        edge.window = Tally { data_segs_out: 30, bytes_acked: 4_000, connects: [0, 4], ..Tally::default() };
        edge.window.retransmits[Retransmit::Timeout as usize] = 12;
        edge.window.loss_episodes = 12;
        edge.window.full_size_timeouts = 8;
        edge.recent = Tally { data_segs_out: 9, bytes_acked: 1_000, connects: [0, 1], ..Tally::default() };
        edge.recent.retransmits[Retransmit::Timeout as usize] = 3;
        edge.recent.full_size_timeouts = 2;
    }
    case
}

#[test]
fn full_size_segments_stuck_while_handshakes_pass_are_a_black_hole() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let hint = Run::warm(&normal).expect_one(&stuck(&normal, &PEERS[..1]));
    assert_eq!(verdict(&hint), ("path_mtu_blackhole", BlameKind::Undecided, ""));
    assert_eq!(hint.blame.other_names()[..3], [NODE, "10.0.0.7", "node-a↔10.0.0.7"]);
}

#[test]
fn it_explains_an_unreachable_peer_that_another_pod_reaches() {
    let normal = Case::mesh(&["cart", "payment"], &PEERS);
    let mut bad = stuck(&normal, &PEERS[..1]);
    // Nothing at all is acknowledged on the stuck edge itself.
    let edge = bad.edge("cart", PEERS[0]);
    for tally in [&mut edge.window, &mut edge.recent] {
        (tally.bytes_acked, tally.connects) = (0, [0, 0]);
    }
    let hint = Run::warm(&normal).expect_one(&bad);
    assert_eq!(hint.cause, "path_mtu_blackhole");
}

#[test]
fn an_address_that_answers_nothing_is_unreachable() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let mut dead = stuck(&normal, &PEERS[..1]);
    let edge = dead.edge("cart", PEERS[0]);
    for tally in [&mut edge.window, &mut edge.recent] {
        (tally.bytes_acked, tally.bytes_received, tally.connects) = (0, 0, [0, 0]);
    }
    assert_eq!(Run::warm(&normal).expect_one(&dead).cause, "peer_unreachable");
}

#[test]
fn a_peer_that_died_a_moment_ago_is_no_black_hole() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let mut dying = stuck(&normal, &PEERS[..1]);
    // All of it within the last 3 s, like the last handshakes.
    let edge = dying.edge("cart", PEERS[0]);
    edge.recent.full_size_timeouts = edge.window.full_size_timeouts;
    let hints = firing(&Run::warm(&normal).ticks(3, &dying));
    assert!(hints.iter().all(|h| h.cause != "path_mtu_blackhole"), "{hints:?}");
}

#[test]
fn full_segments_that_pass_and_small_ones_that_do_not_rule_it_out() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let is_told =
        |case: &Case| firing(&Run::warm(&normal).ticks(3, case)).iter().any(|h| h.cause == "path_mtu_blackhole");
    assert!(is_told(&stuck(&normal, &PEERS[..1])));
    let mut passing = stuck(&normal, &PEERS[..1]);
    passing.edge("cart", PEERS[0]).recent.bytes_acked = 9 * 1_400;
    assert!(!is_told(&passing));
    let mut small = stuck(&normal, &PEERS[..1]);
    small.tally("cart", PEERS[0]).full_size_timeouts = 3;
    assert!(!is_told(&small), "9 of 12 timeouts are of small segments");
    let mut fast = stuck(&normal, &PEERS[..1]);
    fast.tally("cart", PEERS[0]).retransmits[Retransmit::Fast as usize] = 13;
    assert!(!is_told(&fast));
}

/// A path that drops everything for some seconds, and works now: its handshakes were lost too.
#[test]
fn a_path_that_drops_everything_on_and_off_does_not_drop_large_segments_alone() {
    let normal = Case::mesh(&["cart", "payment"], &PEERS);
    let is_told =
        |case: &Case| firing(&Run::warm(&normal).ticks(3, case)).iter().any(|h| h.cause == "path_mtu_blackhole");
    for kind in [Retransmit::Syn, Retransmit::SynAck] {
        // On the edge itself, or on another Pod's to the same address.
        for pod in ["cart", "payment"] {
            let mut both = stuck(&normal, &PEERS[..1]);
            both.tally(pod, PEERS[0]).retransmits[kind as usize] = 3;
            assert!(!is_told(&both), "{kind:?} {pod}");
        }
        // One in sixty of them is chance.
        let mut rare = stuck(&normal, &PEERS[..1]);
        rare.tally("cart", PEERS[0]).retransmits[kind as usize] = 2;
        rare.tally("cart", PEERS[0]).connects = [0, 120];
        assert!(is_told(&rare), "{kind:?}");
        // Handshakes with another address say nothing.
        let mut other = stuck(&normal, &PEERS[..1]);
        other.tally("cart", PEERS[1]).retransmits[kind as usize] = 3;
        assert!(is_told(&other), "{kind:?}");
    }
}

#[test]
fn two_timeouts_are_too_few() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let mut two = stuck(&normal, &PEERS[..1]);
    let edge = two.edge("cart", PEERS[0]);
    (edge.window.full_size_timeouts, edge.recent.full_size_timeouts) = (2, 1);
    let hints = firing(&Run::warm(&normal).ticks(3, &two));
    assert!(hints.iter().all(|h| h.cause != "path_mtu_blackhole"), "{hints:?}");
}

#[test]
fn many_peers_blame_this_node_and_an_external_one_is_external() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let hint = Run::warm(&normal).expect_one(&stuck(&normal, &PEERS[..3]));
    // The Pod itself may be cut off from large packets too.
    assert_eq!(hint.blame.other_names(), [NODE, "cart"]);
    assert!(hint.blame.best() > 0.75, "{:?}", hint.blame);
    let mut external = normal.clone();
    external.edge("cart", PEERS[0]).class = PeerClass::External;
    let hint = Run::warm(&external).expect_one(&stuck(&external, &PEERS[..1]));
    assert!(hint.blame.candidates().any(|one| one.kind == BlameKind::External), "{:?}", hint.blame);
}

/// A peer that fell silent. Older acknowledgements are counted seconds later, socket by socket.
#[test]
fn acknowledgements_that_are_counted_late_are_no_answer() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let mut dead = stuck(&normal, &PEERS[..1]);
    let edge = dead.edge("cart", PEERS[0]);
    (edge.recent.connects, edge.recent.rtt) = ([0, 0], crate::hints::testing::rtts(&[(100, 2)]));
    let fires =
        |case: &Case| firing(&Run::warm(&normal).ticks(3, case)).iter().any(|h| h.cause == "path_mtu_blackhole");
    assert!(!fires(&dead));
    dead.edge("cart", PEERS[0]).recent.rtt = crate::hints::testing::rtts(&[(100, 20)]);
    assert!(fires(&dead), "so many round trips are answers");
}

/// Before it differs from loss: only edges that carry full-size segments acquit this Node.
#[test]
fn small_segments_acquit_nobody_of_losing_full_size_ones() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let mut begins = normal.with("cart", PEERS[0], |tally| {
        tally.retransmits[Retransmit::Timeout as usize] = 12;
        tally.loss_episodes = 12;
    });
    let accuses_node = |case: &Case| {
        let hints = firing(&Run::warm(&normal).ticks(3, case));
        let [hint] = &hints[..] else { panic!("{hints:?}") };
        assert_eq!(verdict(hint), ("path_loss", BlameKind::Undecided, ""));
        hint.blame.mentions(NODE)
    };
    assert!(!accuses_node(&begins), "the others send as much and lose nothing");
    begins.tally("cart", PEERS[0]).full_size_timeouts = 1;
    assert!(accuses_node(&begins), "but nothing large");
    for peer in &PEERS[1..] {
        begins.tally("cart", peer).bytes_acked = 1_400_000;
    }
    assert!(!accuses_node(&begins));
}

/// A hint explains its edges until its fault leaves the window. A later fault fires again.
#[test]
fn segments_that_were_stuck_are_no_loss_once_they_pass() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let mut run = Run::warm(&normal);
    run.expect_one(&stuck(&normal, &PEERS[..1]));
    let healed = normal.with("cart", PEERS[0], |tally| {
        tally.retransmits[Retransmit::Timeout as usize] = 12;
        tally.loss_episodes = 12;
    });
    let causes = |hints: Vec<crate::api::Hint>| firing(&hints).into_iter().map(|h| h.cause).collect::<Vec<_>>();
    for second in 1..=10 {
        let causes = causes(run.tick(&healed));
        assert!(causes.iter().all(|cause| cause == "path_mtu_blackhole"), "after {second} s: {causes:?}");
    }
    assert_eq!(causes(run.ticks(4, &healed)), ["path_loss"]);
}

use crate::{
    api::BlameKind,
    hints::testing::{Case, HZ, NODE, Run, candidates, firing, verdict},
    sample::Tally,
};
use netwhy_abi::Retransmit;

const PEERS: [&str; 4] = ["10.0.0.7", "10.0.0.8", "10.0.0.9", "10.0.0.10"];

/// Pods that send full segments to all peers.
fn bulk(pods: &[&str]) -> Case {
    let mut case = Case::mesh(pods, &PEERS);
    case.edges.iter_mut().for_each(|edge| edge.window.bytes_acked = 1_200_000);
    case
}

/// Retransmissions of one window.
#[derive(Clone, Copy, Default)]
struct Resent {
    fast: u64,
    probes: u64,
    synacks: u64,
    spurious: u64,
    reorderings: u64,
}

impl Resent {
    /// So many fast ones, all needless, with a few segments that the kernel found out of order.
    fn needlessly(n: u64) -> Self {
        Self { fast: n, spurious: n, reorderings: 5, ..Self::default() }
    }

    /// As many in the window, and a part of these in its last seconds. They hold the senders back.
    fn on(self, case: &Case, pods: &[&str], peers: &[&str], recent: u64) -> Case {
        let mut case = case.clone();
        for (pod, peer) in pods.iter().flat_map(|pod| peers.iter().map(move |peer| (pod, peer))) {
            let edge = case.edge(pod, peer);
            edge.recent = Tally { data_segs_out: 300, bytes_acked: 360_000, ..Tally::default() };
            Self { fast: recent, spurious: recent, ..Self::default() }.put(&mut edge.recent);
            edge.answered = true;
            hold_back(&mut edge.window);
            self.put(&mut edge.window);
        }
        case
    }

    fn put(self, tally: &mut Tally) {
        let Self { fast, probes, synacks, spurious, reorderings } = self;
        let kinds = [
            (Retransmit::Fast, fast),
            (Retransmit::TailLossProbe, probes),
            (Retransmit::SynAck, synacks),
            (Retransmit::Spurious, spurious),
        ];
        kinds.into_iter().for_each(|(kind, n)| tally.retransmits[kind as usize] = n);
        (tally.loss_episodes, tally.reorderings) = (fast, reorderings);
    }
}

/// The network keeps data from being sent for most of the window.
fn hold_back(tally: &mut Tally) {
    (tally.busy_jiffies, tally.network_jiffies) = (8 * u64::from(HZ), 7 * u64::from(HZ));
}

#[test]
fn late_segments_that_were_resent_for_nothing_are_no_loss() {
    let normal = bulk(&["cart"]);
    let late = Resent::needlessly(20).on(&normal, &["cart"], &PEERS[..1], 6);
    let hint = Run::warm(&normal).expect_one(&late);
    assert_eq!(verdict(&hint), ("path_reordering", BlameKind::Undecided, ""));
    assert_eq!(candidates(&hint)[..2], ["10.0.0.7", "node-a↔10.0.0.7"]);
    assert_eq!((hint.evidence[0].observed, hint.evidence[2].observed, hint.evidence[3].observed), (0.02, 20.0, 5.0));
    assert!(hint.summary.contains("20 of 20 fast retransmissions"), "{}", hint.summary);
    assert_eq!(hint.ruled_out[0].cause, "path_loss");
}

#[test]
fn few_needless_ones_are_silent_and_fewer_are_enough_when_the_kernel_confirms() {
    let normal = bulk(&["cart"]);
    let late = |n, reorderings| {
        let resent = Resent { reorderings, ..Resent::needlessly(n) };
        resent.on(&normal, &["cart"], &PEERS[..1], 4)
    };
    for (n, reorderings) in [(9, 5), (19, 2)] {
        Run::warm(&normal).expect_silence(5, &late(n, reorderings));
    }
    let sure = Run::warm(&normal).expect_one(&late(20, 3));
    let unsure = Run::warm(&normal).expect_one(&late(20, 0));
    assert_eq!((sure.cause.as_str(), unsure.cause.as_str()), ("path_reordering", "path_reordering"));
    assert!(unsure.confidence < sure.confidence, "{} {}", unsure.confidence, sure.confidence);
    assert_eq!(Run::warm(&normal).expect_one(&late(10, 3)).cause, "path_reordering");
    // 10 of 10,000 segments hurt nobody.
    let busy = normal.with("cart", PEERS[0], |t| (t.data_segs_out, t.bytes_acked) = (10_000, 12_000_000));
    let rare = Resent::needlessly(10).on(&busy, &["cart"], &PEERS[..1], 4);
    Run::warm(&busy).expect_silence(5, &rare);
}

/// A full accept queue makes clients and servers resend what the other end has: 6 fast ones and 7 duplicates.
#[test]
fn duplicates_of_handshakes_and_probes_are_not_of_fast_retransmissions() {
    let normal = bulk(&["cart"]);
    let on = |resent: Resent| resent.on(&normal, &["cart"], &PEERS[..1], 2);
    for resent in [
        Resent { fast: 6, probes: 1, spurious: 7, ..Resent::default() },
        Resent { fast: 30, synacks: 30, spurious: 30, reorderings: 9, ..Resent::default() },
    ] {
        Run::warm(&normal).expect_silence(5, &on(resent));
    }
    let probes = Resent { fast: 30, probes: 30, spurious: 30, reorderings: 9, ..Resent::default() };
    assert_eq!(Run::warm(&normal).expect_one(&on(probes)).cause, "path_loss");
}

#[test]
fn copies_that_the_network_makes_are_not_reordering() {
    let normal = bulk(&["cart"]);
    let copies = Resent { spurious: 60, ..Resent::needlessly(20) };
    Run::warm(&normal).expect_silence(5, &copies.on(&normal, &["cart"], &PEERS[..1], 6));
}

#[test]
fn losses_beside_reordering_are_not_called_reordering() {
    let normal = bulk(&["cart"]);
    let both = |spurious| {
        let resent = Resent { fast: 40, spurious, reorderings: 9, ..Resent::default() };
        resent.on(&normal, &["cart"], &PEERS[..1], 6)
    };
    Run::warm(&normal).expect_silence(5, &both(25));
    assert_eq!(Run::warm(&normal).expect_one(&both(10)).cause, "path_loss");
}

/// 2 % of the segments of a sender with time to spare: nobody waits for it.
#[test]
fn reordering_that_nobody_feels_is_silent() {
    let normal = bulk(&["cart"]);
    let late = |n, recent, change: fn(&mut Tally)| {
        let mut late = Resent::needlessly(n).on(&normal, &["cart"], &PEERS[..1], recent);
        let tally = late.tally("cart", PEERS[0]);
        (tally.busy_jiffies, tally.network_jiffies) = (u64::from(HZ), u64::from(HZ));
        change(tally);
        late
    };
    Run::warm(&normal).expect_silence(10, &late(20, 6, |_| ()));
    // Each of these costs something: many of them, a sender that is held back, and less payload than usual.
    for felt in [
        late(50, 15, |_| ()),
        late(20, 6, hold_back),
        late(20, 6, |tally| (tally.bytes_acked, tally.bytes_received) = (700_000, 500_000)),
    ] {
        assert_eq!(Run::warm(&normal).expect_one(&felt).cause, "path_reordering");
    }
}

/// A path that becomes shorter lets new packets overtake old ones once.
#[test]
fn one_moment_of_reordering_is_silent() {
    let normal = bulk(&["cart"]);
    Run::warm(&normal).expect_silence(5, &Resent::needlessly(20).on(&normal, &["cart"], &PEERS[..1], 20));
    Run::warm(&normal).expect_silence(5, &Resent::needlessly(20).on(&normal, &["cart"], &PEERS[..1], 0));
}

#[test]
fn reordering_to_all_peers_is_of_this_node() {
    let normal = bulk(&["cart", "payment"]);
    let all = Resent::needlessly(20).on(&normal, &["cart", "payment"], &PEERS, 6);
    let hints = firing(&Run::warm(&normal).ticks(3, &all));
    assert_eq!(hints.len(), 2);
    assert!(hints.iter().all(|h| verdict(h) == ("path_reordering", BlameKind::Node, NODE)), "{hints:?}");
}

/// The kernel counts duplicates of its peers up to the segments that it resent, so that copies which the network makes
/// may stand for losses.
#[test]
fn duplicates_alone_rule_out_no_loss() {
    let normal = bulk(&["cart"]);
    let on = |reorderings| {
        let resent = Resent { reorderings, ..Resent::needlessly(40) };
        Run::warm(&normal).expect_one(&resent.on(&normal, &["cart"], &PEERS, 12))
    };
    let (sure, unsure) = (on(3), on(2));
    assert_eq!(verdict(&sure), verdict(&unsure));
    assert_eq!(sure.ruled_out.len(), 1);
    assert!(unsure.ruled_out.is_empty(), "{:?}", unsure.ruled_out);
    assert!(unsure.confidence < 0.8 && unsure.confidence < 0.8 * sure.confidence, "{}", unsure.confidence);
    assert!(unsure.summary.contains("seem to overtake"), "{}", unsure.summary);
    assert!(!sure.summary.contains("loses others") && unsure.summary.contains("loses others"), "{}", unsure.summary);
}

/// One edge that the kernel confirms says nothing of another one in the same finding.
#[test]
fn each_edge_must_be_confirmed_before_loss_is_ruled_out() {
    let normal = bulk(&["cart"]);
    let mut late = Resent::needlessly(20).on(&normal, &["cart"], &PEERS, 6);
    late.tally("cart", PEERS[3]).reorderings = 0;
    let hint = Run::warm(&normal).expect_one(&late);
    assert!(hint.ruled_out.is_empty() && hint.confidence < 0.8, "{hint:?}");
}

/// Requests of one small segment each can't be overtaken: that they show nothing acquits nobody.
#[test]
fn small_segments_acquit_nobody() {
    let mut normal = bulk(&["cart"]);
    for peer in &PEERS[1..] {
        normal.tally("cart", peer).bytes_acked = 100_000;
    }
    let hint = Run::warm(&normal).expect_one(&Resent::needlessly(20).on(&normal, &["cart"], &PEERS[..1], 6));
    assert!(hint.blame.name.is_empty() && hint.blame.mentions(NODE), "{:?}", hint.blame);
}

use crate::{
    api::BlameKind,
    hints::testing::{Case, NODE, Run, candidates, firing, healthy, lose, lossy, rtts, verdict},
    sample::Tally,
};
use netwhy_abi::{PeerClass, Retransmit};

const PEERS: [&str; 4] = ["10.0.0.7", "10.0.0.8", "10.0.0.9", "10.0.0.10"];

#[test]
fn one_agent_cannot_tell_a_peer_from_the_path_to_it() {
    let normal = Case::mesh(&["cart", "payment"], &PEERS);
    let hints = firing(&Run::warm(&normal).ticks(3, &lossy(&normal, &["cart", "payment"], &PEERS[..1], 20)));
    assert_eq!(hints.len(), 2);
    for hint in &hints {
        assert_eq!(verdict(hint), ("path_loss", BlameKind::Undecided, ""));
        assert_eq!(candidates(hint), ["10.0.0.7", "node-a↔10.0.0.7"]);
        assert!(hint.blame.alternatives.iter().all(|one| (0.45..0.5).contains(&one.probability)), "{:?}", hint.blame);
        assert!(hint.confidence > 0.4 && hint.confidence < 0.5, "{}", hint.confidence);
        assert_eq!(hint.evidence[0].observed, 0.02);
        assert!(hint.evidence[0].baseline.is_some_and(|b| b < 0.001));
        assert!(hint.summary.contains("1 of 4 peers"), "{}", hint.summary);
    }
}

#[test]
fn loss_of_one_pod_to_one_peer_leaves_path_and_peer_undecided() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let hint = Run::warm(&normal).expect_one(&lossy(&normal, &["cart"], &PEERS[..1], 20));
    assert_eq!(verdict(&hint), ("path_loss", BlameKind::Undecided, ""));
    assert_eq!(candidates(&hint), ["10.0.0.7", "node-a↔10.0.0.7"]);
    // The others sent too little to show it: it may be this Node.
    let mut small = lossy(&normal, &["cart"], &PEERS[..1], 20);
    for peer in &PEERS[1..] {
        let tally = small.tally("cart", peer);
        tally.data_segs_out = tally.data_segs_out.min(60);
    }
    let hint = Run::warm(&normal).expect_one(&small);
    assert!(["10.0.0.7", "node-a↔10.0.0.7", NODE].iter().all(|name| hint.blame.mentions(name)), "{:?}", hint.blame);
}

/// As many segments in both directions, one lossy peer, and nobody to compare with.
#[test]
fn one_lossy_peer_alone_never_blames_this_node() {
    for peers in [1, 2] {
        let normal = Case::mesh(&["cart", "payment"], &PEERS[..peers]);
        let hints = firing(&Run::warm(&normal).ticks(3, &lossy(&normal, &["cart", "payment"], &PEERS[..1], 20)));
        assert!(hints.iter().all(|hint| hint.cause == "path_loss" && hint.blame.name.is_empty()), "{hints:?}");
        let of_node = |hint: &crate::api::Hint| hint.blame.candidates().find(|one| one.name == NODE);
        let probability = of_node(&hints[0]).map_or(0.0, |one| one.probability);
        // A third without a clean peer beside it.
        assert!(if peers == 1 { (0.3..0.36).contains(&probability) } else { probability < 0.1 }, "{probability}");
    }
}

/// Two seconds of loss: the others had no time to show it.
#[test]
fn a_new_fault_leaves_more_suspects_and_narrows_under_one_id() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let mut young = lossy(&normal, &["cart"], &PEERS[..1], 6);
    for edge in &mut young.edges {
        edge.recent = edge.window.clone();
        edge.recent.data_segs_out = if edge.recent.loss_episodes > 0 { 200 } else { 15 };
        edge.answered = true;
    }
    let mut run = Run::warm(&normal);
    let first = firing(&run.ticks(2, &young)).remove(0);
    let later = firing(&run.ticks(3, &lossy(&normal, &["cart"], &PEERS[..1], 20))).remove(0);
    assert_eq!(first.id, later.id);
    let node = |hint: &crate::api::Hint| {
        hint.blame.candidates().find(|one| one.name == NODE).map_or(0.0, |node| node.probability)
    };
    assert!(node(&first) > 0.1 && node(&later) < 0.05, "{:?} {:?}", first.blame, later.blame);
}

#[test]
fn loss_to_a_peer_that_others_reach_cleanly_blames_nobody() {
    let normal = Case::mesh(&["cart", "payment"], &PEERS);
    let hint = Run::warm(&normal).expect_one(&lossy(&normal, &["cart"], &PEERS[..1], 20));
    assert_eq!(verdict(&hint), ("path_loss", BlameKind::Undecided, ""));
}

#[test]
fn loss_to_most_peers_blames_this_node() {
    let normal = Case::mesh(&["cart", "payment"], &PEERS);
    let hints = firing(&Run::warm(&normal).ticks(3, &lossy(&normal, &["cart", "payment"], &PEERS[..3], 20)));
    assert_eq!(hints.len(), 2);
    for hint in &hints {
        assert_eq!(verdict(hint), ("node_packet_loss", BlameKind::Node, NODE));
        assert!(hint.summary.contains("3 of 4 peers"), "{}", hint.summary);
    }
}

#[test]
fn a_majority_that_hangs_on_one_peer_does_not_blame_this_node() {
    let normal = Case::mesh(&["cart", "payment"], &PEERS[..3]);
    let hints = firing(&Run::warm(&normal).ticks(3, &lossy(&normal, &["cart", "payment"], &PEERS[..2], 20)));
    assert_eq!(hints.len(), 2);
    assert!(hints.iter().all(|h| h.blame.kind == BlameKind::Undecided), "{hints:?}");
}

#[test]
fn loss_of_one_pod_to_all_peers_beside_a_clean_pod_does_not_blame_the_node() {
    let normal = Case::mesh(&["cart", "payment"], &PEERS);
    let hint = Run::warm(&normal).expect_one(&lossy(&normal, &["cart"], &PEERS, 20));
    assert_eq!(verdict(&hint), ("path_loss", BlameKind::Pod, "cart"));
}

#[test]
fn loss_below_the_ratio_is_silent_and_at_the_ratio_fires() {
    let mut normal = Case::mesh(&["cart"], &PEERS);
    normal.tally("cart", PEERS[0]).data_segs_out = 10_000;
    let with = |episodes| lossy(&normal, &["cart"], &PEERS[..1], episodes);
    Run::warm(&normal).expect_silence(5, &with(19));
    Run::warm(&normal).expect_one(&with(20));
}

#[test]
fn two_episodes_are_never_enough() {
    let normal = Case::mesh(&["cart"], &PEERS).with("cart", PEERS[0], |t| t.data_segs_out = 200);
    Run::warm(&normal).expect_silence(5, &lossy(&normal, &["cart"], &PEERS[..1], 2));
}

#[test]
fn few_segments_are_silent_unless_pooled() {
    let small = |pods: &[&str]| {
        let mut case = Case::mesh(pods, &PEERS[..1]);
        case.edges.iter_mut().for_each(|e| e.window.data_segs_out = 100);
        case
    };
    let one = small(&["cart"]);
    Run::warm(&one).expect_silence(5, &lossy(&one, &["cart"], &PEERS[..1], 4));
    let two = small(&["cart", "payment"]);
    let hints = firing(&Run::warm(&two).ticks(3, &lossy(&two, &["cart", "payment"], &PEERS[..1], 4)));
    assert_eq!(hints.len(), 2);
    assert_eq!(verdict(&hints[0]), ("path_loss", BlameKind::Undecided, ""));
}

/// Some requests a second: 60 segments to one peer, of which many are lost all the time.
#[test]
fn lasting_loss_of_few_segments_is_named_and_a_burst_is_not() {
    let few = |peers| {
        let mut case = Case::mesh(&["cart"], peers);
        case.edges.iter_mut().for_each(|e| e.window.data_segs_out = 600);
        case.tally("cart", PEERS[0]).data_segs_out = 60;
        case
    };
    let burst = |case: &Case| lossy(case, &["cart"], &PEERS[..1], 6);
    let lasting = |case: &Case| {
        let mut case = burst(case);
        let edge = case.edge("cart", PEERS[0]);
        edge.recent = Tally { data_segs_out: 18, loss_episodes: 2, ..edge.window.clone() };
        case
    };
    let normal = few(&PEERS[..]);
    Run::warm(&normal).expect_silence(8, &burst(&normal));
    assert_eq!(Run::warm(&normal).expect_one(&lasting(&normal)).cause, "path_loss");
    // After half a minute of sixty segments nobody knows whether a tenth is normal.
    let alone = few(&PEERS[..1]);
    Run::warm(&alone).expect_silence(8, &lasting(&alone));
}

#[test]
fn small_edges_to_many_peers_are_pooled_over_the_node() {
    let mut normal = Case::mesh(&["cart", "payment"], &PEERS);
    normal.edges.iter_mut().for_each(|e| e.window.data_segs_out = 60);
    let hints = firing(&Run::warm(&normal).ticks(3, &lossy(&normal, &["cart", "payment"], &PEERS, 2)));
    assert_eq!(hints.len(), 2);
    assert!(hints.iter().all(|h| verdict(h) == ("node_packet_loss", BlameKind::Node, NODE)));
}

#[test]
fn timeouts_of_a_small_flow_count_although_segments_are_few() {
    let normal = Case::mesh(&["cart"], &PEERS).with("cart", PEERS[0], |t| t.data_segs_out = 30);
    let hint = Run::warm(&normal).expect_one(&normal.with("cart", PEERS[0], |t| {
        t.loss_episodes = 4;
        t.retransmits[Retransmit::Timeout as usize] = 4;
    }));
    assert_eq!(hint.cause, "path_loss");
}

#[test]
fn receiver_limited_sender_gives_no_network_blame() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let slow_reader = lossy(&normal, &["cart"], &PEERS[..1], 20).with("cart", PEERS[0], |t| {
        (t.busy_jiffies, t.rwnd_jiffies) = (1000, 900);
        t.rtt = rtts(&[(20_000, 100)]);
    });
    let hint = Run::warm(&normal).expect_one(&slow_reader);
    assert_eq!(hint.cause, "peer_receiver_limited");
}

#[test]
fn self_made_loss_of_a_bulk_sender_is_silent() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let bulk = |episodes, queue_us| {
        let mut case = normal.with("cart", PEERS[0], |t| {
            t.data_segs_out = 20_000;
            t.bytes_acked = 28_000_000;
            t.rtt = rtts(&[(queue_us, 500)]);
        });
        lose(case.tally("cart", PEERS[0]), episodes);
        case
    };
    // 0.5 % with a queue of 12 ms over a path of 80 µs.
    Run::warm(&normal).expect_silence(20, &bulk(100, 12_000));
    // The same without a queue, and far more than congestion control needs, are loss.
    assert_eq!(Run::warm(&normal).expect_one(&bulk(100, 100)).cause, "path_loss");
    assert_eq!(Run::warm(&normal).expect_one(&bulk(400, 12_000)).cause, "path_loss");
}

#[test]
fn line_rate_episodes_stay_below_the_ratio() {
    let normal = Case::mesh(&["cart"], &PEERS);
    // 1 Gbit/s over 80 µs with an overflow every 50 ms: 200 episodes, 0.02 %.
    let bulk = normal.with("cart", PEERS[0], |t| (t.data_segs_out, t.bytes_acked) = (860_000, 1_200_000_000));
    Run::warm(&normal).expect_silence(20, &lossy(&bulk, &["cart"], &PEERS[..1], 200));
}

#[test]
fn spurious_retransmissions_are_not_loss() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let reordering = lossy(&normal, &["cart"], &PEERS[..1], 20)
        .with("cart", PEERS[0], |t| t.retransmits[Retransmit::Spurious as usize] = 15);
    Run::warm(&normal).expect_silence(5, &reordering);
}

/// The newest retransmissions have no verdict yet.
#[test]
fn losses_beside_needless_retransmissions_open_no_hint_at_once() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let lost = lossy(&normal, &["cart"], &PEERS[..1], 40);
    let partly = |needless| lost.with("cart", PEERS[0], |t| t.retransmits[Retransmit::Spurious as usize] = needless);
    for (needless, at_once) in [(0, true), (7, true), (8, false)] {
        let mut run = Run::warm(&normal);
        assert_eq!(!firing(&run.tick(&partly(needless))).is_empty(), at_once, "{needless}");
        assert_eq!(run.expect_one(&partly(needless)).cause, "path_loss");
    }
}

#[test]
fn constant_loss_is_learned_and_silent() {
    // 0.15 % of the segments, in windows around the ratio.
    let mut run = Run::new();
    let base = Case::mesh(&["cart"], &PEERS);
    run.expect_silence(600, &lossy(&base, &["cart"], &PEERS[..1], 1));
    run.expect_silence(5, &lossy(&base, &["cart"], &PEERS[..1], 6));
    run.expect_one(&lossy(&base, &["cart"], &PEERS[..1], 30));
}

#[test]
fn an_open_hint_freezes_the_baseline() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let bad = lossy(&normal, &["cart"], &PEERS[..1], 20);
    let mut run = Run::warm(&normal);
    let before = run.expect_one(&bad).evidence[0].baseline;
    let after = firing(&run.ticks(1200, &bad));
    assert_eq!(after.len(), 1);
    // The class still learns from its other edges, which can only lower it.
    assert!(after[0].evidence[0].baseline <= before);
}

#[test]
fn external_peers_are_blamed_as_external() {
    let mut normal = Case::mesh(&["cart"], &PEERS[..2]);
    normal.edge("cart", PEERS[0]).class = PeerClass::External;
    let hint = Run::warm(&normal).expect_one(&lossy(&normal, &["cart"], &PEERS[..1], 20));
    assert_eq!(verdict(&hint), ("path_loss", BlameKind::External, "10.0.0.7"));
}

#[test]
fn loss_within_the_node_blames_the_node() {
    let mut normal = Case::mesh(&["cart"], &PEERS[..2]);
    let mut inside = healthy("cart", "10.0.9.1");
    inside.class = PeerClass::SameNode;
    normal.edges.push(inside);
    let hint = Run::warm(&normal).expect_one(&lossy(&normal, &["cart"], &["10.0.9.1"], 20));
    assert_eq!((hint.cause.as_str(), candidates(&hint)[0].as_str()), ("path_loss", NODE));
}

/// Two per cent from one second to the next, in sliding windows, at 100 segments a second.
#[test]
fn two_per_cent_loss_is_named_within_five_seconds() {
    let normal = Case::mesh(&["cart", "payment"], &PEERS);
    let mut run = Run::warm(&normal);
    let named = (1..=10u64).find(|s| {
        let hints = run.tick(&lossy(&normal, &["cart", "payment"], &PEERS[..1], 2 * s));
        !firing(&hints).is_empty()
    });
    assert!(named.is_some_and(|s| s <= 5), "{named:?}");
}

/// 40 ms more from one second to the next: tail loss probes fire after two of the old RTTs.
#[test]
fn timers_that_run_out_on_a_path_that_became_longer_are_not_loss() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let late = |fast: u64, slow: u64| {
        normal.with("cart", PEERS[0], |t| {
            t.rtt = rtts(&[(100, fast), (40_000, slow)]);
            t.connects = [0, 0];
            t.loss_episodes = 20;
            t.retransmits[Retransmit::TailLossProbe as usize] = 20;
        })
    };
    Run::warm(&normal).expect_silence(5, &late(60, 40));
    // As many on a path that is as fast as usual, or with fast retransmissions, are loss.
    assert_eq!(Run::warm(&normal).expect_one(&late(90, 10)).cause, "path_loss");
    let both = late(60, 40).with("cart", PEERS[0], |t| t.retransmits[Retransmit::Fast as usize] = 1);
    assert_eq!(Run::warm(&normal).expect_one(&both).cause, "path_loss");
}

/// Two addresses of one Node. Only one has losses.
fn one_node(case: &mut Case) {
    for peer in &PEERS[..2] {
        for pod in ["cart", "payment"] {
            case.edge(pod, peer).peer_node = Some("node-b".into());
        }
    }
}

#[test]
fn losses_to_one_address_of_a_node_whose_others_are_clean_blame_that_pod() {
    let mut normal = Case::mesh(&["cart", "payment"], &PEERS);
    one_node(&mut normal);
    let hints = firing(&Run::warm(&normal).ticks(3, &lossy(&normal, &["cart", "payment"], &PEERS[..1], 20)));
    assert_eq!(hints.len(), 2);
    for hint in &hints {
        assert_eq!(verdict(hint), ("path_loss", BlameKind::PeerPod, "10.0.0.7"));
    }
    // The other address sent too little to show it.
    let mut small = lossy(&normal, &["cart", "payment"], &PEERS[..1], 20);
    for pod in ["cart", "payment"] {
        small.tally(pod, PEERS[1]).data_segs_out = 210;
    }
    let hints = firing(&Run::warm(&normal).ticks(3, &small));
    assert!(hints.iter().all(|h| h.blame.kind == BlameKind::Undecided && h.blame.mentions("node-b")), "{hints:?}");
}

/// A network that copies packets: most of what is resent had arrived. The verdict comes too late for connections that end
/// before it, so that some windows show less of it.
#[test]
fn what_was_resent_for_nothing_for_a_minute_is_no_loss_in_a_window_with_fewer_verdicts() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let resent = |fast: u64, spurious: u64| {
        normal.with("cart", PEERS[0], |t| {
            t.loss_episodes = fast / 2;
            t.retransmits[Retransmit::Fast as usize] = fast;
            t.retransmits[Retransmit::Spurious as usize] = spurious;
        })
    };
    let mut run = Run::warm(&normal);
    run.expect_silence(20, &resent(12, 11));
    run.expect_silence(8, &resent(12, 4));
    // As many losses as that beside it are more than the past.
    assert_eq!(run.expect_one(&resent(60, 4)).cause, "path_loss");
    // Copies of segments that were sent once excuse no loss.
    let mut run = Run::warm(&normal);
    run.expect_silence(20, &resent(0, 11));
    assert_eq!(run.expect_one(&resent(12, 4)).cause, "path_loss");
}

#[test]
fn spurious_probes_neither_hide_nor_make_loss() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let probing = |lost: u64| {
        let mut case = normal.with("cart", PEERS[0], |t| {
            t.loss_episodes = 30;
            t.retransmits[Retransmit::TailLossProbe as usize] = 30;
            t.retransmits[Retransmit::Spurious as usize] = 30;
        });
        lose(case.tally("cart", PEERS[0]), lost);
        // The numbers that the view's windows show.
        let tally = case.tally("cart", PEERS[0]);
        *tally = tally.clone().without_needless();
        case
    };
    Run::warm(&normal).expect_silence(20, &probing(0));
    assert_eq!(Run::warm(&normal).expect_one(&probing(20)).cause, "path_loss");
}

#[test]
fn losses_to_all_of_another_zone_blame_the_path_there() {
    let mut normal = Case::mesh(&["cart", "payment"], &[&PEERS[..], &["10.0.0.11"]].concat());
    normal.zone = Some("z1".into());
    for edge in &mut normal.edges {
        let last = edge.peer.octets()[15];
        edge.peer_node = Some(format!("node-{last}").into());
        edge.peer_zone = Some(if last < 10 { "z2" } else { "z1" }.into());
    }
    let hints = firing(&Run::warm(&normal).ticks(3, &lossy(&normal, &["cart", "payment"], &PEERS[..3], 20)));
    assert_eq!(hints.len(), 2);
    assert!(hints.iter().all(|h| verdict(h) == ("path_loss", BlameKind::ZonePair, "z1↔z2")), "{hints:?}");
    // One lossy peer in this zone: it is not the path between them.
    let hints = firing(&Run::warm(&normal).ticks(3, &lossy(&normal, &["cart", "payment"], &PEERS, 20)));
    assert!(hints.iter().all(|h| candidates(h)[0] == NODE), "{hints:?}");
}

/// An external peer may lie behind the same path: it is no evidence for or against it.
#[test]
fn losses_to_another_zone_and_external_peers_blame_the_zone_path() {
    let mut normal = Case::mesh(&["cart", "payment"], &[&PEERS[..], &["10.0.0.11", "10.0.0.12"]].concat());
    normal.zone = Some("z1".into());
    for edge in &mut normal.edges {
        let last = edge.peer.octets()[15];
        if last == 10 {
            edge.class = PeerClass::External;
        } else {
            edge.peer_node = Some(format!("node-{last}").into());
            edge.peer_zone = Some(if last < 10 { "z2" } else { "z1" }.into());
        }
    }
    let hints = firing(&Run::warm(&normal).ticks(3, &lossy(&normal, &["cart", "payment"], &PEERS, 20)));
    assert_eq!(hints.len(), 2);
    assert!(hints.iter().all(|h| verdict(h) == ("path_loss", BlameKind::ZonePair, "z1↔z2")), "{hints:?}");
}

/// Half a per cent everywhere. One edge shows it. The others are below their limit, and count too.
#[test]
fn edges_below_their_own_limit_are_evidence_against_this_node() {
    let mut normal = Case::mesh(&["cart", "payment"], &PEERS);
    for edge in &mut normal.edges {
        edge.peer_node = Some(format!("node-{}", edge.peer.octets()[15]).into());
    }
    let mut small = lossy(&normal, &["cart"], &PEERS[..1], 8);
    for pod in ["cart", "payment"] {
        for peer in &PEERS[1..] {
            lose(small.tally(pod, peer), 3);
        }
    }
    let hints = firing(&Run::warm(&normal).ticks(3, &small));
    assert!(!hints.is_empty() && hints.iter().all(|h| verdict(h) == ("node_packet_loss", BlameKind::Node, NODE)));
}

/// Half of this Node's peers have losses, among them the external one: this Node and the Pod stay suspects.
#[test]
fn losses_to_an_external_peer_do_not_acquit_this_node() {
    let mut normal = Case::mesh(&["cart"], &[&PEERS[..], &["10.0.0.11", "10.0.0.12"]].concat());
    normal.edge("cart", PEERS[0]).class = PeerClass::External;
    let hints = firing(&Run::warm(&normal).ticks(3, &lossy(&normal, &["cart"], &PEERS[..2], 20)));
    assert!(hints.iter().all(|h| h.blame.mentions(NODE) && h.blame.mentions("cart")), "{hints:?}");
    // All others are shown to be clean: this Node is acquitted.
    let hint = Run::warm(&normal).expect_one(&lossy(&normal, &["cart"], &PEERS[..1], 20));
    assert_eq!((hint.blame.kind, hint.blame.other_names().len()), (BlameKind::External, 0));
    // Traffic from before they fell silent too shows nothing.
    let mut silent = lossy(&normal, &["cart"], &PEERS[..1], 20);
    silent.edges[1..].iter_mut().for_each(|edge| edge.recent.data_segs_out = 1);
    let hint = Run::warm(&normal).expect_one(&silent);
    assert!(hint.blame.mentions(NODE), "{:?}", hint.blame);
}

#[test]
fn the_path_to_a_zone_is_a_suspect_until_another_peer_there_is_clean() {
    let mut normal = Case::mesh(&["cart"], &PEERS);
    normal.zone = Some("z1".into());
    for edge in &mut normal.edges {
        let last = edge.peer.octets()[15];
        edge.peer_node = Some(format!("node-{last}").into());
        edge.peer_zone = Some(if last < 9 { "z2" } else { "z1" }.into());
    }
    let bad = lossy(&normal, &["cart"], &PEERS[..1], 20);
    let hint = Run::warm(&normal).expect_one(&bad);
    assert_eq!(candidates(&hint)[..2], ["node-7", "node-a↔node-7"]);
    assert!(!hint.blame.mentions("z1↔z2"), "{:?}", hint.blame);
    // The other peer there sent too little to show it.
    let quiet = bad.with("cart", PEERS[1], |t| t.data_segs_out = 60);
    let hint = Run::warm(&normal).expect_one(&quiet);
    assert!(hint.blame.mentions("z1↔z2"), "{:?}", hint.blame);
}

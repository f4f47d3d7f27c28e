use crate::{
    api::BlameKind,
    hints::testing::{Case, NODE, Run, firing, lose, lossy, rtts, verdict},
    peers::PeerKind,
};
use netwhy_abi::Role;

const PEERS: [&str; 4] = ["10.0.0.7", "10.0.0.8", "10.0.0.9", "10.0.0.10"];

/// Nothing passes to another zone for moments. Servers send when a request got through, and so lose nothing.
#[test]
fn servers_that_lose_nothing_do_not_acquit_the_path_of_their_clients() {
    let mut normal = Case::mesh(&["web", "api"], &[&PEERS[..], &["10.0.0.11", "10.0.0.12"]].concat());
    normal.zone = Some("z1".into());
    for edge in &mut normal.edges {
        let last = edge.peer.octets()[15];
        edge.peer_node = Some(format!("node-{last}").into());
        edge.peer_zone = Some(if last == 10 { "z1" } else { "z2" }.into());
        edge.role = Some(if edge.subject.name == "api" { Role::Server } else { Role::Client });
    }
    normal.edges.retain(|edge| edge.subject.name == "api" || edge.peer.octets()[15] <= 10);
    let hint = Run::warm(&normal).expect_one(&lossy(&normal, &["web"], &PEERS[..3], 160));
    assert_eq!(verdict(&hint), ("path_loss", BlameKind::ZonePair, "z1↔z2"), "{:?}", hint.blame);
    // Half a per cent of all packets, at any moment: servers would lose some too.
    let hint = Run::warm(&normal).expect_one(&lossy(&normal, &["web"], &PEERS[..3], 6));
    assert_eq!(verdict(&hint), ("path_loss", BlameKind::Pod, "web"), "{:?}", hint.blame);
}

/// One Node loses packets, also those of a Service that has a Pod there. That is no second culprit: nothing speaks for
/// this Node or the zones.
#[test]
fn losses_to_a_service_may_be_those_of_a_lossy_node_behind_it() {
    let mut normal = Case::mesh(&["web", "api"], &PEERS);
    normal.zone = Some("z1".into());
    for edge in &mut normal.edges {
        let last = edge.peer.octets()[15];
        if last == 10 {
            edge.kind = PeerKind::Service;
        } else {
            edge.peer_node = Some(format!("node-{last}").into());
            edge.peer_zone = Some("z2".into());
        }
    }
    let mut bad = lossy(&normal, &["web", "api"], &PEERS[..1], 20);
    lose(bad.tally("web", PEERS[3]), 20);
    let hints = firing(&Run::warm(&normal).ticks(3, &bad));
    let of = |name: &str| {
        let all = hints.iter().flat_map(|hint| hint.blame.candidates()).filter(|one| one.name == name);
        all.map(|one| one.probability).fold(0.0, f64::max)
    };
    assert!(of("node-7") > 0.4 && of(NODE) < 0.1 && of("z1↔z2") < 0.1, "{hints:?}");
}

/// A Service stands for Pods, their Nodes and the ways there. Only the Pods have its name.
#[test]
fn losses_to_a_service_alone_name_nobody() {
    let mut normal = Case::mesh(&["web"], &PEERS);
    normal.edge("web", PEERS[3]).kind = PeerKind::Service;
    let hint = Run::warm(&normal).expect_one(&lossy(&normal, &["web"], &PEERS[3..], 20));
    assert_eq!((hint.cause.as_str(), hint.blame.kind), ("path_loss", BlameKind::Undecided), "{:?}", hint.blame);
    let all: Vec<_> = hint.blame.candidates().collect();
    assert_eq!((all[0].kind, all[0].name.as_str()), (BlameKind::Service, PEERS[3]), "{all:?}");
    assert!(all.iter().map(|one| one.probability).sum::<f64>() < 0.3, "this end explains as little as before: {all:?}");
}

/// Bytes are counted from walk to walk, and a walk may be late: then no edge answered in the newest tick.
#[test]
fn clean_edges_acquit_in_ticks_without_a_walk_too() {
    let accuses_node = |still_answers: bool| {
        let normal = Case::mesh(&["web"], &PEERS);
        let mut bad = lossy(&normal, &["web"], &PEERS[..1], 20);
        for edge in &mut bad.edges {
            edge.answered = false;
            edge.recent = edge.window.clone();
            edge.recent.loss_episodes /= 4;
            if edge.window.loss_episodes == 0 && !still_answers {
                let recent = &mut edge.recent;
                (recent.bytes_acked, recent.bytes_received, recent.connects) = (0, 0, [0, 0]);
                recent.rtt = rtts(&[]);
            }
        }
        let hint = Run::warm(&normal).expect_one(&bad);
        assert_eq!(verdict(&hint), ("path_loss", BlameKind::Undecided, ""));
        hint.blame.mentions(NODE)
    };
    assert!(!accuses_node(true), "the others lose nothing");
    assert!(accuses_node(false), "nobody knows what the others lose");
}

/// Losses are rare, so that after some seconds the window has those of its last seconds alone.
#[test]
fn what_clean_edges_sent_counts_for_as_long_as_losses_go_on() {
    let normal = Case::mesh(&["web"], &PEERS);
    let mut rare = lossy(&normal, &["web"], &PEERS[..1], 6);
    for edge in &mut rare.edges {
        edge.recent = edge.window.clone();
        edge.recent.data_segs_out = if edge.window.loss_episodes > 0 { 200 } else { 15 };
    }
    let mut run = Run::warm(&normal);
    let mut node_after = |ticks: u64| {
        let hints = firing(&run.ticks(ticks, &rare));
        hints[0].blame.candidates().find(|one| one.name == NODE).map_or(0.0, |node| node.probability)
    };
    let (young, old) = (node_after(2), node_after(4));
    assert!(young > 0.1 && old < young / 2.0, "{young} {old}");
}

use super::super::testing::{hint, peer_row};
use super::*;
use crate::{
    api::{Blame, Excused, RttBaseline},
    blame::Fleet,
};

/// Four Nodes; everyone loses on the way to c, and nothing else is lost.
pub(crate) fn cluster() -> Vec<PeerRow> {
    let names = ["node-a", "node-b", "node-c", "node-d"];
    let mut rows = Vec::new();
    for from in names {
        for to in names.into_iter().filter(|to| *to != from) {
            let episodes = if to == "node-c" { 40 } else { 0 };
            rows.push(peer_row(from, to, 10_000, episodes, 210));
        }
    }
    rows
}

pub(crate) fn names() -> Vec<String> {
    ["node-a", "node-b", "node-c", "node-d"].map(str::to_owned).to_vec()
}

#[test]
fn the_node_with_loss_from_all_peers_comes_first() {
    let mut blaming = hint("shop", "payment-1", "path_loss");
    blaming.blame = Blame::named(BlameKind::PeerNode, "node-c", 0.99);
    let nodes = nodes(&cluster(), &[blaming], &names(), vec![]);
    let first = &nodes.items[0];
    assert_eq!((first.node.as_str(), first.peers_worse, first.peers, first.blamed_by), ("node-c", 3, 3, 1));
    assert_eq!(first.into.ratio(), Some(0.004));
    assert_eq!(first.out.ratio(), Some(0.0), "what it sends arrives");
    assert!(nodes.items[1..].iter().all(|n| n.peers_worse == 0), "{nodes:?}");
    assert!(
        first.blame >= Some(0.9),
        "three peers without a baseline don't suffice, but the hint knows them: {first:?}"
    );
    assert!(nodes.items[1..].iter().all(|n| n.blame == Some(0.0)), "{nodes:?}");
}

#[test]
fn a_node_is_blamed_if_enough_peers_lose_towards_it() {
    let names: Vec<String> = (0..12).map(|n| format!("node-{n}")).collect();
    let mut rows = Vec::new();
    for from in &names {
        for to in names.iter().filter(|to| *to != from) {
            let episodes = if to == "node-3" { 60 } else { 1 };
            let row = peer_row(from, to, 10_000, episodes, 210);
            rows.push(PeerRow { sending_edges: 5, lossy_edges: episodes.min(5), ..row });
        }
    }
    let nodes = nodes(&rows, &[], &names, vec![]);
    assert_eq!(nodes.items[0].node, "node-3");
    assert!(nodes.items[0].blame.is_some_and(|score| score > 0.9), "{:?}", nodes.items[0]);
    assert!(nodes.items[1..].iter().all(|n| n.blame == Some(0.0)), "{nodes:?}");
}

#[test]
fn with_baselines_three_peers_are_enough_for_loss_and_latency() {
    let baseline = |now_us: f64| RttBaseline { now_seconds: now_us / 1e6, usual_seconds: 210e-6 };
    let mut rows = cluster();
    for row in &mut rows {
        row.loss_baseline = Some(1e-4);
        row.min_rtt_baseline = Some(baseline(215.0));
    }
    let lossy = nodes(&rows, &[], &names(), vec![]);
    assert_eq!(lossy.items[0].node, "node-c");
    assert!(lossy.items[0].blame.is_some_and(|score| score > 0.5), "{:?}", lossy.items[0]);
    // Nothing is lost any more, and d is 5 ms further from everybody.
    for row in &mut rows {
        row.loss_episodes = 0;
        let of_d = row.node == "node-d" || row.peer_node.as_deref() == Some("node-d");
        row.min_rtt_baseline = Some(baseline(if of_d { 5_215.0 } else { 215.0 }));
    }
    let slow = nodes(&rows, &[], &names(), vec![]);
    assert_eq!(slow.items[0].node, "node-d");
    assert!(slow.items[0].blame.is_some_and(|score| score > 0.5), "{:?}", slow.items[0]);
    assert!(slow.items[1..].iter().all(|n| n.blame == Some(0.0)), "{slow:?}");
}

#[test]
fn excused_losses_blame_nobody() {
    let mut rows = cluster();
    for row in &mut rows {
        row.loss_baseline = Some(1e-4);
    }
    assert!(blame_scores(&rows)["node-c"] > 0.5);
    for row in rows.iter_mut().filter(|row| row.peer_node.as_deref() == Some("node-c")) {
        // 39 of 40 episodes, in a tenth of what was sent.
        row.excused = Excused { sending_edges: 1, lossy_edges: 1, segments_sent: 1000, loss_episodes: 39 };
    }
    assert_eq!(blame_scores(&rows)["node-c"], 0.0);
}

#[test]
fn few_segments_give_no_ratio_and_a_silent_node_is_listed() {
    let rows = [peer_row("node-a", "node-b", 100, 50, 200)];
    let silent = SilentAgent { node: "node-z".to_owned(), agent: "netwhy/z".to_owned(), why: "late".to_owned() };
    let nodes = nodes(&rows, &[], &["node-a".to_owned()], vec![silent]);
    let of = |name: &str| nodes.items.iter().find(|n| n.node == name).unwrap();
    assert_eq!((of("node-b").peers, of("node-b").into.ratio(), of("node-b").blame), (0, None, None));
    assert!(!of("node-z").answered && !of("node-b").answered && of("node-a").answered);
}

#[test]
fn of_two_peers_the_worse_stands_out() {
    let rows = [peer_row("node-a", "node-b", 1000, 20, 200), peer_row("node-a", "node-c", 1000, 0, 200)];
    let nodes = nodes(&rows, &[], &["node-a".to_owned()], vec![]);
    assert_eq!((nodes.items[0].node.as_str(), nodes.items[0].peers_worse), ("node-b", 1));
}

#[test]
fn rows_do_not_blame_a_node_that_hints_weighed_for_the_same_symptom() {
    let mut rows = cluster();
    for row in &mut rows {
        row.loss_baseline = Some(1e-4);
    }
    let blamed = |symptom: Symptom| scores(&rows, |node, of| node == "node-c" && of == symptom).contains_key("node-c");
    assert!(blamed(Symptom::Latency) && !blamed(Symptom::Loss));
}

/// Losses of large packets alone: the agent that knows their sizes has weighed its Node against its Pod.
#[test]
fn rows_do_not_blame_a_node_whose_losses_a_hint_explains() {
    let mut rows = cluster();
    for row in &mut rows {
        row.loss_baseline = Some(1e-4);
    }
    let mut large = hint("shop", "payment-1", "path_mtu_blackhole");
    large.chain = vec!["path_mtu_blackhole".into(), "path_loss".into(), "send_stall".into()];
    large.blame = Blame::among(vec![
        Suspect::new(BlameKind::PeerNode, "node-c", 0.6),
        Suspect::new(BlameKind::PeerPod, "shop/db-0", 0.3),
    ]);
    let score = |hints: &[Hint]| nodes(&rows, hints, &names(), vec![]).items[0].blame;
    assert!(score(&[]) > Some(0.9));
    assert_eq!(score(&[large]), None);
}

#[test]
fn candidates_of_one_finding_share_its_probability() {
    let verdict = |score: f64| Verdict {
        culprit: blame::Culprit::Node(Fleet::new().node("a", None)),
        symptom: Symptom::Loss,
        score,
        confidence: 0.9,
        evidence: blame::Evidence::default(),
    };
    let both = shares(&[verdict(20.0), verdict(20.0)]);
    assert_eq!(both, [0.45, 0.45]);
    assert!(shares(&[verdict(20.0), verdict(17.0)])[0] > 0.85);
    assert_eq!(shares(&[verdict(20.0)]), [0.9]);
}

use super::super::{
    nodes::{nodes, tests::names},
    testing::{hint, peer_row},
};
use super::*;
use crate::api::RttBaseline;

/// Rows between four Nodes with baselines. `bad`: pairs (from, to) that lose 3 %.
fn rows(bad: &[(&str, &str)]) -> Vec<PeerRow> {
    let names = names();
    let pairs = names.iter().flat_map(|from| names.iter().map(move |to| (from, to))).filter(|(from, to)| from != to);
    let row = |(from, to): (&String, &String)| {
        let episodes = if bad.contains(&(from.as_str(), to.as_str())) { 60 } else { 0 };
        PeerRow { loss_baseline: Some(1e-4), ..peer_row(from, to, 2000, episodes, 210) }
    };
    pairs.map(row).collect()
}

/// A lone agent's hint: loss from node-a to node-c.
fn undecided() -> Hint {
    let mut hint = hint("shop", "payment-1", "path_loss");
    let suspect = |kind, name: &str, probability| Suspect::new(kind, name, probability);
    hint.blame = Blame::among(vec![
        suspect(BlameKind::PeerNode, "node-c", 0.46),
        suspect(BlameKind::NodePair, "node-a↔node-c", 0.46),
        suspect(BlameKind::PeerPod, "shop/db-0", 0.05),
    ]);
    hint.confidence = 0.4;
    hint
}

fn settled_blame(bad: &[(&str, &str)]) -> (Blame, f64) {
    let mut hints = [undecided()];
    settle(&mut hints, &rows(bad));
    (hints[0].blame.clone(), hints[0].confidence)
}

#[test]
fn other_agents_that_lose_towards_the_peer_convict_its_node() {
    let (blame, confidence) = settled_blame(&[("node-a", "node-c"), ("node-b", "node-c"), ("node-d", "node-c")]);
    assert_eq!((blame.kind, blame.name.as_str()), (BlameKind::PeerNode, "node-c"), "{blame:?}");
    assert!(blame.probability > 0.9 && confidence > 0.8, "{blame:?} {confidence}");
}

#[test]
fn other_agents_that_reach_the_peer_cleanly_leave_the_path() {
    let (blame, _) = settled_blame(&[("node-a", "node-c"), ("node-c", "node-a")]);
    assert_eq!((blame.kind, blame.name.as_str()), (BlameKind::NodePair, "node-a↔node-c"), "{blame:?}");
}

/// A part of the connections of one agent alone, or of a queue of the peer's Node, which others meet too.
#[test]
fn a_part_of_the_paths_is_weighed_as_the_path() {
    let settled = |bad: &[(&str, &str)]| {
        let mut hint = undecided();
        hint.blame = Blame::among(vec![
            Suspect::new(BlameKind::PathShare, "node-a↔node-c", 0.86),
            Suspect::new(BlameKind::PeerNode, "node-c", 0.1),
        ]);
        let mut hints = [hint];
        settle(&mut hints, &rows(bad));
        hints[0].blame.clone()
    };
    let alone = settled(&[("node-a", "node-c"), ("node-c", "node-a")]);
    assert_eq!((alone.kind, alone.name.as_str()), (BlameKind::PathShare, "node-a↔node-c"), "{alone:?}");
    let all = settled(&[("node-a", "node-c"), ("node-b", "node-c"), ("node-d", "node-c")]);
    assert_eq!((all.kind, all.name.as_str()), (BlameKind::PeerNode, "node-c"), "{all:?}");
}

#[test]
fn without_rows_of_others_it_stays_undecided() {
    let mut hints = [undecided()];
    let own: Vec<PeerRow> = rows(&[("node-a", "node-c")]).into_iter().filter(|row| row.node == "node-a").collect();
    settle(&mut hints, &own);
    assert_eq!(hints[0].blame.kind, BlameKind::Undecided);
    assert_eq!(hints[0].blame.other_names()[..2], ["node-c", "node-a↔node-c"]);
}

#[test]
fn hints_about_programs_stay_as_they_are() {
    let mut hints = [undecided()];
    hints[0].cause = "peer_slow".into();
    let before = hints[0].clone();
    settle(&mut hints, &rows(&[("node-b", "node-c")]));
    assert_eq!(hints[0], before);
}

#[test]
fn nodes_show_the_same_probability() {
    let rows = rows(&[("node-a", "node-c"), ("node-b", "node-c"), ("node-d", "node-c")]);
    let mut hints = [undecided()];
    let table = nodes(&rows, &hints, &names(), vec![]);
    settle(&mut hints, &rows);
    assert_eq!(table.items[0].node, "node-c");
    assert!(table.items[0].blame >= Some(hints[0].blame.probability), "{:?}", table.items[0]);
    assert_eq!(table.items[0].blamed_by, 1);
}

/// A Node that answers nobody: each agent alone can't tell it from the path.
#[test]
fn agents_that_get_no_answer_from_one_node_convict_it_together() {
    let silent = |node: &str| {
        let mut hint = hint("shop", node, "peer_unreachable");
        node.clone_into(&mut hint.subject.node);
        hint.blame = Blame::among(vec![
            Suspect::new(BlameKind::PeerNode, "node-c", 0.7),
            Suspect::new(BlameKind::NodePair, format!("{node}↔node-c"), 0.22),
        ]);
        hint
    };
    let mut alone = [silent("node-a")];
    settle(&mut alone, &[]);
    assert_eq!(alone[0].blame.kind, BlameKind::Undecided);
    let mut both = [silent("node-a"), silent("node-b")];
    settle(&mut both, &[]);
    for hint in &both {
        assert_eq!((hint.blame.kind, hint.blame.name.as_str()), (BlameKind::PeerNode, "node-c"), "{hint:?}");
    }
    // So does reordering, which rows don't show either.
    let mut reordered = [silent("node-a"), silent("node-b")];
    reordered.iter_mut().for_each(|hint| hint.cause = "path_reordering".into());
    settle(&mut reordered, &[]);
    assert!(reordered.iter().all(|hint| hint.blame.name == "node-c"), "{reordered:?}");
    // Another cause is no evidence.
    both = [silent("node-a"), silent("node-b")];
    both[1].cause = "path_mtu_blackhole".into();
    settle(&mut both, &[]);
    assert_eq!(both[0].blame.kind, BlameKind::Undecided);
}

/// A lone agent's hint about a longer path from node-a to node-c, by handshakes.
fn longer_path(zones: Option<&str>) -> Hint {
    let mut hint = undecided();
    (hint.cause, hint.symptom) = ("path_latency".into(), "rtt_inflation".into());
    let zones = zones.map(|name| Suspect::new(BlameKind::ZonePair, name, 0.3));
    let others =
        [Suspect::new(BlameKind::PeerNode, "node-c", 0.34), Suspect::new(BlameKind::NodePair, "node-a↔node-c", 0.33)];
    hint.blame = Blame::among(others.into_iter().chain(zones).collect());
    hint
}

fn rtt(row: &mut PeerRow, rise_ms: f64, is_proven: bool) {
    let rtt = RttBaseline { now_seconds: 2e-4 + rise_ms / 1e3, usual_seconds: 2e-4 };
    (row.min_rtt_baseline, row.rtt_rise) = if is_proven { (Some(rtt), None) } else { (None, Some(rtt)) };
}

/// All rows of node-c became 14 to 17 ms longer, and only one agent saw a handshake.
#[test]
fn rises_that_several_agents_share_convict_without_handshakes() {
    let mut all = rows(&[]);
    for row in &mut all {
        let is_c = row.node == "node-c" || row.peer_node.as_deref() == Some("node-c");
        match (is_c, row.node.as_str()) {
            (true, "node-a") => rtt(row, 16.0, true),
            (true, "node-b") => rtt(row, 14.0, false),
            (true, _) => rtt(row, 17.0, false),
            _ => rtt(row, 0.0, true),
        }
    }
    let mut hints = [longer_path(None)];
    settle(&mut hints, &all);
    assert_eq!((hints[0].blame.kind, hints[0].blame.name.as_str()), (BlameKind::PeerNode, "node-c"), "{hints:?}");
    // Of very different sizes: slow programs there.
    for (at, row) in all.iter_mut().filter(|row| row.rtt_rise.is_some()).enumerate() {
        rtt(row, 40.0 * 3_f64.powi(at as i32), false);
    }
    let mut hints = [longer_path(None)];
    settle(&mut hints, &all);
    assert_eq!(hints[0].blame.kind, BlameKind::Undecided, "{hints:?}");
}

/// Rows of other agents towards node-c, those about one of its Pods apart. `bad`: about which Pod they lose.
fn split_rows(bad: Option<&str>) -> Vec<PeerRow> {
    let row = |from: &str, pod: Option<&str>| {
        let episodes = if pod == bad { 60 } else { 0 };
        let row = peer_row(from, "node-c", 2000, episodes, 210);
        PeerRow { loss_baseline: Some(1e-4), peer_pod: pod.map(str::to_owned), ..row }
    };
    let froms = ["node-b", "node-d"];
    froms.iter().flat_map(|from| [row(from, Some("shop/db-0")), row(from, None)]).collect()
}

#[test]
fn losses_towards_one_pod_of_a_node_convict_the_pod_and_not_the_node() {
    let mut hints = [undecided()];
    settle(&mut hints, &split_rows(Some("shop/db-0")));
    let blame = &hints[0].blame;
    assert_eq!((blame.kind, blame.name.as_str()), (BlameKind::PeerPod, "shop/db-0"), "{blame:?}");
    // The other way round the Node is not spared: its other Pods are hit.
    let mut hints = [undecided()];
    settle(&mut hints, &split_rows(None));
    assert_ne!(hints[0].blame.name, "shop/db-0", "{:?}", hints[0].blame);
}

/// The agent of node-c: one of its Pods is farther from everywhere, or all of the Node.
fn farther() -> Hint {
    let mut hint = hint("shop", "db-0", "path_latency");
    (hint.symptom, hint.subject.node) = ("rtt_inflation".into(), "node-c".into());
    hint.blame =
        Blame::among(vec![Suspect::new(BlameKind::Node, "node-c", 0.6), Suspect::new(BlameKind::Pod, "db-0", 0.2)]);
    hint
}

#[test]
fn rows_of_other_agents_about_its_own_pod_tell_the_pod_from_the_node() {
    let mut all = split_rows(None);
    for row in &mut all {
        row.loss_episodes = 0;
        rtt(row, if row.peer_pod.is_some() { 36.0 } else { 0.0 }, true);
    }
    let mut hints = [farther()];
    settle(&mut hints, &all);
    let blame = &hints[0].blame;
    assert_eq!((blame.kind, blame.name.as_str()), (BlameKind::Pod, "db-0"), "{blame:?}");
    // Where nobody talks to another Pod there, they speak as much against the one as against the other.
    all.retain(|row| row.peer_pod.is_some());
    let mut hints = [farther()];
    settle(&mut hints, &all);
    assert_eq!(hints[0].blame.kind, BlameKind::Undecided, "{:?}", hints[0].blame);
    assert_eq!(hosts(&[farther()]), ["shop/db-0"]);
}

#[test]
fn hosts_to_ask_about_are_those_that_hints_may_blame() {
    assert_eq!(hosts(&[undecided()]), ["shop/db-0"]);
    let late = Hint { cause: LATE_ANSWERS.into(), ..undecided() };
    assert!(!needs_others(&late) && wants_rows(&late));
    assert_eq!(hosts(&[late]), ["shop/db-0"], "answers may be late on the way");
    let mut resolved = undecided();
    resolved.state = HintState::Resolved;
    assert!(hosts(&[resolved]).is_empty());
}

/// node-a and node-b in one zone, node-c and node-d in another: all paths between them are longer.
#[test]
fn longer_paths_between_zones_convict_the_zones() {
    let mut all = rows(&[]);
    let zone = |node: &str| if ["node-a", "node-b"].contains(&node) { "z1" } else { "z2" };
    for row in &mut all {
        let peer_zone = zone(row.peer_node.as_deref().unwrap_or_default());
        let crosses = zone(&row.node) != peer_zone;
        (row.zone, row.peer_zone) = (Some(zone(&row.node).to_owned()), Some(peer_zone.to_owned()));
        rtt(row, if crosses { 23.0 } else { 0.0 }, true);
    }
    let mut hints = [longer_path(Some("z1↔z2"))];
    settle(&mut hints, &all);
    assert_eq!((hints[0].blame.kind, hints[0].blame.name.as_str()), (BlameKind::ZonePair, "z1↔z2"), "{hints:?}");
}

/// Four Nodes in two zones: what passes between the zones loses.
#[test]
fn losses_between_zones_and_not_within_convict_the_zones() {
    let zone = |node: &str| if matches!(node, "node-a" | "node-b") { "z1" } else { "z2" };
    let names = names();
    let pairs = names.iter().flat_map(|from| names.iter().map(move |to| (from, to))).filter(|(from, to)| from != to);
    let rows: Vec<PeerRow> = pairs
        .map(|(from, to)| {
            let episodes = if zone(from) == zone(to) { 0 } else { 60 };
            let (zone, peer_zone) = (Some(zone(from).to_owned()), Some(zone(to).to_owned()));
            PeerRow { loss_baseline: Some(1e-4), zone, peer_zone, ..peer_row(from, to, 2000, episodes, 210) }
        })
        .collect();
    let mut hints = [undecided()];
    hints[0].blame = Blame::among(vec![
        Suspect::new(BlameKind::PeerNode, "node-c", 0.3),
        Suspect::new(BlameKind::NodePair, "node-a↔node-c", 0.3),
        Suspect::new(BlameKind::ZonePair, "z1↔z2", 0.3),
    ]);
    settle(&mut hints, &rows);
    assert_eq!((hints[0].blame.kind, hints[0].blame.name.as_str()), (BlameKind::ZonePair, "z1↔z2"));
}

/// Each agent alone can't tell the peer from something on its own way there.
#[test]
fn agents_whose_connections_to_one_pod_are_reset_convict_it_together() {
    let reset = |node: &str| {
        let mut hint = hint("shop", node, "connections_reset");
        node.clone_into(&mut hint.subject.node);
        hint.blame = Blame::among(vec![
            Suspect::new(BlameKind::PeerPod, "shop/db-0", 0.65),
            Suspect::new(BlameKind::NodePair, format!("{node}↔node-c"), 0.35),
        ]);
        hint
    };
    let mut both = [reset("node-a"), reset("node-b")];
    settle(&mut both, &[]);
    for hint in &both {
        assert_eq!((hint.blame.kind, hint.blame.name.as_str()), (BlameKind::PeerPod, "shop/db-0"), "{hint:?}");
    }
    let mut alone = [reset("node-a")];
    settle(&mut alone, &[]);
    assert_eq!(alone[0].blame.kind, BlameKind::Undecided);
}

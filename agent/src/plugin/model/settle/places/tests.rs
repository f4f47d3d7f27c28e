use super::*;
use crate::{
    api::Blame,
    plugin::model::{
        settle::settle,
        testing::{hint, peer_row},
    },
};

const NODES: [&str; 5] = ["node-a", "node-b", "node-c", "node-d", "node-e"];

fn zone(node: &str) -> &'static str {
    if matches!(node, "node-d" | "node-e") { "z2" } else { "z1" }
}

/// Rows between all Nodes, of which some lose 3 %.
fn rows(is_lossy: impl Fn(&str, &str) -> bool) -> Vec<PeerRow> {
    let pairs = NODES.iter().flat_map(|from| NODES.iter().map(move |to| (*from, *to))).filter(|(from, to)| from != to);
    let row = |(from, to): (&str, &str)| {
        let episodes = if is_lossy(from, to) { 60 } else { 0 };
        let (zone, peer_zone) = (Some(zone(from).to_owned()), Some(zone(to).to_owned()));
        let lossy_edges = u64::from(episodes > 0);
        PeerRow { loss_baseline: Some(1e-4), zone, peer_zone, lossy_edges, ..peer_row(from, to, 2000, episodes, 210) }
    };
    pairs.map(row).collect()
}

/// The agent of node-d finds that one of its Pods loses packets to all peers elsewhere, and nothing else does.
fn of_one_pod() -> Hint {
    let mut hint = hint("shop", "web-1", "path_loss");
    hint.subject.node = "node-d".into();
    hint.evidence.iter_mut().for_each(|one| one.place = "node-d→*".into());
    hint.blame =
        Blame::among(vec![Suspect::new(BlameKind::Pod, "web-1", 0.9), Suspect::new(BlameKind::Node, "node-d", 0.04)]);
    hint.confidence = 0.9;
    hint
}

fn settled(rows: &[PeerRow]) -> Blame {
    let mut hints = [of_one_pod()];
    settle(&mut hints, rows);
    hints[0].blame.clone()
}

/// One agent finds the path between the zones too unlikely to list it. The Node that it lists must not get what that
/// path explains.
#[test]
fn a_path_between_zones_that_one_agent_left_out_is_found_by_the_others() {
    let blame = settled(&rows(|from, to| zone(from) != zone(to)));
    assert_eq!((blame.kind, blame.name.as_str()), (BlameKind::ZonePair, "z2↔z1"), "{blame:?}");
}

#[test]
fn a_listed_node_that_the_others_convict_is_named() {
    let blame = settled(&rows(|from, to| [from, to].contains(&"node-d")));
    assert_eq!((blame.kind, blame.name.as_str()), (BlameKind::Node, "node-d"), "{blame:?}");
}

/// What others see cleanly adds no candidate.
#[test]
fn clean_rows_of_others_leave_the_pod() {
    let blame = settled(&rows(|from, _| from == "node-d"));
    assert_eq!((blame.kind, blame.name.as_str()), (BlameKind::Pod, "web-1"), "{blame:?}");
}

#[test]
fn a_hint_about_one_path_leaves_out_its_ends_and_zones() {
    let mut of_path = of_one_pod();
    of_path.evidence.iter_mut().for_each(|one| one.place = "node-d→node-a".into());
    of_path.blame = Blame::among(vec![Suspect::new(BlameKind::PeerNode, "node-a", 0.92)]);
    let rows = rows(|from, to| zone(from) != zone(to));
    let left = left_out(&of_path, &rows, Symptom::Loss);
    let names: Vec<&str> = left.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["node-d", "node-d↔node-a", "z2↔z1"]);
    assert!(left.iter().all(|one| (0.019..=0.02).contains(&one.probability)), "{left:?}");
    let mut hints = [of_path];
    settle(&mut hints, &rows);
    let blame = &hints[0].blame;
    assert_eq!((blame.kind, blame.name.as_str()), (BlameKind::ZonePair, "z2↔z1"), "{blame:?}");
}

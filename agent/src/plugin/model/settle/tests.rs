use super::super::{
    nodes::{nodes, tests::names},
    testing::{hint, peer_row},
};
use super::*;

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
    settle(&mut hints, &rows(bad), |_| None);
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

#[test]
fn without_rows_of_others_it_stays_undecided() {
    let mut hints = [undecided()];
    let own: Vec<PeerRow> = rows(&[("node-a", "node-c")]).into_iter().filter(|row| row.node == "node-a").collect();
    settle(&mut hints, &own, |_| None);
    assert_eq!(hints[0].blame.kind, BlameKind::Undecided);
    assert_eq!(hints[0].blame.other_names()[..2], ["node-c", "node-a↔node-c"]);
}

#[test]
fn hints_about_programs_stay_as_they_are() {
    let mut hints = [undecided()];
    hints[0].cause = "peer_slow".into();
    let before = hints[0].clone();
    settle(&mut hints, &rows(&[("node-b", "node-c")]), |_| None);
    assert_eq!(hints[0], before);
}

#[test]
fn nodes_show_the_same_probability() {
    let rows = rows(&[("node-a", "node-c"), ("node-b", "node-c"), ("node-d", "node-c")]);
    let mut hints = [undecided()];
    let table = nodes(&rows, &hints, &names(), vec![]);
    settle(&mut hints, &rows, |_| None);
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
    settle(&mut alone, &[], |_| None);
    assert_eq!(alone[0].blame.kind, BlameKind::Undecided);
    let mut both = [silent("node-a"), silent("node-b")];
    settle(&mut both, &[], |_| None);
    for hint in &both {
        assert_eq!((hint.blame.kind, hint.blame.name.as_str()), (BlameKind::PeerNode, "node-c"), "{hint:?}");
    }
    // Another cause is no evidence.
    both = [silent("node-a"), silent("node-b")];
    both[1].cause = "path_mtu_blackhole".into();
    settle(&mut both, &[], |_| None);
    assert_eq!(both[0].blame.kind, BlameKind::Undecided);
}

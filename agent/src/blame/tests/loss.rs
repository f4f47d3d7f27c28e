//! The culprit of losses.

use super::*;

#[test]
fn a_lossy_node_is_named_with_its_direction() {
    for (direction, lossy) in [
        (Culprit::Node as fn(EndId) -> Culprit, (|from, to| from == 3 || to == 3) as fn(usize, usize) -> bool),
        (Culprit::NodeIn, |_, to| to == 3),
        (Culprit::NodeOut, |from, _| from == 3),
    ] {
        let mut mesh = Mesh::new(12, 3);
        mesh.lose(lossy, 0.005);
        assert_eq!(mesh.blamed(), [direction(mesh.ends[3])]);
    }
}

#[test]
fn a_fleet_at_its_usual_losses_has_no_findings() {
    let verdicts = Mesh::new(12, 3).judge();
    assert_eq!(verdicts.findings, []);
    assert!(verdicts.nodes.iter().all(|node| node.loss.is_some_and(|score| score < 0.0) && node.latency.is_none()));
}

#[test]
fn evidence_counts_what_was_seen() {
    let mut mesh = Mesh::new(12, 3);
    mesh.lose(|_, to| to == 3, 0.01);
    let verdicts = mesh.judge();
    let verdict = verdicts.blamed().next().unwrap();
    let Evidence { observed, expected, segments, excess_ratio, bad, peers, heard, shift_us } = verdict.evidence;
    assert_eq!((observed, segments, bad, peers), (11 * 102, 11 * SEGMENTS, 11, 11));
    assert!((expected - 22.0).abs() < 1e-3 && (excess_ratio - 0.01).abs() < 1e-4, "{verdict:?}");
    assert!(heard && shift_us.is_none() && verdict.confidence > 0.5);
    let node = &verdicts.nodes[3];
    assert_eq!((node.finding, node.observed), (Some(0), 11 * 102 + 11 * 2));
    assert!(verdicts.nodes.iter().filter(|node| node.finding.is_some()).count() == 1);
    let best = verdicts.nodes.iter().max_by(|a, b| a.loss.unwrap().total_cmp(&b.loss.unwrap())).unwrap();
    assert_eq!(best.node, mesh.ends[3]);
}

#[test]
fn edges_of_a_blamed_node_are_discarded_before_the_next() {
    let mut mesh = Mesh::new(20, 1);
    mesh.lose(|from, to| [4, 9].contains(&from) || [4, 9].contains(&to), 0.01);
    mesh.lose(|from, to| from == 4 || to == 4, 0.02);
    let mut blamed = mesh.blamed();
    blamed.sort();
    assert_eq!(blamed, [Culprit::Node(mesh.ends[4]), Culprit::Node(mesh.ends[9])]);
}

#[test]
fn a_lossy_path_between_zones_blames_no_node() {
    let mut mesh = Mesh::new(18, 3);
    mesh.lose(|from, to| (from / 6, to / 6) == (0, 1) || (from / 6, to / 6) == (1, 0), 0.005);
    let [Culprit::ZonePair(a, b)] = mesh.blamed()[..] else { panic!("{:?}", mesh.judge().findings) };
    assert_eq!((mesh.fleet.zone_name(a), mesh.fleet.zone_name(b)), ("zone-0", "zone-1"));
}

#[test]
fn one_lossy_path_is_a_pair() {
    let mut mesh = Mesh::new(12, 3);
    mesh.lose(|from, to| (from, to) == (7, 2), 0.02);
    assert_eq!(mesh.blamed(), [Culprit::Pair(mesh.ends[2], mesh.ends[7])]);
}

#[test]
fn a_node_without_an_agent_is_judged_by_its_peers() {
    let mut mesh = Mesh::new(12, 3);
    mesh.keep(|from, _| from != 3);
    mesh.fleet.ends[3].heard = false;
    mesh.lose(|_, to| to == 3, 0.01);
    // Its outgoing traffic is unknown: no direction.
    assert_eq!(mesh.blamed(), [Culprit::Node(mesh.ends[3])]);
    assert!(!mesh.judge().blamed().next().unwrap().evidence.heard);
}

#[test]
fn what_all_nodes_lose_to_is_outside() {
    let mut mesh = Mesh::new(12, 3);
    let outside = mesh.fleet.external("203.0.113.7");
    for from in 0..12 {
        let edge = Edge { to: outside, episodes: 100, lossy_flows: 5, ..mesh.normal(from, 0) };
        mesh.fleet.push(edge);
    }
    assert_eq!(mesh.blamed(), [Culprit::External(outside)]);
}

#[test]
fn one_pods_losses_blame_the_pod_and_not_its_node() {
    let mut mesh = Mesh::new(8, 1);
    let (sick, sound) = (mesh.fleet.pod("shop/sick"), mesh.fleet.pod("shop/sound"));
    for to in 1..8 {
        let edge = mesh.normal(0, to);
        mesh.fleet.push(Edge { from_pod: Some(sound), ..edge });
        mesh.fleet.push(Edge { from_pod: Some(sick), episodes: 100, lossy_flows: 5, ..edge });
    }
    assert_eq!(mesh.blamed(), [Culprit::Pod(sick)]);
}

#[test]
fn blame_is_named_from_the_viewers_node() {
    let mut mesh = Mesh::new(12, 3);
    mesh.lose(|_, to| to == 3, 0.01);
    let findings = mesh.judge().findings;
    let kind = |own: Option<usize>| findings[0].blame(&mesh.fleet, own.map(|own| mesh.ends[own])).kind;
    use crate::api::BlameKind;
    assert_eq!([kind(None), kind(Some(3)), kind(Some(1))], [BlameKind::Node, BlameKind::Node, BlameKind::PeerNode]);
    assert_eq!(findings[0].blame(&mesh.fleet, None).name, "node-3");
}

#[test]
fn an_agents_own_edges_suffice_to_tell_itself_from_a_peer() {
    let mut mesh = Mesh::new(12, 3);
    mesh.keep(|from, _| from == 0);
    mesh.lose(|_, _| true, 0.01);
    assert_eq!(mesh.blamed(), [Culprit::Node(mesh.ends[0])]);

    let mut mesh = Mesh::new(12, 3);
    mesh.keep(|from, _| from == 0);
    mesh.lose(|_, to| to == 5, 0.02);
    // From here the peer and the path to it look alike.
    let [Finding::Ambiguous(both)] = &mesh.judge().findings[..] else { panic!("{:?}", mesh.judge().findings) };
    let culprits: Vec<Culprit> = both.iter().map(|verdict| verdict.culprit).collect();
    assert_eq!(culprits, [Culprit::Pair(mesh.ends[0], mesh.ends[5]), Culprit::Node(mesh.ends[5])]);
}

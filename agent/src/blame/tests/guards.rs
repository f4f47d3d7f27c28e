//! Each guard keeps somebody from being blamed wrongly.

use super::*;

/// Without the guard the same fleet would blame a Node.
fn names_a_node(verdicts: &Verdicts) -> bool {
    verdicts.blamed().any(|verdict| verdict.culprit.node().is_some())
}

#[test]
fn two_bad_peers_do_not_convict_a_node() {
    let mut mesh = Mesh::new(12, 1);
    // Node 0 talks to two others only.
    mesh.keep(|from, to| (from != 0 && to != 0) || from + to <= 2);
    mesh.lose(|from, to| from == 0 || to == 0, 0.03);
    // Two peers could only ever convict below the usual threshold.
    let strict = Parameters { threshold: 2.0, ..Parameters::default() };
    let verdicts = judge(&mesh.fleet, &strict);
    assert!(!names_a_node(&verdicts), "{:?}", verdicts.findings);
    assert!(names_a_node(&judge(&mesh.fleet, &Parameters { min_bad: 1, ..strict })));
}

#[test]
fn a_minority_of_bad_peers_does_not_convict_a_node() {
    let mut mesh = Mesh::new(40, 1);
    mesh.lose(|from, to| (from == 0 && to <= 10) || (to == 0 && from <= 10), 0.03);
    let strict = mesh.judge();
    assert!(!names_a_node(&strict), "{:?}", strict.findings);
    let loose = Parameters { min_bad_share: 0.1, partial_prior: 0.0, ..Parameters::default() };
    assert!(names_a_node(&judge(&mesh.fleet, &loose)));
}

#[test]
fn a_partial_fault_needs_more_evidence() {
    let mut mesh = Mesh::new(20, 1);
    // 9 of 19 peers.
    mesh.lose(|from, to| from == 0 && to <= 9, 0.005);
    assert!(names_a_node(&mesh.judge()));
    let strict = Parameters { partial_prior: 50.0, ..Parameters::default() };
    assert!(!names_a_node(&judge(&mesh.fleet, &strict)));
}

#[test]
fn a_verdict_survives_without_its_worst_peer() {
    let mut mesh = Mesh::new(6, 1);
    mesh.keep(|from, to| from == 0 || to != 0);
    // Three peers at the limit each, and not enough without any of them.
    mesh.change(|from, to| from == 0 && to <= 3, |edge| edge.episodes = 200);
    let parameters = Parameters { threshold: 7.0, ..Parameters::default() };
    let verdicts = judge(&mesh.fleet, &parameters);
    assert!(!names_a_node(&verdicts), "{:?}", verdicts.findings);
    let undecided =
        verdicts.findings.iter().any(|finding| matches!(finding, Finding::Insufficient(_, Missing::OnePeer)));
    assert!(undecided, "{:?}", verdicts.findings);
    // A fourth does.
    mesh.change(|from, to| from == 0 && to <= 4, |edge| edge.episodes = 200);
    assert!(names_a_node(&judge(&mesh.fleet, &parameters)));
}

#[test]
fn one_wild_edge_does_not_convict_its_nodes() {
    let mut mesh = Mesh::new(12, 3);
    mesh.change(
        |from, to| (from, to) == (0, 1),
        |edge| {
            edge.episodes = 1000;
            edge.lossy_flows = 1;
        },
    );
    let verdicts = mesh.judge();
    let [Finding::Insufficient(verdict, Missing::Breadth)] = &verdicts.findings[..] else {
        panic!("one conversation is no pair either: {:?}", verdicts.findings)
    };
    assert_eq!(verdict.culprit, Culprit::Pair(mesh.ends[0], mesh.ends[1]));
}

#[test]
fn bursts_are_no_fault() {
    let mut mesh = Mesh::new(12, 1);
    // Six times the usual on five of eleven edges: rates of real edges vary as much.
    mesh.change(|from, to| from == 0 && to <= 5, |edge| edge.episodes = 12);
    assert!(!names_a_node(&mesh.judge()), "{:?}", mesh.judge().findings);
    // As independent events the same counts would be a fault.
    let tiny = 1e-3;
    let poisson = Parameters { min_dispersion: tiny, default_dispersion: tiny, ..without_load() };
    assert!(names_a_node(&judge(&mesh.fleet, &poisson)));
}

#[test]
fn bursts_are_measured_on_busy_edges() {
    let mut mesh = Mesh::new(12, 1);
    let spread = [0.1_f32, 0.3, 0.5, 0.7, 1.0, 1.4, 2.0, 3.0];
    mesh.change(
        |_, _| true,
        |edge| {
            let rank = (edge.from.index() * 5 + edge.to.index() * 3) % spread.len();
            (edge.segments, edge.baseline) = (100_000, Some(1e-3));
            edge.episodes = (100.0 * spread[rank]) as u32;
        },
    );
    let measured = mesh.judge().dispersion;
    assert!((0.5..2.0).contains(&measured), "{measured}");
    mesh.change(|_, _| true, |edge| edge.episodes = 100);
    assert_eq!(mesh.judge().dispersion, Parameters::default().min_dispersion);
    mesh.change(|_, _| true, |edge| edge.segments = 10);
    assert_eq!(mesh.judge().dispersion, Parameters::default().default_dispersion, "nothing is busy");
}

/// No allowance for the load of a component.
fn without_load() -> Parameters {
    Parameters { common_deviation: 0.01, ..Parameters::default() }
}

#[test]
fn a_busy_time_of_all_edges_blames_nobody() {
    let mut mesh = Mesh::new(30, 3);
    mesh.change(|_, _| true, |edge| edge.episodes *= 3);
    assert_eq!(mesh.judge().findings, []);
    assert_ne!(judge(&mesh.fleet, &without_load()).findings, []);
}

#[test]
fn lossy_edges_that_double_blame_nobody() {
    let mut mesh = Mesh::new(30, 3);
    mesh.change(|_, _| true, |edge| (edge.baseline, edge.episodes) = (Some(2e-3), 40));
    assert_eq!(judge(&mesh.fleet, &without_load()).findings, []);
    let no_growth = Parameters { min_growth: 0.0, ..without_load() };
    assert_ne!(judge(&mesh.fleet, &no_growth).findings, []);
}

#[test]
fn a_pair_whose_ends_have_no_other_peers_is_ambiguous() {
    let mut mesh = Mesh::new(12, 1);
    // Node 0 talks to node 1 only.
    mesh.keep(|from, to| (from != 0 && to != 0) || from + to == 1);
    mesh.lose(|from, to| from + to == 1, 0.03);
    let verdicts = mesh.judge();
    let [Finding::Ambiguous(both)] = &verdicts.findings[..] else { panic!("{:?}", verdicts.findings) };
    let culprits: Vec<Culprit> = both.iter().map(|verdict| verdict.culprit).collect();
    assert_eq!(culprits, [Culprit::Pair(mesh.ends[0], mesh.ends[1]), Culprit::Node(mesh.ends[0])]);
    let blame = verdicts.findings[0].blame(&mesh.fleet, None);
    assert_eq!(blame.other_names(), ["node-0↔node-1", "node-0"]);
}

#[test]
fn a_zone_of_one_node_is_ambiguous_with_it() {
    let mut mesh = Mesh::new(8, 1);
    // Node 8 is alone in its zone, and the other zone's only peer.
    let lone = mesh.fleet.node("node-8", Some("zone-1"));
    mesh.ends.push(lone);
    mesh.fleet.set_heard(lone);
    for peer in 0..8 {
        for (from, to) in [(8, peer), (peer, 8)] {
            let edge = mesh.normal(from, to);
            mesh.fleet.push(edge);
        }
    }
    mesh.lose(|from, to| from == 8 || to == 8, 0.02);
    let verdicts = mesh.judge();
    let [Finding::Ambiguous(both)] = &verdicts.findings[..] else { panic!("{:?}", verdicts.findings) };
    let culprits: Vec<Culprit> = both.iter().map(|verdict| verdict.culprit).collect();
    let zones = ["zone-0", "zone-1"].map(|name| mesh.fleet.zone_named(name).unwrap());
    assert_eq!(culprits, [Culprit::Node(lone), Culprit::ZonePair(zones[0], zones[1])]);
    // Another Node there that the first zone reaches cleanly acquits the path between them.
    let clean = mesh.fleet.node("node-9", Some("zone-1"));
    mesh.ends.push(clean);
    for peer in 0..8 {
        for (from, to) in [(9, peer), (peer, 9)] {
            let edge = mesh.normal(from, to);
            mesh.fleet.push(edge);
        }
    }
    assert_eq!(mesh.blamed(), [Culprit::Node(lone)]);
}

#[test]
fn a_node_with_one_pod_is_ambiguous_with_it() {
    let mut mesh = Mesh::new(8, 1);
    let pod = mesh.fleet.pod("shop/only");
    for other in 1..8 {
        mesh.fleet.pod(&format!("shop/other-{other}"));
    }
    mesh.keep(|from, _| from != 0);
    for to in 1..8 {
        let edge = mesh.normal(0, to);
        mesh.fleet.push(Edge { from_pod: Some(pod), episodes: 100, ..edge });
    }
    mesh.keep(|_, to| to != 0);
    let verdicts = mesh.judge();
    let [Finding::Ambiguous(both)] = &verdicts.findings[..] else { panic!("{:?}", verdicts.findings) };
    let mut culprits: Vec<Culprit> = both.iter().map(|verdict| verdict.culprit).collect();
    culprits.sort();
    assert_eq!(culprits, [Culprit::Node(mesh.ends[0]), Culprit::Pod(pod)]);
}

#[test]
fn sparse_traffic_is_no_verdict() {
    let mut mesh = Mesh::new(12, 1);
    // Every packet of node 0 is lost, but there are next to none.
    mesh.change(
        |from, to| from == 0 || to == 0,
        |edge| {
            (edge.segments, edge.episodes) = (2, 0);
        },
    );
    mesh.change(|from, to| from == 0 && to <= 2, |edge| edge.episodes = 2);
    assert!(!names_a_node(&mesh.judge()));
}

#[test]
fn an_empty_fleet_has_no_findings() {
    assert_eq!(judge(&Fleet::new(), &Parameters::default()).findings, []);
}

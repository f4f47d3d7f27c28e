use super::*;
use netwhy_agent::blame::Edge;

/// Five Nodes of which the third loses.
fn fleet() -> (Fleet, EndId) {
    let mut fleet = Fleet::new();
    let ends: Vec<EndId> = (0..5).map(|i| fleet.node(&i.to_string(), None)).collect();
    for from in 0..5 {
        for to in (0..5).filter(|to| *to != from) {
            let bad = from == 2 || to == 2;
            let episodes = if bad { 50 } else { (from + to) as u32 % 3 };
            let edge = Edge::new(ends[from], ends[to], 10_000, episodes);
            fleet.push(Edge { lossy_flows: u32::from(bad) * 3, baseline: Some(1e-4), ..edge });
        }
    }
    (fleet, ends[2])
}

#[test]
fn both_name_the_node_of_a_plain_case() {
    let (fleet, bad) = fleet();
    assert_eq!(voting(&fleet, 5, 0.2), [Culprit::Node(bad)]);
    assert_eq!(robust_z(&fleet, 5, 6.0), [Culprit::Node(bad)]);
}

#[test]
fn limits_out_of_reach_name_nobody() {
    let (fleet, _) = fleet();
    assert_eq!(voting(&fleet, 5, 0.9), []);
    assert_eq!(robust_z(&fleet, 5, 1e6), []);
}

#[test]
fn robust_z_names_the_worst_first() {
    let mut fleet = Fleet::new();
    let ends: Vec<EndId> = (0..5).map(|i| fleet.node(&i.to_string(), None)).collect();
    for from in 0..5 {
        for to in (0..5).filter(|to| *to != from) {
            let episodes = match (from, to) {
                (4, _) | (_, 4) => 50,
                (1, _) | (_, 1) => 20,
                _ => 0,
            };
            fleet.push(Edge { baseline: Some(0.0), ..Edge::new(ends[from], ends[to], 10_000, episodes) });
        }
    }
    assert_eq!(robust_z(&fleet, 5, 6.0), [Culprit::Node(ends[4]), Culprit::Node(ends[1])]);
}

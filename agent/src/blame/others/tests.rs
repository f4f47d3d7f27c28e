use super::{super::fleet::MinRtt, *};

/// Nodes a, b and four more. `bad`: pairs (from, to) that lose 3 %.
fn fleet(bad: &[(usize, usize)]) -> (Fleet, Vec<EndId>) {
    let mut fleet = Fleet::new();
    let ends: Vec<EndId> = (0..6).map(|i| fleet.node(&format!("node-{i}"), None)).collect();
    for from in 0..6 {
        for to in (0..6).filter(|to| *to != from) {
            let episodes = if bad.contains(&(from, to)) { 60 } else { 0 };
            fleet.push(Edge { baseline: Some(1e-4), ..Edge::new(ends[from], ends[to], 2000, episodes) });
        }
    }
    (fleet, ends)
}

/// Log odds of (peer's Node, pair) from the view of node-0 towards node-1.
fn nats(bad: &[(usize, usize)]) -> [f64; 2] {
    let (fleet, ends) = fleet(bad);
    let suspects = [Culprit::Node(ends[1]), Culprit::Pair(ends[0], ends[1])];
    let others = Others::new(&fleet, ends[0], Symptom::Loss, &suspects);
    suspects.map(|culprit| others.nats(culprit))
}

#[test]
fn other_nodes_that_lose_towards_the_peer_convict_it() {
    let [node, pair] = nats(&[(0, 1), (2, 1), (3, 1), (4, 1), (5, 1)]);
    assert!(node > 15.0, "{node}");
    // The peer's own rows towards the asker are clean, and show the way back alone.
    assert!(pair.abs() < 1e-9, "{pair}");
}

#[test]
fn other_nodes_that_reach_the_peer_cleanly_acquit_it() {
    let [node, pair] = nats(&[(0, 1), (1, 0)]);
    assert!(node < 1.0, "{node}");
    assert!(pair > node + 4.0, "{pair} {node}");
}

/// Node-0 loses what it sends. Others' traffic to it shows the way in alone, whether its Node or its Pod is at fault.
#[test]
fn clean_rows_to_an_own_end_leave_the_way_out_of_it() {
    let (mut fleet, ends) = fleet(&[(0, 1), (0, 2), (0, 3)]);
    let pod = fleet.pod("shop/web-1");
    fleet.edges_mut().iter_mut().filter(|edge| edge.to == ends[0]).for_each(|edge| edge.to_pod = Some(pod));
    let suspects = [Culprit::Node(ends[0]), Culprit::Pod(pod)];
    let others = || Others::new(&fleet, ends[0], Symptom::Loss, &suspects);
    let own = suspects.map(|culprit| others().about(pod).nats(culprit));
    assert!(own.iter().all(|nats| nats.abs() < 1e-9), "{own:?}");
    // Another agent's traffic to the Pod goes in.
    assert!(others().nats(suspects[1]) < -2.0);
}

/// The peer's own losses show the way back alone.
#[test]
fn a_path_that_loses_one_way_is_not_acquitted_by_the_way_back() {
    let [node, pair] = nats(&[(0, 1)]);
    assert!(pair.abs() < 1e-9 && node < pair - 1.0, "{node} {pair}");
}

/// Two Nodes in each of two zones. What leaves the first zone loses, and nothing comes back damaged.
#[test]
fn a_path_between_zones_that_loses_one_way_is_found() {
    let mut fleet = Fleet::new();
    let ends: Vec<EndId> =
        (0..4).map(|at| fleet.node(&format!("node-{at}"), Some(if at < 2 { "z1" } else { "z2" }))).collect();
    for (from, to) in (0..4).flat_map(|from| (0..4).map(move |to| (from, to))).filter(|(from, to)| from != to) {
        let episodes = if from < 2 && to >= 2 { 60 } else { 0 };
        fleet.push(Edge { baseline: Some(1e-4), ..Edge::new(ends[from], ends[to], 2000, episodes) });
    }
    let zones = ["z1", "z2"].map(|name| fleet.zone_named(name).unwrap());
    let path = Culprit::ZonePair(zones[0], zones[1]);
    let nats = Others::new(&fleet, ends[0], Symptom::Loss, &[path]).nats(path);
    assert!(nats > 7.0, "{nats}");
}

#[test]
fn without_rows_of_others_nothing_changes() {
    let (all, ends) = fleet(&[(0, 1)]);
    let mut own = Fleet::new();
    for end in &all.ends {
        own.node(&end.name, None);
    }
    all.edges().iter().filter(|edge| edge.from == ends[0]).for_each(|edge| own.push(*edge));
    let others = Others::new(&own, ends[0], Symptom::Loss, &[Culprit::Node(ends[1])]);
    assert_eq!(others.nats(Culprit::Node(ends[1])), 0.0);
}

#[test]
fn longer_paths_of_others_count_too() {
    let (mut fleet, ends) = fleet(&[]);
    for edge in fleet.edges_mut() {
        let now_us = if [edge.from, edge.to].contains(&ends[1]) { 15_100 } else { 100 };
        edge.min_rtt = Some(MinRtt { now_us, usual_us: 100 });
    }
    let suspects = [Culprit::Node(ends[1]), Culprit::Pair(ends[0], ends[1])];
    let others = Others::new(&fleet, ends[0], Symptom::Latency, &suspects);
    let [node, pair] = suspects.map(|culprit| others.nats(culprit));
    assert!(node > 8.0 && node > pair + 8.0, "{node} {pair}");
}

/// A round trip passes a Node both ways: short ones to it count as much as short ones from it.
#[test]
fn short_round_trips_one_way_acquit_a_node() {
    let (mut fleet, ends) = fleet(&[]);
    for edge in fleet.edges_mut() {
        let now_us = if edge.from == ends[1] { 15_100 } else { 100 };
        edge.min_rtt = Some(MinRtt { now_us, usual_us: 100 });
    }
    let node = Culprit::Node(ends[1]);
    let nats = Others::new(&fleet, ends[0], Symptom::Latency, &[node]).nats(node);
    let out = Culprit::NodeOut(ends[1]);
    let of_one_way = Others::new(&fleet, ends[0], Symptom::Latency, &[out]).nats(out);
    assert!(nats < of_one_way - 5.0, "{nats} {of_one_way}");
}

/// Node-2's way to node-1 became so much longer, µs. `is_proven`: nothing but a longer path makes it so.
fn nats_of_rise(delay_us: f64, rise_us: u32, (usual_us, is_proven): (u32, bool)) -> f64 {
    let mut fleet = Fleet::new();
    let ends: Vec<EndId> = (0..3).map(|i| fleet.node(&format!("node-{i}"), None)).collect();
    let rtt = Some(MinRtt { now_us: usual_us + rise_us, usual_us });
    let (min_rtt, rise) = if is_proven { (rtt, None) } else { (None, rtt) };
    fleet.push(Edge { min_rtt, rise, ..Edge::new(ends[2], ends[1], 2000, 0) });
    let node = Culprit::Node(ends[1]);
    Others::of_delay(&fleet, ends[0], delay_us, &[node]).nats(node)
}

#[test]
fn a_rise_that_nothing_proves_supports_a_delay_of_its_size_alone() {
    let unproven = |rise_us| nats_of_rise(4600.0, rise_us, (200, false));
    let proven = nats_of_rise(4600.0, 4400, (200, true));
    assert!((1.5..proven).contains(&unproven(4400)), "{} {proven}", unproven(4400));
    assert_eq!([unproven(20_000), unproven(2000)], [0.0; 2]);
    assert!(unproven(900) < -1.0, "it has not this delay");
}

/// A delay adds itself to every round trip, however long they are.
#[test]
fn a_far_shorter_rise_acquits_and_a_part_of_it_says_nothing() {
    let proven = |rise_us, usual_us| nats_of_rise(40_000.0, rise_us, (usual_us, true));
    assert!(proven(2000, 200) < -1.0);
    assert_eq!(proven(12_000, 200), 0.0);
    assert!(proven(38_000, 200) > 2.0);
    // Less than half of what is usual, and yet all of the delay.
    assert_eq!(proven(38_000, 100_000), 0.0);
}

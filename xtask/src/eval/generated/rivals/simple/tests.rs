use super::*;
use crate::eval::generated::draw::draw;
use serde_json::{Value, json};

fn row(from: &str, to: Option<&str>, episodes: u64) -> Value {
    let lossy = if episodes > 0 { 3 } else { 0 };
    json!({
        "node": from, "peer_node": to, "peer": to.is_none().then_some("10.9.9.9"), "class": "same_zone",
        "edges": 3, "sending_edges": 3, "lossy_edges": lossy, "subjects": 1, "window_seconds": 10.0,
        "rtt_samples": 0, "rtt_p50_seconds": null, "rtt_p99_seconds": null, "min_rtt_seconds": null,
        "segments_sent": 10_000, "loss_episodes": episodes, "loss_baseline": 0.0001,
        "retransmitted_segments": episodes, "connects": 0, "connect_failures": 0,
    })
}

fn told(rows: &[Value]) -> Simple {
    let rows: Vec<PeerRow> = rows.iter().map(|row| serde_json::from_value(row.clone()).unwrap()).collect();
    Simple::of(&rows, &draw(1, 0))
}

fn nodes() -> Vec<String> {
    draw(1, 0).topology.nodes.into_iter().take(3).map(|node| node.name).collect()
}

#[test]
fn both_name_the_node_whose_paths_all_lose() {
    let names = nodes();
    let mut rows = Vec::new();
    for from in &names {
        for to in names.iter().filter(|to| *to != from) {
            let is_bad = *from == names[1] || *to == names[1];
            rows.push(row(from, Some(to), if is_bad { 50 } else { 0 }));
        }
    }
    let told = told(&rows);
    let bad = Culprit::Node(names[1].clone());
    assert_eq!(told.voting, vec![bad.clone(); VOTES.len()]);
    assert_eq!(told.robust_z, vec![bad; DEVIATIONS.len()]);
}

#[test]
fn a_host_without_a_node_is_outside() {
    let names = nodes();
    let rows: Vec<Value> = names.iter().map(|from| row(from, None, 50)).collect();
    assert_eq!(told(&rows).voting[0], Culprit::External);
}

#[test]
fn without_rows_nobody_is_named() {
    let told = told(&[]);
    assert!(told.voting.iter().chain(&told.robust_z).all(|culprit| *culprit == Culprit::Nobody));
    assert_eq!((told.voting.len(), told.robust_z.len()), (VOTES.len(), DEVIATIONS.len()));
}

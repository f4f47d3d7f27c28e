use super::*;
use serde_json::json;

/// A series with these labels and one value per second from 100 on.
fn series(name: &str, labels: &[(&str, &str)], values: &[f64]) -> Value {
    let mut metric = json!({ "__name__": name, "job": "netwhy", "instance": "127.0.0.1:9", "node": "b" });
    for (label, value) in labels {
        metric[*label] = json!(value);
    }
    let pairs: Vec<Value> = (100..).zip(values).map(|(second, value)| json!([second, value.to_string()])).collect();
    json!({ "metric": metric, "values": pairs })
}

const POD: [(&str, &str); 3] = [("namespace", "shop/b"), ("pod", "web-b"), ("workload", "Unit/web-b")];

fn table(all: &[Value]) -> Vec<String> {
    let answer = json!({ "status": "success", "data": { "resultType": "matrix", "result": all } });
    csv(&read(&answer).unwrap(), 101..=102).lines().map(str::to_owned).collect()
}

#[test]
fn counters_become_growth_per_second_also_over_a_restart() {
    let lost =
        series("netwhy_tcp_loss_episodes_total", &[&POD[..], &[("peer", "same_zone")]].concat(), &[5.0, 7.0, 3.0]);
    assert_eq!(table(&[lost]), ["time,pod-web-b_tcp-loss-episodes-same-zone", "101,2", "102,3"]);
}

#[test]
fn histograms_become_the_mean_of_each_second_and_a_second_without_events_has_none() {
    let labels = [&POD[..], &[("role", "client")]].concat();
    let sum = series("netwhy_tcp_response_seconds_sum", &labels, &[1.0, 3.0, 3.0]);
    let count = series("netwhy_tcp_response_seconds_count", &labels, &[10.0, 14.0, 14.0]);
    let bucket = series("netwhy_tcp_response_seconds_bucket", &labels, &[10.0, 14.0, 14.0]);
    let expected = [
        "time,pod-web-b_latency-tcp-response-seconds-client,pod-web-b_tcp-response-seconds-count-client",
        "101,0.5,4",
        "102,,0",
    ];
    assert_eq!(table(&[sum, count, bucket]), expected);
}

#[test]
fn a_series_that_begins_later_has_empty_cells_before() {
    let late = json!({
        "metric": { "__name__": "netwhy_tcp_unanswered_requests", "node": "b", "pod": "web-b", "role": "client" },
        "values": [[102, "3"]],
    });
    assert_eq!(table(&[late]), ["time,pod-web-b_error-tcp-unanswered-requests-client", "101,", "102,3"]);
}

#[test]
fn both_ends_of_a_pair_have_columns_of_the_same_entity() {
    let sent = |node: &str, peer: &str| {
        let labels = [("node", node), ("peer_node", peer)];
        series("netwhy_edge_segments_sent_total", &labels, &[0.0, 1.0, 2.0])
    };
    let header = table(&[sent("b", "a"), sent("a", "b"), sent("a", "~other")]).remove(0);
    assert_eq!(header, "time,pair-a↔b_edge-segments-sent-a,pair-a↔b_edge-segments-sent-b");
}

#[test]
fn rivals_get_neither_our_answers_nor_figures_of_the_agent() {
    let all = ["netwhy_hint", "netwhy_hints_total", "netwhy_hint_seconds_total", "netwhy_agent_edges", "up"];
    let all = all.map(|name| series(name, &[], &[1.0, 1.0, 1.0]));
    assert_eq!(table(&all), ["time", "101", "102"]);
    let cpus = series("netwhy_node_cpus", &[], &[2.0, 2.0, 2.0]);
    assert_eq!(table(&[cpus])[0], "time,node-b_node-cpus");
}

#[test]
fn a_column_names_its_entity() {
    assert_eq!(culprit("pod-web-b_tcp-loss-episodes"), Culprit::Pod("web-b".into()));
    assert_eq!(culprit("node-b_node-cpus"), Culprit::Node("b".into()));
    assert_eq!(culprit("pair-a↔b_edge-connects-a"), Culprit::pair("b", "a"));
    for other in ["time", "", "pair-a_x", "web_cpu"] {
        assert_eq!(culprit(other), Culprit::Nobody, "{other}");
    }
}

#[test]
fn an_answer_without_a_result_is_refused() {
    assert!(read(&json!({ "status": "error" })).is_err());
}

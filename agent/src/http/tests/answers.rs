//! Answers of the paths.

use super::*;
use crate::{
    api::{EdgeRow, NodeRow, PeerRow, PodRow, ProbeState},
    metrics::{Format, check},
};

#[tokio::test]
async fn metrics_come_in_the_format_that_was_asked_for() {
    let server = Server::start().await;
    let asked = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
    let om = server.send("GET", "/metrics", asked).await;
    assert_eq!(om.header("content-type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    let samples = check::read(&om.body, Format::OpenMetrics);
    assert_eq!(samples["netwhy_agent_scrapes_total"], 0.0);
    assert!(!samples.contains_key("netwhy_agent_scrape_seconds"), "the first scrape has no predecessor");
    let plain = server.get("/metrics").await;
    assert_eq!(plain.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let samples = check::read(&plain.body, Format::Prometheus);
    assert_eq!(samples["netwhy_agent_scrapes_total"], 1.0);
    assert!(samples["netwhy_agent_scrape_seconds"] > 0.0);
    assert!(samples["netwhy_agent_view_age_seconds"] < 60.0);
}

#[tokio::test]
async fn metrics_come_as_protobuf_when_it_is_preferred() {
    let server = Server::start().await;
    let protobuf = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
    let answer = server.send("GET", "/metrics", &format!("{protobuf},text/plain;version=0.0.4;q=0.5")).await;
    let named = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";
    assert_eq!((answer.status, answer.header("content-type")), (200, Some(named)));
    assert_eq!(answer.header("vary"), Some("accept"));
    assert!(answer.body.contains("netwhy_tcp_rtt_seconds") && answer.body.contains("payment-1"));
    assert!(!answer.body.contains("# TYPE "));
    let answer = server.send("GET", "/metrics", &format!("{protobuf};q=0.4,text/plain;version=0.0.4;q=0.5")).await;
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    check::read(&answer.body, Format::Prometheus);
}

#[tokio::test]
async fn scrape_shows_the_view_that_was_published_last() {
    let server = Server::start().await;
    assert!(server.get("/metrics").await.body.contains("pod=\"payment-1\""));
    server.view.send(Arc::new(NodeView::default())).unwrap();
    assert!(!server.get("/metrics").await.body.contains("pod=\"payment-1\""));
}

#[tokio::test]
async fn health_is_200_or_503_with_the_reason() {
    let server = Server::start().await;
    for path in ["/livez", "/readyz"] {
        let answer = server.get(path).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "ok\n"), "{path}");
    }
    server.agent.send_modify(|agent| Arc::make_mut(agent).pods_complete = Some(false));
    let answer = server.get("/readyz").await;
    assert_eq!((answer.status, answer.body.as_str()), (503, "the Pod list is not complete yet\n"));
    assert_eq!(server.get("/livez").await.status, 200);
}

#[tokio::test]
async fn hints_are_filtered_by_namespace_pod_and_state() {
    let server = Server::start().await;
    let names = async |query: &str| -> Vec<String> {
        let hints = server.json(&format!("/api/v1/hints{query}")).await;
        hints.as_array().unwrap().iter().map(|h| h["subject"]["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("").await, ["payment-1", "cart-2"]);
    assert_eq!(names("?state=firing").await, ["payment-1"]);
    assert_eq!(names("?state=resolved&namespace=other").await, ["cart-2"]);
    assert_eq!(names("?namespace=&pod=payment-1&state=").await, ["payment-1"]);
    assert!(names("?pod=absent").await.is_empty());
}

#[tokio::test]
async fn bad_query_is_400_with_one_line_that_names_it() {
    let server = Server::start().await;
    let answer = server.get("/api/v1/hints?state=burning").await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.error(), "state must be firing or resolved, not \"burning\"");
    for path in ["/api/v1/hints?nmespace=x", "/api/v1/pods?state=firing", "/api/v1/edges?x=1"] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 400, "{path}");
        assert!(answer.error().contains("unknown field"), "{}", answer.body);
    }
}

#[tokio::test]
async fn texts_that_quote_a_client_or_a_server_are_cut() {
    let server = Server::start().await;
    let long = "x".repeat(8_000);
    for path in [format!("/{long}"), format!("/api/v1/hints?state={long}"), format!("/api/v1/pods?{long}=1")] {
        let answer = server.get(&path).await;
        assert!(answer.body.len() < 1_200 && answer.error().ends_with('…'), "{}", answer.body);
    }
    server.agent.send_modify(|agent| {
        let agent = Arc::make_mut(agent);
        agent.pods_complete = Some(false);
        agent.watches.iter_mut().for_each(|watch| watch.last_error = Some(long.clone()));
    });
    let health = server.get("/readyz").await;
    assert!(health.status == 503 && (4_000..4_200).contains(&health.body.len()), "{}", health.body.len());
}

#[tokio::test]
async fn unknown_path_is_404_and_wrong_method_405() {
    let server = Server::start().await;
    let answer = server.get("/api/v2/pods").await;
    assert_eq!((answer.status, answer.error().as_str()), (404, "no such path: /api/v2/pods"));
    let answer = server.send("POST", "/metrics", "*/*").await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET,HEAD")));
    answer.error();
    let head = server.send("HEAD", "/metrics", "*/*").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert!(server.get("/").await.body.contains("/api/v1/hints"));
}

#[tokio::test]
async fn pods_have_units_in_names_and_null_for_the_unknown() {
    let server = Server::start().await;
    let rows: Vec<PodRow> = serde_json::from_value(server.json("/api/v1/pods").await).unwrap();
    let [busy, idle] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!((busy.kind.as_str(), busy.name.as_str(), busy.node.as_str()), ("Pod", "payment-1", "node-a"));
    assert!(busy.alive);
    assert_eq!(busy.window.min_rtt_seconds, Some(0.000_06));
    assert_eq!(busy.window.limited.network, Some(0.75));
    assert_eq!(busy.window.cpu_throttled_share, Some(0.01));
    assert_eq!(busy.window.counts.retransmitted_segments["fast"], 10);
    assert_eq!(busy.totals.counts.connect_failures["other"], 12);
    assert_eq!(busy.totals.packet_drops["no_socket"], 3);
    assert_eq!(busy.window.packet_drops, Some([("no_socket".to_owned(), 2)].into()));
    assert_eq!(busy.window.probes, [("drops".to_owned(), ProbeState::Degraded)].into());
    let p50 = busy.window.rtt_p50_seconds.unwrap();
    assert!((p50 / 0.000_110 - 1.0).abs() < 0.1, "{p50}");
    assert!(busy.window.connect["client"].p99_seconds.is_none(), "no client handshake in the window");
    assert_eq!(idle.window.rtt_p50_seconds, None);
    let raw = server.json("/api/v1/pods?pod=idle-3").await;
    assert_eq!(raw.as_array().unwrap().len(), 1);
    assert_eq!(raw[0]["window"]["retransmit_ratio"], Value::Null);
    assert_eq!(raw[0]["window"]["min_rtt_seconds_by_peer"]["external"], Value::Null);
    assert_eq!(raw[0]["window"]["pressure"], Value::Null);
    assert_eq!(raw[0]["totals"]["oom_kills"], Value::Null);
}

#[tokio::test]
async fn edges_name_both_ends() {
    let server = Server::start().await;
    let rows: Vec<EdgeRow> = serde_json::from_value(server.json("/api/v1/edges").await).unwrap();
    let [edge] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!((edge.subject.name.as_str(), edge.subject.kind.as_str()), ("payment-1", "Pod"));
    assert_eq!((edge.peer.as_str(), edge.class.as_str()), ("10.0.0.9", "in_cluster"));
    assert_eq!((edge.segments_sent, edge.loss_episodes), (2000, 8));
    assert!(edge.rtt_p10_seconds <= edge.rtt_p50_seconds && edge.rtt_p50_seconds <= edge.rtt_p99_seconds);
}

#[tokio::test]
async fn edges_by_node_are_sums_and_answers_name_their_version() {
    let server = Server::start().await;
    let rows: Vec<PeerRow> = serde_json::from_value(server.json("/api/v1/edges?by=peer_node").await).unwrap();
    let [row] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!((row.node.as_str(), row.peer_node.as_deref(), row.edges), ("node-a", Some("node-b"), 1));
    assert_eq!((row.segments_sent, row.loss_episodes), (2000, 8));
    assert!(server.json("/api/v1/edges?by=peer_node&pod=absent").await.as_array().unwrap().is_empty());
    let rows = server.json("/api/v1/edges?by=peer_node&split=10.0.0.9,10.0.0.10").await;
    assert_eq!((rows.as_array().unwrap().len(), rows[0]["peer"].as_str()), (1, Some("10.0.0.9")));
    let answer = server.get("/api/v1/edges?by=peer_node&split=10.0.0.9,node-b").await;
    assert_eq!((answer.status, answer.error().as_str()), (400, "split must list addresses, not \"node-b\""));
    let answer = server.get("/api/v1/edges?by=zone").await;
    assert_eq!((answer.status, answer.error().as_str()), (400, "by must be peer_node, not \"zone\""));
    assert_eq!(answer.header("server"), Some(concat!("netwhy-agent/", env!("CARGO_PKG_VERSION"))));
}

#[tokio::test]
async fn node_and_info_answer_with_their_documented_shape() {
    let server = Server::start().await;
    let node: NodeRow = serde_json::from_value(server.json("/api/v1/node").await).unwrap();
    assert_eq!((node.packet_drops["no_socket"], node.kernel_events["no_cgroup"]), (11, 4));
    let states: Vec<&str> =
        ["devices", "ethtool", "ports", "qdiscs"].map(|group| node.signal_states[group].state.as_str()).into();
    assert_eq!(states, ["ok", "absent", "unsupported", "broken"]);
    assert!(node.signal_states["qdiscs"].why.as_ref().unwrap().contains("rtnetlink"));
    assert_eq!(node.devices[0].driver.as_deref(), Some("ixgbe"));
    let drops = node.signals.iter().find(|row| row.signal == "qdisc_drops").unwrap();
    assert_eq!((drops.on.as_deref(), drops.kind.as_str(), drops.unit.as_str()), (Some("eth0"), "counter", "packets"));
    assert_eq!(drops.per_second, drops.window.map(|n| n as f64 / 10.0));
    assert!(drops.baseline_per_second.is_some() && drops.value.is_none());
    assert!(node.signals.iter().any(|row| row.signal == "conntrack_limit" && row.value.is_some()));
    let info: AgentStats = serde_json::from_value(server.json("/api/v1/info").await).unwrap();
    assert_eq!((info.version.as_str(), info.probes.len()), ("0.1.0", 2));
    assert_eq!(server.json("/api/v1/info").await["probes"][1]["state"], "degraded");
}

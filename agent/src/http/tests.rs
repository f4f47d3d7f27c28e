use super::*;
use crate::config::Config;
use crate::{
    api::{ApiError, EdgeRow, NodeRow, PeerRow, PodRow},
    metrics::{Format, check, fixture},
};
use serde_json::Value;
use std::net::Ipv4Addr;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
};

/// A server on a loopback port, and the ends of its channels.
struct Server {
    addr: SocketAddr,
    view: watch::Sender<Arc<NodeView>>,
    agent: watch::Sender<Arc<AgentStats>>,
    _options: watch::Sender<MetricsOptions>,
    stop: oneshot::Sender<()>,
    done: JoinHandle<anyhow::Result<()>>,
}

impl Server {
    async fn start() -> Self {
        Self::start_within(Limits::default()).await
    }

    async fn start_within(limits: Limits) -> Self {
        let pods = vec![fixture::busy_pod("shop", "payment-1"), fixture::pod("shop", "idle-3")];
        let mut first = fixture::view(pods);
        first.at = monotonic_now();
        let mut resolved = fixture::hint("other", "cart-2", "peer_slow");
        resolved.state = crate::api::HintState::Resolved;
        first.hints.push(resolved);
        let (view, view_rx) = watch::channel(Arc::new(first));
        let (agent, agent_rx) = watch::channel(Arc::new(fixture::agent()));
        let (options, options_rx) = watch::channel(MetricsOptions::default());
        let listener = bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let addr = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let shared = Shared { view: view_rx, agent: agent_rx, options: options_rx };
        let done = tokio::spawn(serve(limits, listener, shared, async move { drop(stopped.await) }));
        Self { addr, view, agent, _options: options, stop, done }
    }

    async fn send(&self, method: &str, path: &str, accept: &str) -> Answer {
        let mut stream = TcpStream::connect(self.addr).await.unwrap();
        let request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        Answer::parse(&String::from_utf8(bytes).unwrap())
    }

    async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "*/*").await
    }

    async fn json(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")), "{}", answer.body);
        serde_json::from_str(&answer.body).unwrap()
    }
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head: head.to_owned(), body: body.to_owned() }
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().skip(1).filter_map(|l| l.split_once(": "));
        headers.find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v)
    }

    /// The one line of an error.
    fn error(&self) -> String {
        let error: ApiError = serde_json::from_str(&self.body).unwrap();
        assert!(!error.error.contains('\n'));
        error.error
    }
}

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

#[tokio::test]
async fn taken_port_is_one_line_with_the_remedy() {
    let first = bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let addr = first.local_addr().unwrap();
    let error = bind(addr).unwrap_err();
    assert!(matches!(error, BindError::Taken { .. }));
    let line = error.to_string();
    assert!(line.contains(&addr.to_string()) && line.contains("--listen") && !line.contains('\n'), "{line}");
    // Documentation range: no machine has it.
    let error = bind("192.0.2.1:9810".parse().unwrap()).unwrap_err();
    assert!(error.to_string().contains("192.0.2.1:9810"), "{error}");
}

#[tokio::test]
async fn stop_ends_idle_connections_and_frees_the_port() {
    let server = Server::start().await;
    let mut idle = TcpStream::connect(server.addr).await.unwrap();
    idle.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut first = [0; 15];
    idle.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    let Server { addr, stop, done, .. } = server;
    stop.send(()).unwrap();
    done.await.unwrap().unwrap();
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.unwrap();
    assert!(TcpStream::connect(addr).await.is_err());
}

#[tokio::test]
async fn half_a_request_is_dropped_after_the_read_timeout() {
    let limits = Limits { connections: 1, read: Duration::from_millis(50), ..Limits::default() };
    let server = Server::start_within(limits).await;
    let mut slow = TcpStream::connect(server.addr).await.unwrap();
    slow.write_all(b"GET /livez HT").await.unwrap();
    assert_eq!(server.get("/livez").await.status, 200, "served once the only connection was closed");
    let mut rest = Vec::new();
    slow.read_to_end(&mut rest).await.unwrap();
    assert!(!rest.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn connection_that_reached_its_age_is_ended() {
    let server = Server::start_within(Limits { age: Duration::from_millis(50), ..Limits::default() }).await;
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    stream.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await.unwrap();
    assert!(all.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_the_read_timeout() {
    let server = Server::start_within(Limits { read: Duration::from_millis(50), ..Limits::default() }).await;
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    stream.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut all = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut all)).await;
    read.expect("the server closes the connection").unwrap();
    assert!(all.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn a_body_that_never_ends_holds_no_connection() {
    let limits = Limits { connections: 1, read: Duration::from_millis(50), ..Limits::default() };
    let server = Server::start_within(limits).await;
    let mut slow = TcpStream::connect(server.addr).await.unwrap();
    slow.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf").await.unwrap();
    assert_eq!(server.get("/livez").await.status, 200, "served once the only connection was closed");
}

/// A server with these keys of the section `http`.
async fn configured(http: &str) -> Server {
    let config = Config::parse(&format!("http: {{{http}}}"), "test").unwrap();
    Server::start_within(Limits::from(&config.http)).await
}

#[tokio::test]
async fn max_connections_caps_open_connections() {
    for (max, is_served) in [(1, false), (2, true)] {
        let server = configured(&format!("max_connections: {max}, read_timeout_seconds: 300")).await;
        let open = TcpStream::connect(server.addr).await.unwrap();
        // The accept loop takes connections in their order.
        let second = tokio::time::timeout(Duration::from_millis(500), server.get("/livez")).await;
        assert_eq!(second.is_ok(), is_served, "max_connections {max}");
        drop(open);
        assert_eq!(server.get("/livez").await.status, 200);
    }
}

#[tokio::test]
async fn read_timeout_seconds_closes_a_silent_connection() {
    let server = configured("read_timeout_seconds: 1").await;
    let began = std::time::Instant::now();
    let mut silent = TcpStream::connect(server.addr).await.unwrap();
    let mut rest = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(8), silent.read_to_end(&mut rest)).await;
    read.expect("closed by the server, well before the default of 10 s").unwrap();
    assert!(began.elapsed() >= Duration::from_millis(900), "{:?}", began.elapsed());
}

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

mod api;

/// A server on a loopback port, and the ends of its channels.
pub(super) struct Server {
    pub(super) addr: SocketAddr,
    pub(super) view: watch::Sender<Arc<NodeView>>,
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
        Self::start_protected(limits, Protection::default()).await
    }

    pub(super) async fn start_protected(limits: Limits, protection: Protection) -> Self {
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
        let shared = Shared { view: view_rx, agent: agent_rx, options: options_rx, started: monotonic_now() };
        let stopped = async move { drop(stopped.await) };
        let done = tokio::spawn(serve(limits, (listener, ApiPlace::Main), shared, protection, stopped));
        Self { addr, view, agent, _options: options, stop, done }
    }

    /// Stops it and waits for its end.
    pub(super) async fn stop(self) {
        self.stop.send(()).unwrap();
        self.done.await.unwrap().unwrap();
    }

    async fn send(&self, method: &str, path: &str, accept: &str) -> Answer {
        send_to(self.addr, method, path, accept).await
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

async fn send_to(addr: SocketAddr, method: &str, path: &str, accept: &str) -> Answer {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let request =
        format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    Answer::parse(&String::from_utf8(bytes).unwrap())
}

async fn get_from(addr: SocketAddr, path: &str) -> Answer {
    send_to(addr, "GET", path, "*/*").await
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
    // A reset is an end too.
    let _ = slow.read_to_end(&mut rest).await;
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

/// True when the server has closed the connection.
pub(super) async fn is_closed(stream: &mut TcpStream) -> bool {
    let read = tokio::time::timeout(Duration::from_millis(500), stream.read(&mut [0; 1])).await;
    read.is_ok_and(|read| !read.is_ok_and(|count| count > 0))
}

#[tokio::test]
async fn a_connection_above_max_connections_closes_the_longest_idle_one() {
    for (keys, is_kept) in [
        ("max_connections: 1", false),
        ("max_connections: 2", true),
        ("max_connections_per_peer: 1", false),
        ("max_connections_per_peer: 2", true),
    ] {
        let server = configured(&format!("{keys}, read_timeout_seconds: 300")).await;
        let mut open = TcpStream::connect(server.addr).await.unwrap();
        assert_eq!(server.get("/livez").await.status, 200, "{keys}");
        assert_eq!(is_closed(&mut open).await, !is_kept, "{keys}");
    }
}

#[tokio::test]
async fn a_peer_with_many_connections_closes_none_of_another_peer() {
    let server = configured("max_connections: 8, max_connections_per_peer: 8, read_timeout_seconds: 300").await;
    let other = tokio::net::TcpSocket::new_v4().unwrap();
    other.bind((Ipv4Addr::new(127, 0, 0, 2), 0).into()).unwrap();
    let mut other = other.connect(server.addr).await.unwrap();
    let mut open = Vec::new();
    for _ in 0..40 {
        open.push(TcpStream::connect(server.addr).await.unwrap());
    }
    assert!(is_closed(&mut open[0]).await);
    other.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    other.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
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

#[tokio::test]
async fn headers_above_16_kb_are_refused() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    let head = format!("GET /livez HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(17 << 10));
    // The server may close before it has read everything.
    let _ = stream.write_all(head.as_bytes()).await;
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all).await;
    assert!(!all.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&all));
}

#[tokio::test]
async fn headers_that_arrive_too_slowly_are_cut() {
    let server = configured("read_timeout_seconds: 1").await;
    let mut slow = TcpStream::connect(server.addr).await.unwrap();
    let began = std::time::Instant::now();
    slow.write_all(b"GET /livez HTTP/1.1\r\n").await.unwrap();
    // Each line restarts no timeout.
    while slow.write_all(b"X: x\r\n").await.is_ok() {
        assert!(began.elapsed() < Duration::from_secs(5), "still open");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A client with a small receive buffer that pipelines scrapes and reads nothing.
async fn unread_scrapes(addr: SocketAddr) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(addr).await.unwrap();
    let _ = stream.write_all("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(12).as_bytes()).await;
    stream
}

/// A view whose scrape is far above the socket buffers.
pub(super) fn large_view() -> Arc<NodeView> {
    let mut view = fixture::view((0..200).map(|n| fixture::busy_pod("shop", &format!("payment-{n}"))).collect());
    view.at = monotonic_now();
    Arc::new(view)
}

#[tokio::test]
async fn a_client_that_does_not_read_its_response_is_cut() {
    let server = configured("write_timeout_seconds: 1").await;
    server.view.send_replace(large_view());
    let mut stream = unread_scrapes(server.addr).await;
    let began = std::time::Instant::now();
    // Reading would extend nothing, so the client only asks until the connection fails.
    while stream.write_all(b"GET").await.is_ok() {
        assert!(began.elapsed() < Duration::from_secs(8), "still open");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub(super) fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * rustix::param::page_size() as u64
}

#[tokio::test]
async fn unread_pipelined_scrapes_stay_within_the_memory_bound() {
    let keys = "max_connections: 128, max_connections_per_peer: 128, max_response_bytes: 1048576";
    let config = Config::parse(&format!("http: {{{keys}, write_timeout_seconds: 300}}"), "test").unwrap();
    let limits = Limits::from(&config.http);
    let server = Server::start_within(limits).await;
    server.view.send_replace(large_view());
    let scrape = server.get("/metrics").await.body.len() as u64;
    let before = resident();
    let mut clients = Vec::new();
    for _ in 0..128 {
        clients.push(unread_scrapes(server.addr).await);
        // A scrape of another view shares no bytes with those before.
        server.view.send_replace(large_view());
        tokio::time::timeout(Duration::from_secs(5), server.get("/livez")).await.expect("it answers meanwhile");
    }
    let growth = resident().saturating_sub(before);
    let bound = limits.memory_bound(scrape);
    assert!(128 * scrape > 2 * bound, "the test needs larger scrapes: {scrape} bytes, bound {bound}");
    assert!(growth <= bound, "{growth} bytes more, bound {bound}");
    assert_eq!(server.get("/metrics").await.status, 200, "clients that don't read make room");
}

#[tokio::test]
async fn probes_answer_whatever_clients_do() {
    let server = Server::start().await;
    let listener = bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let addr = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let options = server._options.subscribe();
    let (view, agent) = (server.view.subscribe(), server.agent.subscribe());
    let shared = Shared { view, agent, options, started: monotonic_now() };
    let probes = std::thread::spawn(move || serve_probes(listener, shared, async move { drop(stopped.await) }));
    let mut idle = Vec::new();
    for _ in 0..200 {
        idle.push(TcpStream::connect(server.addr).await.unwrap());
        idle.push(TcpStream::connect(addr).await.unwrap());
        for path in ["/livez", "/readyz"] {
            let answer = tokio::time::timeout(Duration::from_secs(1), get_from(addr, path)).await;
            assert_eq!(answer.expect("within the kubelet's second").status, 200);
        }
    }
    assert_eq!(get_from(addr, "/metrics").await.status, 404, "nothing but probes");
    stop.send(()).unwrap();
    tokio::task::spawn_blocking(|| probes.join().unwrap().unwrap()).await.unwrap();
}

#[tokio::test]
async fn the_probe_port_is_the_configured_one_or_9811_if_it_is_free() {
    let http = |text: &str| Config::parse(&format!("http: {{{text}}}"), "test").unwrap().http;
    assert_eq!(probe_address(&http("listen: 127.0.0.3:1")).to_string(), "127.0.0.3:9811");
    let taken = TcpListener::bind("127.0.0.3:9811").unwrap();
    assert!(bind_probes(&http("listen: 127.0.0.3:1")).unwrap().is_none());
    let error = bind_probes(&http("probe_listen: 127.0.0.3:9811")).unwrap_err().to_string();
    assert!(error.contains("127.0.0.3:9811") && error.contains("--probe-listen"), "{error}");
    drop(taken);
    assert!(bind_probes(&http("listen: 127.0.0.3:1")).unwrap().is_some());
}

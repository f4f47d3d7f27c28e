use super::*;
use crate::{api::ApiError, config::Config, metrics::fixture};
use serde_json::Value;
use std::net::Ipv4Addr;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
};

mod answers;
mod api;
mod life;
mod limits;
mod past;

/// Longest wait for what must come, also beside other tests on few CPUs.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

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
        Self::start_recorded(limits, protection, None).await
    }

    async fn start_recorded(limits: Limits, protection: Protection, past: Option<Past>) -> Self {
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
        let shared = Shared { view: view_rx, agent: agent_rx, options: options_rx, started: monotonic_now(), past };
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
    // Protobuf is no text; its strings are.
    Answer::parse(&String::from_utf8_lossy(&bytes))
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

/// True when the server has closed the connection.
pub(super) async fn is_closed(stream: &mut TcpStream) -> bool {
    let read = tokio::time::timeout(Duration::from_millis(500), stream.read(&mut [0; 1])).await;
    read.is_ok_and(|read| !read.is_ok_and(|count| count > 0))
}

/// A view whose scrape is far above the socket buffers.
pub(super) fn large_view() -> Arc<NodeView> {
    view_of(200)
}

/// A view of so many Pods with traffic.
fn view_of(pods: usize) -> Arc<NodeView> {
    let mut view = fixture::view((0..pods).map(|n| fixture::busy_pod("shop", &format!("payment-{n}"))).collect());
    view.at = monotonic_now();
    Arc::new(view)
}

/// Gives the C library the agent's settings. With its own, each thread keeps what its largest scrape took.
pub(super) fn keep_little() {
    #[cfg(feature = "ebpf")]
    crate::kernel::memory::keep_little();
}

/// Resident memory of this process, bytes, without what it has freed.
pub(super) fn resident() -> u64 {
    #[cfg(feature = "ebpf")]
    crate::kernel::memory::give_back();
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * rustix::param::page_size() as u64
}

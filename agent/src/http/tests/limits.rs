//! Limits of clients: connections, times, bytes.

use super::*;
use std::{future::Future, sync::mpsc::RecvTimeoutError};

/// A server with these keys of the section `http`.
async fn configured(http: &str) -> Server {
    let config = Config::parse(&format!("http: {{{http}}}"), "test").unwrap();
    Server::start_within(Limits::from(&config.http)).await
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

/// A client with a small receive buffer.
async fn narrow_client(addr: SocketAddr) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(addr).await.unwrap()
}

/// A client that pipelines scrapes and reads nothing.
async fn unread_scrapes(addr: SocketAddr) -> TcpStream {
    let mut stream = narrow_client(addr).await;
    let _ = stream.write_all("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(12).as_bytes()).await;
    stream
}

/// Waits for the first bytes of a 200 response, and leaves them unread.
async fn answer_begins(client: &TcpStream) {
    let mut begin = [0; 12];
    let peeked = tokio::time::timeout(PATIENCE, client.peek(&mut begin)).await;
    peeked.expect("an answer begins").unwrap();
    assert_eq!(String::from_utf8_lossy(&begin), "HTTP/1.1 200");
}

#[tokio::test]
async fn a_client_that_does_not_read_its_response_is_cut() {
    let server = configured("write_timeout_seconds: 1").await;
    server.view.send_replace(large_view());
    let mut stream = unread_scrapes(server.addr).await;
    // Encoding takes its time without optimisation.
    answer_begins(&stream).await;
    let began = std::time::Instant::now();
    // Reading would extend nothing, so the client only asks until the connection fails.
    while stream.write_all(b"GET").await.is_ok() {
        assert!(began.elapsed() < Duration::from_secs(8), "still open");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn unread_pipelined_scrapes_stay_within_the_memory_bound() {
    const CLIENTS: usize = 10;
    keep_little();
    let keys = "max_connections: 12, max_connections_per_peer: 12, max_response_bytes: 1048576";
    let config = Config::parse(&format!("http: {{{keys}, write_timeout_seconds: 300}}"), "test").unwrap();
    let limits = Limits::from(&config.http);
    let server = Server::start_within(limits).await;
    // A scrape of another view shares no bytes with the one before.
    let views = [large_view(), large_view()];
    server.view.send_replace(Arc::clone(&views[1]));
    let scrape = server.get("/metrics").await.body.len() as u64;
    let before = resident();
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        server.view.send_replace(Arc::clone(&views[number % 2]));
        let client = unread_scrapes(server.addr).await;
        tokio::time::timeout(PATIENCE, server.get("/livez")).await.expect("it answers meanwhile");
        // Sooner, the next client would get the same bytes. Clients that read nothing make room for this one.
        answer_begins(&client).await;
        clients.push(client);
    }
    let growth = resident().saturating_sub(before);
    // Nobody asks the API here.
    let bound = Limits { answer_bytes: 0, ..limits }.memory_bound(scrape);
    let unbounded = CLIENTS as u64 * scrape;
    assert!(unbounded > 2 * bound, "the test needs larger scrapes: {scrape} bytes, bound {bound}");
    assert!(growth <= bound, "{growth} bytes more, bound {bound}");
    assert_eq!(server.get("/metrics").await.status, 200, "clients that don't read make room");
}

/// Highest memory of this process while something runs, in steps of some ms.
async fn peak_during<T>(work: impl Future<Output = T>) -> (T, u64) {
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let measuring = std::thread::spawn(move || {
        let mut peak = 0;
        while stopped.recv_timeout(Duration::from_millis(20)).is_err_and(|e| e == RecvTimeoutError::Timeout) {
            peak = resident().max(peak);
        }
        peak
    });
    let done = work.await;
    drop(stop);
    (done, measuring.join().unwrap())
}

/// Asks for a path and reads nothing but the status.
async fn unread(addr: SocketAddr, path: &'static str) -> (TcpStream, String) {
    let mut client = narrow_client(addr).await;
    client.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).await.unwrap();
    let mut begin = [0; 12];
    let peeked = tokio::time::timeout(PATIENCE, client.peek(&mut begin)).await;
    peeked.expect("an answer begins").unwrap();
    (client, String::from_utf8_lossy(&begin).into_owned())
}

#[tokio::test]
async fn answers_of_the_api_that_wait_for_room_stay_within_the_memory_bound() {
    const CLIENTS: u64 = 40;
    keep_little();
    let keys = "max_connections: 44, max_connections_per_peer: 44, max_response_bytes: 1048576";
    let config = Config::parse(&format!("http: {{{keys}, write_timeout_seconds: 300}}"), "test").unwrap();
    let limits = Limits::from(&config.http);
    let server = Server::start_within(limits).await;
    server.view.send_replace(view_of(1_000));
    let answer = server.get("/api/v1/pods").await.body.len() as u64;
    let before = resident();
    let clients = async {
        let mut asking = tokio::task::JoinSet::new();
        for _ in 0..CLIENTS {
            asking.spawn(unread(server.addr, "/api/v1/pods"));
        }
        let mut kept = Vec::new();
        while let Some(client) = asking.join_next().await {
            kept.push(client.unwrap());
            // Probes wait for no room.
            assert_eq!(server.get("/livez").await.status, 200);
        }
        kept
    };
    let (clients, peak) = peak_during(clients).await;
    let is_answered = |status: &str| status == "HTTP/1.1 200" || status == "HTTP/1.1 503";
    assert!(clients.iter().all(|(_, status)| is_answered(status)), "{clients:?}");
    let (growth, bound) = (peak.saturating_sub(before), limits.memory_bound(0));
    assert!(CLIENTS * answer > 2 * bound, "the test needs longer answers: {answer} bytes, bound {bound}");
    assert!(growth <= bound, "{growth} bytes more, bound {bound}");
}

#[test]
fn the_bound_holds_an_answer_that_is_longer_than_the_budget() {
    let config = Config::parse("http: {max_response_bytes: 1048576}", "test").unwrap();
    let limits = Limits { connections: 0, ..Limits::from(&config.http) };
    assert_eq!(limits.memory_bound(0), 8 << 20);
    assert_eq!(limits.memory_bound(9 << 20), 18 << 20);
    let config = Config::parse("http: {max_response_bytes: 33554432}", "test").unwrap();
    assert_eq!(Limits { connections: 0, ..Limits::from(&config.http) }.memory_bound(1 << 20), 33 << 20);
}

//! Begin and end of the listeners, and the probes' own.

use super::*;

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
async fn probes_answer_whatever_clients_do() {
    let server = Server::start().await;
    let listener = bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let addr = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let options = server._options.subscribe();
    let (view, agent) = (server.view.subscribe(), server.agent.subscribe());
    let shared = Shared { view, agent, options, started: monotonic_now(), past: None };
    let probes = std::thread::spawn(move || serve_probes(listener, shared, async move { drop(stopped.await) }));
    let (mut idle, mut late) = (Vec::new(), 0);
    for _ in 0..200 {
        // An agent is not ready with an old view, and this may last longer than a view is new.
        server.view.send_modify(|view| Arc::make_mut(view).at = monotonic_now());
        idle.push(TcpStream::connect(server.addr).await.unwrap());
        idle.push(TcpStream::connect(addr).await.unwrap());
        for path in ["/livez", "/readyz"] {
            let began = std::time::Instant::now();
            let answer = tokio::time::timeout(PATIENCE, get_from(addr, path)).await;
            assert_eq!(answer.expect("an answer").status, 200);
            late += usize::from(began.elapsed() > Duration::from_secs(1));
        }
    }
    // If idle connections had to time out first, every eighth round would wait for two seconds.
    assert!(late < 10, "{late} of 400 answers took more than the kubelet's second");
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

//! Who gets answers of `/api/v1`.

use super::*;

/// A server on all addresses with the API on loopback: its own answers, and the API's address.
async fn with_own_api() -> (Server, SocketAddr) {
    let mut server = Server::start().await;
    let main = bind((Ipv4Addr::UNSPECIFIED, 0).into()).unwrap();
    let own = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    own.set_nonblocking(true).unwrap();
    server.addr = (Ipv4Addr::LOCALHOST, main.local_addr().unwrap().port()).into();
    let addr = own.local_addr().unwrap();
    let shared = Shared {
        view: server.view.subscribe(),
        agent: server.agent.subscribe(),
        options: server._options.subscribe(),
        started: monotonic_now(),
        past: None,
    };
    let (stop, stopped) = oneshot::channel::<()>();
    let stopped = async move { drop(stopped.await) };
    server.done =
        tokio::spawn(serve(Limits::default(), (main, ApiPlace::Loopback(own)), shared, Protection::default(), stopped));
    server.stop = stop;
    (server, addr)
}

#[tokio::test]
async fn the_main_listener_refuses_the_api_that_loopback_answers() {
    let (server, api) = with_own_api().await;
    for path in ["/api/v1/hints", "/api/v1/pods?namespace=shop", "/api/v1/info", "/api/v1/edges", "/api/v1/node"] {
        let refused = server.get(path).await;
        assert_eq!(refused.status, 421, "{path}");
        let error = refused.error();
        assert!(error.contains(&format!("127.0.0.1:{}", api.port())) && !error.contains("payment"), "{error}");
        assert_eq!(get_from(api, path).await.status, 200, "{path}");
    }
    for path in ["/metrics", "/livez", "/readyz", "/"] {
        assert_eq!(server.get(path).await.status, 200, "{path}");
    }
    assert_eq!(get_from(api, "/metrics").await.status, 404, "the API's listener has the API alone");
    // Both listeners report the same scrapes.
    let info: AgentStats = serde_json::from_str(&get_from(api, "/api/v1/info").await.body).unwrap();
    assert_eq!(info.scrape.count, 1);
    let Server { addr, stop, done, .. } = server;
    stop.send(()).unwrap();
    done.await.unwrap().unwrap();
    for addr in [addr, api] {
        assert!(TcpStream::connect(addr).await.is_err(), "{addr} is closed");
    }
}

#[tokio::test]
async fn a_name_that_dns_rebinds_to_loopback_gets_nothing() {
    let (server, api) = with_own_api().await;
    for (addr, path) in [(api, "/api/v1/hints"), (server.addr, "/metrics"), (server.addr, "/")] {
        // Browsers never send HTTP/1.0.
        for (host, version, status) in [
            ("evil.example", "1.1", 421),
            ("localhost", "1.1", 200),
            ("127.0.0.1:8080", "1.1", 200),
            ("a-script", "1.0", 200),
        ] {
            let mut stream = TcpStream::connect(addr).await.unwrap();
            let request = format!("GET {path} HTTP/{version}\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).await.unwrap();
            let answer = Answer::parse(&String::from_utf8(bytes).unwrap());
            assert_eq!(answer.status, status, "{host} {path}");
            assert!(status == 200 || !answer.body.contains("payment"), "{}", answer.body);
        }
    }
}

#[test]
fn the_api_has_a_listener_of_its_own_unless_the_main_one_may_answer() {
    let http = |text: &str| Config::parse(&format!("http: {{{text}}}"), "test").unwrap().http;
    for (keys, addr) in [
        ("", Some("127.0.0.1:9812")),
        ("api_port: 1234", Some("127.0.0.1:1234")),
        ("listen: '[::]:9810'", Some("127.0.0.1:9812")),
        ("listen: 127.0.0.1:9810", None),
        ("listen: '[::1]:9810'", None),
        ("api: proxy", None),
    ] {
        assert_eq!(api_address(&http(keys)).map(|addr| addr.to_string()).as_deref(), addr, "{keys}");
    }
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addr = taken.local_addr().unwrap();
    let place = ApiPlace::bind(&http(&format!("api_port: {}", addr.port()))).unwrap();
    assert!(matches!(place, ApiPlace::Taken(at) if at == addr), "{place:?}");
    let refusal = place.refusal().unwrap();
    assert!(refusal.contains("another process") && refusal.contains("http.api_port"), "{refusal}");
}

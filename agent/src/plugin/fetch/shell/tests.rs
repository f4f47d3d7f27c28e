use super::*;
use crate::{
    api::{Ended, Why},
    plugin::model::testing::{container, pod_info},
};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use std::{
    convert::Infallible,
    future::ready,
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

fn pod() -> PodInfo {
    let mut pod = pod_info("shop", "cart-1");
    let mut init = container("init", ContainerState::Ended(Ended::default()));
    init.kind = ContainerKind::Init;
    let waits = Why { reason: "CrashLoopBackOff".into(), message: String::new() };
    pod.containers.insert(0, init);
    pod.containers.push(container("proxy", ContainerState::Running { since_ms: None }));
    pod.containers.push(container("crashes", ContainerState::Waiting(waits)));
    pod
}

#[test]
fn the_container_is_the_named_the_default_or_the_first_one() {
    let chosen = |named, default| choose(&pod(), named, default).unwrap();
    assert_eq!(chosen(None, None), "app");
    assert_eq!(chosen(None, Some("proxy")), "proxy");
    assert_eq!(chosen(None, Some("gone")), "app");
    assert_eq!(chosen(Some("proxy"), Some("app")), "proxy");
}

#[test]
fn a_container_that_does_not_run_is_refused_with_its_state() {
    let error = |named| choose(&pod(), Some(named), None).unwrap_err().to_string();
    assert!(error("crashes").starts_with("container crashes of Pod shop/cart-1 waits: CrashLoopBackOff; see "));
    assert!(error("init").contains("has ended"));
    assert_eq!(error("x"), "Pod shop/cart-1 has no container \"x\"; it has: init, app, proxy, crashes");
    let none = PodInfo { containers: vec![], ..pod() };
    assert!(choose(&none, None, None).is_err());
}

#[test]
fn minor_versions_are_read_as_providers_write_them() {
    assert_eq!(["20", "29+", "30-gke.1", "", "x"].map(minor), [20, 29, 30, u32::MAX, u32::MAX]);
}

fn session(client: Client) -> Session {
    let args = ["kubectl-netwhy", "shell", "cart-1"].map(std::ffi::OsString::from);
    Session {
        context: None,
        namespace: None,
        connection: Connection::Cluster(client),
        global: Arc::new(crate::plugin::cli::parse(&args).unwrap().global),
        at: None,
        changes: Default::default(),
    }
}

/// A session with an API server that answers every request so, and the protocols that were offered to it.
fn answering(status: u16, body: &'static str) -> (Session, Arc<Mutex<Vec<String>>>) {
    let offers = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&offers);
    let service = service_fn(move |request: hyper::Request<Body>| {
        if let Some(offer) = request.headers().get(SEC_WEBSOCKET_PROTOCOL) {
            seen.lock().unwrap().push(offer.to_str().unwrap().to_owned());
        }
        let response = hyper::Response::builder().status(status).body(Body::from(body.as_bytes().to_vec()));
        ready(Ok::<_, Infallible>(response.unwrap()))
    });
    (session(Client::new(service, "default")), offers)
}

fn cart() -> Place {
    Place {
        namespace: "shop".into(),
        pod: "cart-1".into(),
        uid: "u".into(),
        node: "a".into(),
        container: "app".into(),
        is_named: false,
        containers: 1,
    }
}

#[tokio::test]
async fn only_a_version_that_is_known_to_be_old_can_not_end_stdin() {
    for (body, expected) in [
        (r#"{"major":"1","minor":"20"}"#, false),
        (r#"{"major":"1","minor":"29+"}"#, false),
        (r#"{"major":"1","minor":"30"}"#, true),
        // As `go build` leaves it.
        (r#"{"major":"","minor":"","gitVersion":"v0.0.0-master"}"#, true),
    ] {
        assert_eq!(may_end_input(&answering(200, body).0).await, Ok(expected), "{body}");
    }
    assert_eq!(may_end_input(&answering(404, "").0).await, Ok(true));
}

#[tokio::test]
async fn a_server_without_the_protocol_runs_nothing_and_other_refusals_are_errors() {
    let command = ["cat".to_owned()];
    for status in [400, 403] {
        let (session, offers) = answering(status, "");
        assert!(exec_with_end(&session, &cart(), &command).await.unwrap().is_none());
        assert_eq!(*offers.lock().unwrap(), ["v5.channel.k8s.io"], "v4 would run the command");
    }
    let forbidden = r#"{"kind":"Status","status":"Failure","code":403,"reason":"Forbidden","message":"no pods/exec"}"#;
    for (status, body, words) in [(403, forbidden, "forbidden: no pods/exec"), (502, "<html>", "<html>")] {
        let failure = exec_with_end(&answering(status, body).0, &cart(), &command).await.err().unwrap();
        assert!(failure.what.contains("container app of shop/cart-1") && failure.what.contains(words), "{failure}");
    }
    // Everything else may speak either.
    let (session, offers) = answering(403, "");
    assert!(exec(&session, &cart(), &command, Streams { stdin: true, tty: true }).await.is_err());
    assert_eq!(*offers.lock().unwrap(), ["v5.channel.k8s.io, v4.channel.k8s.io"]);
}

/// A server that agrees to this protocol once, whatever was offered.
async fn agreeing(protocol: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        let mut fields = head.lines().filter_map(|line| line.split_once(": "));
        let (_, key) = fields.find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key")).unwrap();
        let accept = derive_accept_key(key.as_bytes());
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n"
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    address
}

/// A session with the server at this address.
fn connected(address: SocketAddr) -> Session {
    let http: legacy::Client<_, Body> = legacy::Client::builder(TokioExecutor::new()).build(HttpConnector::new());
    let service = service_fn(move |mut request: hyper::Request<Body>| {
        *request.uri_mut() = format!("http://{address}{}", request.uri()).parse().unwrap();
        http.request(request)
    });
    session(Client::new(service, "default"))
}

#[tokio::test]
async fn the_protocol_that_a_server_agrees_to_decides() {
    let command = ["cat".to_owned()];
    let newer = connected(agreeing("v5.channel.k8s.io").await);
    assert!(exec_with_end(&newer, &cart(), &command).await.unwrap().is_some());
    let other = connected(agreeing("v4.channel.k8s.io").await);
    let failure = exec_with_end(&other, &cart(), &command).await.err().unwrap();
    assert!(failure.what.contains("not offered"), "{failure}");
    // A terminal works with both.
    let streams = Streams { stdin: true, tty: true };
    for (protocol, ends_input) in [("v4.channel.k8s.io", false), ("v5.channel.k8s.io", true)] {
        let session = connected(agreeing(protocol).await);
        assert_eq!(exec(&session, &cart(), &command, streams).await.unwrap().1, ends_input);
    }
}

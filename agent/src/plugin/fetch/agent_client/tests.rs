use super::*;
use kube::client::Body;
use std::sync::Mutex;

/// A client of an API server that answers by path, with the agent's `Server` header where it is an agent's answer.
fn answering(
    reply: impl Fn(&str) -> (u16, bool, &'static str) + Clone + Send + Sync + 'static,
) -> (Client, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let service = tower::service_fn(move |request: hyper::Request<Body>| {
        let path = request.uri().path().to_owned();
        let (status, is_agent, body) = reply(&path);
        seen.lock().unwrap().push(path);
        let mut response = hyper::Response::builder().status(status);
        if is_agent {
            response = response.header("server", format!("netwhy-agent/{VERSION}"));
        }
        let response = response.body(Body::from(body.as_bytes().to_vec())).unwrap();
        std::future::ready(Ok::<_, std::convert::Infallible>(response))
    });
    (Client::new(service, "default"), asked)
}

/// An agent behind this API server that can be reached by port-forward and by the Pod proxy.
fn two_ways(client: &Client) -> AgentClient {
    let forward = Way::forward(client.clone(), "netwhy", "netwhy-1", 9812);
    let proxy = Way::proxy(client.clone(), "netwhy", "netwhy-1", 9810);
    let account = Room::new(1 << 20).account();
    AgentClient::new(vec![forward, proxy], "netwhy/netwhy-1".to_owned(), Duration::from_secs(5), account)
}

const FORBIDDEN: &str = r#"{"kind":"Status","apiVersion":"v1","status":"Failure","code":403,"reason":"Forbidden",
    "message":"pods is forbidden: User \"me\" cannot do this"}"#;

#[tokio::test]
async fn a_closed_way_is_left_for_an_open_one() {
    let (client, asked) =
        answering(|path| if path.contains("/proxy/") { (200, true, "[1]") } else { (403, false, FORBIDDEN) });
    let agent = two_ways(&client);
    for _ in 0..2 {
        assert_eq!(agent.get::<Vec<u8>>("/api/v1/x").await.unwrap(), [1]);
    }
    assert_eq!(asked.lock().unwrap().len(), 3, "the closed way is tried once");
}

#[tokio::test]
async fn when_all_ways_are_closed_the_first_one_says_what_is_missing() {
    let misdirected = r#"{"error":"/api/v1 is answered on 127.0.0.1:9812 alone"}"#;
    for reply in [(403, false, FORBIDDEN), (421, true, misdirected)] {
        let (client, _) = answering(move |path| if path.contains("/proxy/") { reply } else { (403, false, FORBIDDEN) });
        let failure = two_ways(&client).get::<Vec<u8>>("/api/v1/x").await.unwrap_err().to_string();
        assert!(failure.contains("forbidden") && failure.contains("pods/portforward"), "{failure}");
        assert!(failure.contains("`get` and `create`") && !failure.contains('\n'), "{failure}");
    }
    let (client, _) = answering(|_| (401, false, "{}"));
    let failure = two_ways(&client).get::<Vec<u8>>("/api/v1/x").await.unwrap_err().to_string();
    assert!(failure.contains("credentials"), "{failure}");
}

#[test]
fn versions_of_one_series_and_their_neighbours_are_compatible() {
    for (a, b, same) in [
        ("0.1.0", "0.1.9", true),
        ("0.1.0", "0.2.0", true),
        ("0.2.0", "0.1.0", true),
        ("0.1.0", "0.3.0", false),
        ("0.1.0", "1.0.0", false),
        ("1.2.0", "1.9.3", true),
        ("1.0.0", "2.0.0", false),
        ("", "0.1.0", false),
    ] {
        assert_eq!(compatible(a, b), same, "{a} {b}");
    }
}

#[test]
fn error_messages_are_found_in_every_format() {
    assert_eq!(message(r#"{"kind":"Status","message":"pods is forbidden"}"#), "pods is forbidden");
    assert_eq!(message(r#"{"error":"no such path"}"#), "no such path");
    assert_eq!(message("Error trying to reach service\n"), "Error trying to reach service");
    assert_eq!(message(" "), "no reason given");
}

#[tokio::test]
async fn a_bad_url_is_refused_with_the_right_form() {
    for bad in ["ftp://x", "http://", "http://a b"] {
        let failure = AgentClient::direct(bad, Duration::from_secs(1), 0).err().unwrap();
        assert!(failure.to_string().contains("http://HOST:9812"), "{failure}");
    }
    assert_eq!(
        AgentClient::direct("localhost:9812", Duration::from_secs(1), 0).unwrap().name(),
        "http://localhost:9812"
    );
}

#[tokio::test]
async fn questions_about_the_past_carry_their_moment() {
    let client = AgentClient::direct("http://node-a:9812", Duration::from_secs(5), 1 << 20).unwrap();
    assert_eq!(client.path("/api/v1/pods"), "/api/v1/pods");
    let then = client.at(Some("2026-01-31T03:12:00+01:00".parse().unwrap()));
    assert_eq!(then.path("/api/v1/pods"), "/api/v1/pods?at=2026-01-31T02:12:00Z");
    assert_eq!(then.path("/api/v1/edges?by=peer_node"), "/api/v1/edges?by=peer_node&at=2026-01-31T02:12:00Z");
    assert_eq!(then.path(INFO), INFO, "an agent speaks of itself as it is now");
    assert!(then.timeout >= REPLAY);
}

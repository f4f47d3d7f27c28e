use super::*;
use crate::{
    api::{AgentStats, Hint},
    plugin::{
        cli::{self, Command},
        fetch,
        model::testing,
    },
};
use axum::{Json, body::Body, http::Request};
use http_body_util::BodyExt as _;
use serde_json::Value;
use std::net::Ipv4Addr;
use tower::ServiceExt as _;

/// Answers as an agent would, on a port of its own.
async fn agent() -> String {
    let hostile = Hint { summary: "a\u{202e}b</script><b>".into(), ..testing::hint("shop", "cart-a", "path_loss") };
    let router = Router::new()
        .route("/api/v1/info", get(|| async { Json(AgentStats::default()) }))
        .route("/api/v1/hints", get(move || async move { Json(vec![hostile.clone()]) }))
        .route("/api/v1/edges", get(|| async { Json(Vec::<Value>::new()) }));
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// The paths in front of the agent at this URL.
async fn paths(url: &str) -> Router {
    let line = ["kubectl-netwhy", "ui", "--agent", url, "-n", "shop"].map(Into::into);
    let cli = cli::parse(&line).unwrap();
    assert!(matches!(cli.command, Command::Ui(_)));
    router(Pages::new(&fetch::sessions(&cli.global).await.unwrap()))
}

async fn ask(router: &Router, path: &str) -> (u16, String, String) {
    let request = Request::builder().uri(path).body(Body::empty()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    let status = response.status().as_u16();
    let text = String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap();
    (status, kind, text)
}

#[tokio::test]
async fn files_have_their_types_and_unknown_paths_are_said() {
    let router = paths(&agent().await).await;
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/assets/app.js", "text/javascript; charset=utf-8"),
        ("/assets/style.css", "text/css; charset=utf-8"),
        ("/assets/icon.svg", "image/svg+xml"),
    ] {
        let (status, got, text) = ask(&router, path).await;
        assert_eq!((status, got.as_str(), text.is_empty()), (200, kind, false), "{path}");
    }
    for path in ["/assets/none.js", "/assets/../cli.rs", "/assets/%2e%2e%2fcli.rs", "/api/none", "/api"] {
        let (status, kind, text) = ask(&router, path).await;
        assert_eq!((status, kind.as_str()), (404, "application/json"), "{path}: {text}");
    }
}

#[tokio::test]
async fn reports_are_the_json_of_the_commands_with_hidden_characters_escaped() {
    let router = paths(&agent().await).await;
    let (status, kind, text) = ask(&router, "/api/hints").await;
    assert_eq!((status, kind.as_str()), (200, "application/json"), "{text}");
    assert!(text.contains("\\u202e") && !text.contains('\u{202e}'), "{text}");
    let hints: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((hints["items"][0]["subject"]["name"].as_str(), hints["agents"].as_u64()), (Some("cart-a"), Some(1)));
    // Without Kubernetes a path stands for the namespace.
    assert_eq!(ask(&router, "/api/hints?namespace=lab%2Fa").await.0, 200);
    let about: Value = serde_json::from_str(&ask(&router, "/api/about").await.2).unwrap();
    assert_eq!(about["contexts"], json!([{"name": null, "namespace": "shop"}]));
    let matrix: Value = serde_json::from_str(&ask(&router, "/api/matrix?namespace=*").await.2).unwrap();
    assert_eq!(matrix["agents"], 1);
    // This agent has no such path: the last hour is known, and why not more.
    let line: Value = serde_json::from_str(&ask(&router, "/api/timeline?hours=6").await.2).unwrap();
    assert_eq!(line["items"].as_array().unwrap().len(), 1);
    assert!(line["unrecorded"].as_str().is_some_and(|why| !why.is_empty()), "{line}");
}

#[tokio::test]
async fn wrong_questions_are_refused_with_the_remedy_and_ask_no_agent() {
    let router = paths("http://127.0.0.1:9").await;
    for (path, part) in [
        ("/api/hints?namespace=a%26pod%3Db", "is no name of a namespace"),
        ("/api/hints?namespace=a%20b", "is no name of a namespace"),
        ("/api/hints?context=other", "no context"),
        ("/api/hints?color=red", "unknown field"),
        ("/api/why", "write pod/NAME"),
        ("/api/why?target=planet%2Fmars", "unknown kind"),
        ("/api/why?target=pod%2Fa%3Fb", "write pod/NAME"),
        ("/api/why?target=pod%2Fa&at=noon", "write RFC 3339"),
        ("/api/timeline?hours=0", "from 1 to 48"),
        ("/api/timeline?hours=99", "from 1 to 48"),
    ] {
        let (status, _, text) = ask(&router, path).await;
        assert_eq!(status, 400, "{path}: {text}");
        assert!(text.contains(part), "{path}: {text}");
    }
}

#[tokio::test]
async fn an_agent_that_does_not_answer_is_an_error_with_its_remedy() {
    let router = paths("http://127.0.0.1:9").await;
    let (status, _, text) = ask(&router, "/api/hints").await;
    let failure: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(status, 502);
    assert!(failure["what"].as_str().is_some_and(|what| !what.is_empty()) && failure["remedy"].is_string(), "{text}");
}

#[tokio::test]
async fn look_ups_wait_for_each_other_and_do_not_pile_up() {
    let pages = Pages {
        look_ups: Arc::new(Semaphore::new(0)),
        patience: Duration::ZERO,
        ..Pages::new(&fetch::sessions(&flags()).await.unwrap())
    };
    let (status, _, text) = ask(&router(pages), "/api/hints").await;
    assert_eq!(status, 503);
    assert!(text.contains("close other tabs"), "{text}");
}

fn flags() -> cli::Global {
    cli::parse(&["kubectl-netwhy", "ui", "--agent", "http://127.0.0.1:9"].map(Into::into)).unwrap().global
}

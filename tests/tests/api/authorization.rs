//! Authorization of scrapes by bearer token: by a stand-in API server that misbehaves, and by a real one.

use crate::{
    Folder, connect,
    real::{bind, read},
    server::ApiServer,
    short_timeouts,
};
use k8s_openapi::api::{
    authentication::v1::TokenRequest,
    core::v1::ServiceAccount,
    rbac::v1::{ClusterRole, ClusterRoleBinding},
};
use kube::{Api, Client, api::PostParams};
use netwhy_agent::{
    api::AgentStats,
    http::{self, Authorization, Limits, Protection, Shared},
    kube::Reviews,
    metrics::MetricsOptions,
    state::NodeView,
};
use netwhy_tests::faulty::{Asked, FaultyServer, Reply};
use serde_json::{Value, json};
use std::{
    io::Write,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpSocket,
    sync::{oneshot, watch},
};

const TOKENS: &str = "/apis/authentication.k8s.io/v1/tokenreviews";
const ACCESS: &str = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
/// A token that no log and no answer may contain.
const TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.c2VjcmV0LXNlY3JldC1zZWNyZXQ.c2lnbmF0dXJl";

/// A listener with authorization; stops when dropped.
struct Served {
    address: SocketAddr,
    _view: watch::Sender<Arc<NodeView>>,
    _agent: watch::Sender<Arc<AgentStats>>,
    _options: watch::Sender<MetricsOptions>,
    _stop: oneshot::Sender<()>,
    _folder: Folder,
}

/// Status, head and body.
type Answer = (u16, String, String);

impl Served {
    async fn by(kubeconfig: &str) -> Self {
        let folder = Folder::new();
        let cluster = connect(&folder.file("kubeconfig", kubeconfig), short_timeouts()).await;
        let protection = Protection::new(None, Some(Authorization::new(Reviews::new(&cluster))));
        let (view, agent, options) =
            (watch::channel(Arc::default()), watch::channel(Arc::default()), watch::channel(MetricsOptions::default()));
        let listener = http::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let shared = Shared { view: view.1, agent: agent.1, options: options.1, started: Duration::ZERO, past: None };
        tokio::spawn(http::serve(
            Limits::default(),
            (listener, http::ApiPlace::Main),
            shared,
            protection,
            async move { drop(stopped.await) },
        ));
        Self { address, _view: view.0, _agent: agent.0, _options: options.0, _stop: stop, _folder: folder }
    }

    /// An answer to a GET with this `Authorization` header; `from` is the client's own address.
    async fn ask(&self, path: &str, header: Option<&str>, from: Ipv4Addr) -> Answer {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((from, 0).into()).unwrap();
        let mut stream = socket.connect(self.address).await.unwrap();
        let header = header.map(|value| format!("Authorization: {value}\r\n")).unwrap_or_default();
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{header}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), head.to_owned(), body.to_owned())
    }

    async fn scrape(&self, token: &str) -> Answer {
        self.ask("/metrics", Some(&format!("Bearer {token}")), Ipv4Addr::LOCALHOST).await
    }
}

/// An API server's answer: tokens that begin with `good` or `weak` have a user, and only the former may get anything.
fn decide(asked: &Asked) -> Reply {
    let mut review: Value = serde_json::from_str(&asked.body).unwrap();
    review["status"] = match asked.path.as_str() {
        TOKENS => {
            let token = review["spec"]["token"].as_str().unwrap();
            let user = json!({"username": token, "uid": "7", "groups": ["g"], "extra": {"scopes": ["a", "b"]}});
            let is_known = token.starts_with("good") || token.starts_with("weak");
            if is_known { json!({"authenticated": true, "user": user}) } else { json!({"error": "invalid token"}) }
        }
        ACCESS => json!({"allowed": review["spec"]["user"].as_str().unwrap().starts_with("good")}),
        other => panic!("{other}"),
    };
    Reply::status("201 Created", review.to_string())
}

#[tokio::test]
async fn an_allowed_token_is_reviewed_once_for_all_scrapes_of_a_minute() {
    let server = FaultyServer::start(decide).unwrap();
    let served = Served::by(&server.kubeconfig()).await;
    let scrapes = (0..12).map(|_| served.scrape("good"));
    for (status, _, body) in futures::future::join_all(scrapes).await {
        assert_eq!(status, 200, "{body}");
        assert!(body.contains("netwhy_agent_build_info"), "{body}");
    }
    let asked = server.asked();
    let paths: Vec<&str> = asked.iter().map(|asked| asked.path.as_str()).collect();
    assert_eq!(paths, [TOKENS, ACCESS]);
    let spec: Value = serde_json::from_str(&asked[1].body).unwrap();
    let expected = json!({
        "user": "good", "uid": "7", "groups": ["g"], "extra": {"scopes": ["a", "b"]},
        "nonResourceAttributes": {"path": "/metrics", "verb": "get"},
    });
    assert_eq!(spec["spec"], expected);
    // Probes and the index need no token.
    for path in ["/livez", "/readyz", "/", "/nowhere"] {
        let (status, _, body) = served.ask(path, None, Ipv4Addr::LOCALHOST).await;
        assert!(status != 401 && status != 403, "{path}: {status} {body}");
    }
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn each_refusal_has_its_status_and_says_what_to_do() {
    let server = FaultyServer::start(decide).unwrap();
    let served = Served::by(&server.kubeconfig()).await;
    for header in [None, Some("Bearer"), Some("Bearer "), Some("Basic Z29vZDpnb29k"), Some("good")] {
        let (status, head, body) = served.ask("/metrics", header, Ipv4Addr::LOCALHOST).await;
        assert_eq!(
            (status, body.as_str()),
            (401, "send a bearer token: \"Authorization: Bearer TOKEN\"\n"),
            "{header:?}"
        );
        assert!(head.to_lowercase().contains("www-authenticate: bearer"), "{head}");
    }
    assert_eq!(server.asked(), []);
    for _ in 0..3 {
        let (status, _, body) = served.scrape("unknown").await;
        assert_eq!((status, body.as_str()), (401, "the API server does not accept this bearer token: get a new one\n"));
        let (status, _, body) = served.scrape("weak").await;
        let expected = "user \"weak\" may not get /metrics: bind it to a ClusterRole with the verb get on this \
                        nonResourceURL\n";
        assert_eq!((status, body.as_str()), (403, expected));
    }
    assert_eq!(server.asked().len(), 3, "refusals are kept too");
    let (_, _, metrics) = served.scrape("good").await;
    for count in ["unauthenticated\"} 8", "forbidden\"} 3", "unavailable\"} 0"] {
        assert!(metrics.contains(&format!("netwhy_agent_http_refusals_total{{reason=\"{count}")), "{metrics}");
    }
}

#[tokio::test]
async fn guessed_tokens_are_reviewed_ten_times_a_minute_and_address() {
    let server = FaultyServer::start(decide).unwrap();
    let served = Served::by(&server.kubeconfig()).await;
    let mut refused = 0;
    for number in 0..50 {
        let (status, _, body) = served.scrape(&format!("guess-{number}")).await;
        assert!(status == 401 || (status == 429 && body.contains("too many unknown tokens")), "{status} {body}");
        refused += usize::from(status == 429);
    }
    assert_eq!((refused, server.asked().len()), (40, 10));
    let other = served.ask("/metrics", Some("Bearer good"), Ipv4Addr::new(127, 0, 0, 2)).await;
    assert_eq!(other.0, 200, "a client of another address is not shut out");
}

#[tokio::test]
async fn without_the_api_server_only_kept_verdicts_count() {
    let is_away = Arc::new(AtomicBool::new(false));
    let away = is_away.clone();
    let server = FaultyServer::start(move |asked| {
        if away.load(Ordering::Relaxed) { Reply::refusal(503, "ServiceUnavailable", "away") } else { decide(asked) }
    })
    .unwrap();
    let served = Served::by(&server.kubeconfig()).await;
    assert_eq!(served.scrape("good").await.0, 200);
    is_away.store(true, Ordering::Relaxed);
    assert_eq!(served.scrape("good").await.0, 200);
    let expected = "the API server can't be asked about this token: try again; the agent's log has the reason\n";
    let (status, _, body) = served.scrape("good-too").await;
    assert_eq!((status, body.as_str()), (503, expected));
    is_away.store(false, Ordering::Relaxed);
    let begun = Instant::now();
    while served.scrape("good-too").await.0 != 200 {
        // A verdict would be kept for a minute.
        assert!(begun.elapsed() < Duration::from_secs(30), "asked again soon");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_silent_api_server_delays_a_scrape_for_five_seconds_at_most() {
    let server = FaultyServer::start(|_| Reply::none()).unwrap();
    let served = Served::by(&server.kubeconfig()).await;
    let begun = Instant::now();
    assert_eq!(served.scrape("good").await.0, 503);
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
}

/// Everything that is logged on this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Whatever the API server answers, and at the most talkative level.
#[tokio::test]
async fn a_token_stands_in_no_log_and_no_answer() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone());
    let _logging = tracing::subscriber::set_default(subscriber.finish());
    let replies: [fn(&Asked) -> Reply; 6] = [
        decide,
        |asked| Reply::ok(asked.body.clone()),
        |asked| Reply::ok(asked.body.replace('{', "[")),
        |_| Reply::ok(format!("{{\"spec\":{{\"token\":\"{TOKEN}\"}},\"status\":\"{TOKEN}\"}}")),
        |_| Reply::refusal(403, "Forbidden", "cannot create resource \\\"tokenreviews\\\""),
        |_| Reply::none(),
    ];
    for reply in replies {
        let server = FaultyServer::start(reply).unwrap();
        let served = Served::by(&server.kubeconfig()).await;
        let (status, head, body) = served.scrape(TOKEN).await;
        assert!(matches!(status, 401 | 503), "{status}");
        assert!(!head.contains(TOKEN) && !body.contains(TOKEN), "{head}\n{body}");
        assert!(server.asked()[0].body.contains(TOKEN), "it was asked about");
    }
    let text = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(text.contains("failed to check a client's token: TokenReview: the response is no review"), "{text}");
    let remedy = "403 Forbidden: cannot create resource \"tokenreviews\": grant the agent's ServiceAccount this verb";
    assert!(text.contains(remedy), "{text}");
    assert!(text.contains("no response to a review within 5 s"), "{text}");
    let parts: Vec<&str> = TOKEN.split('.').collect();
    assert!(!parts.iter().any(|part| text.contains(part)), "a part of the token is in the log");
}

/// A ServiceAccount, and a token for it.
async fn token(admin: &Client, name: &str) -> String {
    let accounts: Api<ServiceAccount> = Api::namespaced(admin.clone(), "default");
    let account: ServiceAccount = read(json!({"metadata": {"name": name}}));
    accounts.create(&PostParams::default(), &account).await.unwrap();
    let request: TokenRequest = read(json!({"metadata": {}, "spec": {"audiences": [], "expirationSeconds": 600}}));
    let made = accounts.create_token_request(name, &PostParams::default(), &request).await.unwrap();
    made.status.unwrap().token
}

/// Rights that the chart adds with `metrics.authorization`, and its ClusterRole for Prometheus.
async fn grant(admin: &Client, reader: &str) {
    let agent: ClusterRole = read(json!({
        "metadata": {"name": "agent"},
        "rules": [
            {"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]},
            {"apiGroups": ["authorization.k8s.io"], "resources": ["subjectaccessreviews"], "verbs": ["create"]},
        ],
    }));
    let readers: ClusterRole = read(json!({
        "metadata": {"name": "metrics-reader"}, "rules": [{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}],
    }));
    for role in [agent, readers] {
        Api::all(admin.clone()).create(&PostParams::default(), &role).await.unwrap();
    }
    bind(admin).await;
    let binding: ClusterRoleBinding = read(json!({
        "metadata": {"name": "metrics-reader"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "metrics-reader"},
        "subjects": [{"kind": "ServiceAccount", "namespace": "default", "name": reader}],
    }));
    Api::all(admin.clone()).create(&PostParams::default(), &binding).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_api_server_decides_by_service_account_and_role() {
    let Some(mut server) = ApiServer::start().await else { return };
    let admin = server.admin().await;
    let (reader, stranger) = (token(&admin, "prometheus").await, token(&admin, "stranger").await);
    let early = Served::by(&server.agent_config(None)).await;
    assert_eq!(early.scrape(&reader).await.0, 503, "the agent may not create reviews yet");
    grant(&admin, "prometheus").await;
    let served = Served::by(&server.agent_config(None)).await;
    // The API server's authorizer follows a new role within moments.
    let begun = Instant::now();
    let (status, _, body) = loop {
        let served = Served::by(&server.agent_config(None)).await;
        let answer = served.scrape(&reader).await;
        if answer.0 == 200 || begun.elapsed() > Duration::from_secs(60) {
            break answer;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(status, 200, "{body}");
    assert_eq!(served.scrape(&reader).await.0, 200);
    let (status, _, body) = served.scrape(&stranger).await;
    assert_eq!(status, 403, "{body}");
    assert!(body.contains("system:serviceaccount:default:stranger"), "{body}");
    let forged = format!("{}x", &reader[..reader.len() - 4]);
    assert_eq!(served.scrape(&forged).await.0, 401);
    // Every user may get /api/* of an API server. That must not open paths of the agent.
    let (status, _, body) = served.ask("/api/v1/pods", Some(&format!("Bearer {stranger}")), Ipv4Addr::LOCALHOST).await;
    assert_eq!(status, 403, "{body}");

    server.kill();
    assert_eq!(served.scrape(&reader).await.0, 200, "the verdict is kept");
    assert_eq!(served.scrape(&forged).await.0, 401, "and so is a refusal");
    assert_eq!(served.scrape("another").await.0, 503);
}

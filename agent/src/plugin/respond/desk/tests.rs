use super::{
    super::webhook::tests::{alert, body},
    *,
};
use axum::body::Body;
use serde_json::Value;
use tower::ServiceExt as _;

struct Room {
    routes: Router,
    jobs: mpsc::Receiver<Job>,
}

fn room(queue: usize, token_file: Option<PathBuf>) -> Room {
    let (queue, jobs) = mpsc::channel(queue);
    let desk = Desk {
        queue,
        seen: Arc::new(Mutex::new(Seen::new(Duration::from_secs(3600)))),
        counts: Arc::default(),
        token_file,
        naming: Naming::Kubernetes,
        readers: Desk::readers(),
        body_time: Duration::from_millis(100),
    };
    Room { routes: desk.routes(), jobs }
}

impl Room {
    async fn ask(&self, request: Request) -> (StatusCode, HeaderMap, String) {
        let response = self.routes.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let text = to_bytes(body, usize::MAX).await.unwrap();
        (head.status, head.headers, String::from_utf8(text.to_vec()).unwrap())
    }

    async fn post(&self, body: impl Into<Body>, token: Option<&str>) -> (StatusCode, HeaderMap, String) {
        let mut request = Request::post("/webhook");
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, token);
        }
        self.ask(request.body(body.into()).unwrap()).await
    }

    async fn get(&self, path: &str) -> (StatusCode, String) {
        let (status, _, text) = self.ask(Request::get(path).body(Body::empty()).unwrap()).await;
        (status, text)
    }
}

fn pod(name: &str) -> Value {
    alert("firing", &[("alertname", "Slow"), ("namespace", "shop"), ("pod", name)])
}

fn of(alerts: &[Value]) -> String {
    body(alerts).to_string()
}

#[tokio::test]
async fn a_request_is_taken_at_once_and_its_repetition_asks_nothing() {
    let mut room = room(4, None);
    for _ in 0..3 {
        assert_eq!(room.post(of(&[pod("a"), pod("b")]), None).await.0, StatusCode::ACCEPTED);
    }
    let shown = |job: Job| job.candidates[0].shown();
    assert_eq!(room.jobs.try_recv().map(shown), Ok("Pod shop/a".to_owned()));
    assert_eq!(room.jobs.try_recv().map(shown), Ok("Pod shop/b".to_owned()));
    assert!(room.jobs.try_recv().is_err());
    // After its end it is a new alert.
    let over = alert("resolved", &[("alertname", "Slow"), ("namespace", "shop"), ("pod", "a")]);
    room.post(of(&[over]), None).await;
    room.post(of(&[pod("a"), pod("b")]), None).await;
    assert_eq!(room.jobs.try_recv().map(shown), Ok("Pod shop/a".to_owned()));
    assert!(room.jobs.try_recv().is_err());
    let (status, metrics) = room.get("/metrics").await;
    assert_eq!(status, StatusCode::OK);
    for line in ["deliveries_total{result=\"taken\"} 5", "alerts_total{result=\"queued\"} 3", "_waiting 0"] {
        assert!(metrics.contains(line), "{line} is in {metrics}");
    }
    assert!(metrics.contains("alerts_total{result=\"repeated\"} 5\n"), "{metrics}");
}

#[tokio::test]
async fn a_full_queue_is_told_with_503_and_takes_nothing_of_the_request() {
    let mut room = room(2, None);
    assert_eq!(room.post(of(&[pod("a")]), None).await.0, StatusCode::ACCEPTED);
    let (status, headers, text) = room.post(of(&[pod("b"), pod("c")]), None).await;
    assert_eq!((status, text.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "too many look-ups wait: send it again\n"));
    assert_eq!(headers[header::RETRY_AFTER], "10");
    assert!(room.get("/metrics").await.1.contains("deliveries_total{result=\"overload\"} 1\n"));
    assert!(room.jobs.try_recv().is_ok());
    assert!(room.jobs.try_recv().is_err());
    // Sent again, both are asked: neither was remembered.
    assert_eq!(room.post(of(&[pod("b"), pod("c")]), None).await.0, StatusCode::ACCEPTED);
    assert!(room.jobs.try_recv().is_ok() && room.jobs.try_recv().is_ok());
}

#[tokio::test]
async fn requests_without_the_token_are_refused_before_their_body_is_read() {
    let file = std::env::temp_dir().join(format!("netwhy-respond-token-{}", std::process::id()));
    std::fs::write(&file, "secret\n").unwrap();
    let room = room(2, Some(file.clone()));
    for token in [None, Some("Bearer wrong"), Some("Basic secret"), Some("secret"), Some("Bearer ")] {
        let (status, headers, _) = room.post("not even JSON", token).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{token:?}");
        assert_eq!(headers[header::WWW_AUTHENTICATE], "Bearer");
    }
    assert_eq!(room.post(of(&[pod("a")]), Some("bearer secret")).await.0, StatusCode::ACCEPTED);
    // A renewed Secret counts at once.
    std::fs::write(&file, "newer").unwrap();
    assert_eq!(room.post(of(&[]), Some("Bearer secret")).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(room.post(of(&[]), Some("Bearer newer")).await.0, StatusCode::ACCEPTED);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(room.post(of(&[]), Some("Bearer newer")).await.0, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(room.get("/livez").await, (StatusCode::OK, "ok\n".to_owned()));
}

#[tokio::test]
async fn bodies_are_bounded_in_size_time_and_number() {
    let room = room(2, None);
    assert_eq!(room.post(vec![b' '; MAX_BODY + 1], None).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(room.post("[]", None).await.0, StatusCode::BAD_REQUEST);
    let endless = || Body::from_stream(futures::stream::pending::<Result<Vec<u8>, std::io::Error>>());
    let slow = (0..READERS).map(|_| room.post(endless(), None));
    let slow = futures::future::join_all(slow);
    let next = async {
        tokio::task::yield_now().await;
        room.post(of(&[pod("a")]), None).await.0
    };
    let (slow, next) = tokio::join!(slow, next);
    assert!(slow.iter().all(|(status, ..)| *status == StatusCode::REQUEST_TIMEOUT), "{slow:?}");
    assert_eq!(next, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(room.post(of(&[pod("a")]), None).await.0, StatusCode::ACCEPTED, "the readers are free again");
    let (status, _) = room.get("/webhook").await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
}

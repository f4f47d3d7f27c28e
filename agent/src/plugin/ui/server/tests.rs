use super::*;
use axum::routing::get;
use http_body_util::BodyExt as _;

struct Page {
    door: Router,
    token: String,
    launch: String,
}

impl Page {
    fn open() -> Self {
        let (token, launch) = (Token::random().unwrap(), Token::random().unwrap());
        let texts = (token.as_str().to_owned(), launch.as_str().to_owned());
        let inside = Router::new()
            .route("/", get(|| async { "page" }))
            .route("/api/x", get(|uri: Uri| async move { uri.to_string() }))
            .fallback(|| async { (StatusCode::NOT_FOUND, "nothing") });
        let door = router(Door::new(token, Launch::new(launch), inside));
        Self { door, token: texts.0, launch: texts.1 }
    }

    async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> (u16, HeaderMap, String) {
        let mut request = Request::builder().method(method).uri(path.replace("TOKEN", &self.token));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.door.clone().oneshot(request.body(Body::from("ignored")).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        (parts.status.as_u16(), parts.headers, text)
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let (status, _, text) = self.ask(Method::GET, path, &[("host", "127.0.0.1:4000")]).await;
        (status, text)
    }
}

#[tokio::test]
async fn every_path_needs_the_token() {
    let page = Page::open();
    assert_eq!(page.get("/TOKEN/").await, (200, "page".to_owned()));
    assert_eq!(page.get("/TOKEN/api/x?target=pod%2Fa&at=").await, (200, "/api/x?target=pod%2Fa&at=".to_owned()));
    assert_eq!(page.get("/TOKEN/other").await, (404, "nothing".to_owned()));
    let wrong = "A".repeat(43);
    let short = &page.token[..42];
    for path in [
        "/",
        "/api/x",
        "/favicon.ico",
        "//TOKEN/",
        "/x/TOKEN/",
        "/?TOKEN",
        &format!("/{wrong}/"),
        &format!("/{short}/"),
    ] {
        let (status, text) = page.get(path).await;
        assert_eq!(status, 403, "{path}");
        assert!(!text.contains(&page.token) && text.contains("kubectl netwhy ui"), "{text}");
    }
}

#[tokio::test]
async fn without_the_slash_the_browser_is_led_to_the_page() {
    let page = Page::open();
    let (status, headers, _) = page.ask(Method::GET, "/TOKEN", &[("host", "localhost:1")]).await;
    assert_eq!((status, headers["location"].to_str().unwrap()), (303, format!("/{}/", page.token).as_str()));
}

#[tokio::test]
async fn a_host_that_is_not_loopback_is_refused_with_the_right_token_too() {
    let page = Page::open();
    for host in ["127.0.0.1:4000", "localhost", "LOCALHOST:4000", "[::1]:4000", "127.8.9.1"] {
        assert_eq!(page.ask(Method::GET, "/TOKEN/", &[("host", host)]).await.0, 200, "{host}");
    }
    for host in [
        "evil.example:4000",
        "10.0.0.1",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "",
        "a b",
        "evil@localhost",
    ] {
        assert_eq!(page.ask(Method::GET, "/TOKEN/", &[("host", host)]).await.0, 403, "{host}");
    }
    assert_eq!(page.ask(Method::GET, "/TOKEN/", &[]).await.0, 403, "no Host");
    assert_eq!(
        page.ask(Method::GET, "/TOKEN/", &[("host", "localhost"), ("host", "evil.example")]).await.0,
        403,
        "two"
    );
}

#[tokio::test]
async fn another_site_may_lead_to_the_page_and_read_nothing() {
    let page = Page::open();
    let with = |site, mode| [("host", "localhost"), ("sec-fetch-site", site), ("sec-fetch-mode", mode)];
    for (site, mode, status) in [
        ("same-origin", "cors", 200),
        ("none", "navigate", 200),
        ("cross-site", "navigate", 200),
        ("cross-site", "no-cors", 403),
        ("same-site", "cors", 403),
    ] {
        assert_eq!(page.ask(Method::GET, "/TOKEN/", &with(site, mode)).await.0, status, "{site} {mode}");
    }
}

#[tokio::test]
async fn only_reading_methods_are_answered() {
    let page = Page::open();
    let host = [("host", "localhost")];
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS, Method::PATCH] {
        assert_eq!(page.ask(method.clone(), "/TOKEN/", &host).await.0, 405, "{method}");
        assert_eq!(page.ask(method, "/", &host).await.0, 403, "the token comes first");
    }
    assert_eq!(page.ask(Method::HEAD, "/TOKEN/", &host).await.0, 200);
}

#[tokio::test]
async fn every_answer_has_the_policy_and_is_not_kept() {
    let page = Page::open();
    for (path, status) in [("/TOKEN/", 200), ("/TOKEN/none", 404), ("/", 403)] {
        let (got, headers, _) = page.ask(Method::GET, path, &[("host", "localhost")]).await;
        assert_eq!(got, status);
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains('*') && !policy.contains("http"), "{policy}");
        assert_eq!(headers["cache-control"], "no-store");
        assert_eq!(headers["referrer-policy"], "no-referrer");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["cross-origin-resource-policy"], "same-origin");
        assert!(headers.get("access-control-allow-origin").is_none());
    }
}

#[tokio::test]
async fn the_first_url_leads_to_the_page_once() {
    let page = Page::open();
    let first = format!("/{}/", page.launch);
    let (status, headers, _) = page.ask(Method::GET, &first, &[("host", "127.0.0.1:4000")]).await;
    assert_eq!((status, headers["location"].to_str().unwrap()), (303, format!("/{}/", page.token).as_str()));
    assert_eq!(page.get(&first).await.0, 403);
    let late = Launch::new(Token::random().unwrap());
    let text = late.token.as_str().to_owned();
    assert!(!late.take(&text, Instant::now() + LAUNCH + Duration::from_secs(1)));
    assert!(!late.take(&text, Instant::now()), "used up");
}

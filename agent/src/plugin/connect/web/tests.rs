use super::*;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

/// A server that answers one request with these bytes; returns its URL and the request.
async fn server(answer: &'static str) -> (String, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook/secret?x=1", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4096];
        let n = stream.read(&mut request).await.unwrap();
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8_lossy(&request[..n]).into_owned()
    });
    (url, task)
}

async fn post(url: &str, limit: Duration) -> Result<Reply, String> {
    let web = Web::new(url, None, |_| None).unwrap();
    web.ask(Asked { method: Method::POST, path: web.path(), kind: "text/plain", body: "why".into() }, limit).await
}

const LIMIT: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_request_has_the_urls_path_and_its_answer_is_read() {
    let (url, task) = server("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nslow").await;
    let reply = post(&url, LIMIT).await.unwrap();
    assert_eq!((reply.status.as_u16(), reply.retry_after), (429, Some(Duration::from_secs(7))));
    assert_eq!(reply.refusal("host"), "host: 429 Too Many Requests: slow");
    let request = task.await.unwrap();
    assert!(request.starts_with("POST /hook/secret?x=1 HTTP/1.1\r\n"), "{request}");
    let host = format!("host: {}\r\n", url.split('/').nth(2).unwrap());
    assert!(request.contains(&host) && request.ends_with("\r\n\r\nwhy"), "{request}");
}

#[tokio::test]
async fn failures_do_not_tell_the_path() {
    let (url, _task) = server("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbroken").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mute = format!("http://{}/hook/secret", listener.local_addr().unwrap());
    for (url, limit, word) in [
        (url.as_str(), LIMIT, ""),
        ("http://127.0.0.1:1/hook/secret", LIMIT, "can't connect to 127.0.0.1:1"),
        (mute.as_str(), Duration::from_millis(50), "no answer within"),
    ] {
        let Err(why) = post(url, limit).await else { panic!("{url} answers") };
        assert!(why.contains("127.0.0.1") && why.contains(word) && !why.contains("secret"), "{why}");
    }
}

#[test]
fn urls_of_other_kinds_are_refused_without_repeating_them() {
    for url in
        ["", "hooks.example/secret", "ftp://x/secret", "http:///secret", "https://user:secret@x/", "ht tp://secret"]
    {
        let Err(failure) = Web::new(url, None, |_| None) else { panic!("{url} is taken") };
        assert!(failure.what.starts_with("not an HTTP URL: ") && !failure.what.contains("secret"), "{failure}");
    }
    let Err(failure) = Web::new("https://x/", Some(Path::new("/nowhere/ca.pem")), |_| None) else { panic!("read") };
    assert!(failure.to_string().contains("/nowhere/ca.pem") && failure.remedy.contains("--ca-file"), "{failure}");
    // In clear text no authorities are needed.
    Web::new("http://x/", Some(Path::new("/nowhere/ca.pem")), |_| None).unwrap();
}

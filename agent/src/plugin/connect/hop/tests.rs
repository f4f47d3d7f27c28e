use super::{super::proxy::ProxyKind, *};

fn proxy(kind: ProxyKind, login: bool) -> Proxy {
    let login = login.then(|| ("ann".to_owned(), "secret".to_owned()));
    Proxy { kind, host: "proxy".to_owned(), port: 1, login }
}

/// The bytes that the client sent until the end of the conversation, and its result. The server's bytes are all there at once.
async fn http(answer: &[u8], login: bool) -> (String, Result<(), String>) {
    let (mut client, mut server) = tokio::io::duplex(64 << 10);
    server.write_all(answer).await.unwrap();
    server.shutdown().await.unwrap();
    let result = http_connect(&mut client, &proxy(ProxyKind::Http, login), "api.test", 6443).await;
    drop(client);
    let mut sent = String::new();
    server.read_to_string(&mut sent).await.unwrap();
    (sent, result)
}

#[tokio::test]
async fn http_proxies_are_asked_by_name_and_their_refusals_are_told() {
    let (sent, result) = http(b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n", false).await;
    assert_eq!(result, Ok(()));
    assert_eq!(sent, "CONNECT api.test:6443 HTTP/1.1\r\nHost: api.test:6443\r\n\r\n");
    let (sent, _) = http(b"HTTP/1.1 200 \r\n\r\n", true).await;
    assert!(sent.contains("Proxy-Authorization: Basic YW5uOnNlY3JldA==\r\n"), "{sent}");
    for (answer, words) in [
        (&b"HTTP/1.1 403 Forbidden\r\n\r\n"[..], "403 Forbidden"),
        (b"HTTP/1.0 407 x\r\n\r\n", "USER:PASSWORD"),
        (b"HTTP/1.1 502 \r\n\r\n", "502"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\n", "closed"),
        (&[b'x'; MAX_HEAD + 1], "too long"),
    ] {
        let (_, result) = http(answer, false).await;
        assert!(result.clone().is_err_and(|why| why.contains(words)), "{result:?}");
    }
}

#[tokio::test]
async fn what_the_server_says_first_is_left_in_the_tunnel() {
    let (mut client, mut server) = tokio::io::duplex(1024);
    server.write_all(b"HTTP/1.1 200 OK\r\n\r\nhello").await.unwrap();
    http_connect(&mut client, &proxy(ProxyKind::Http, false), "a", 1).await.unwrap();
    let mut rest = [0; 5];
    client.read_exact(&mut rest).await.unwrap();
    assert_eq!(&rest, b"hello");
}

async fn socks(answer: &[u8], login: bool, host: &str) -> (Vec<u8>, Result<(), String>) {
    let (mut client, mut server) = tokio::io::duplex(1024);
    server.write_all(answer).await.unwrap();
    server.shutdown().await.unwrap();
    let result = socks5(&mut client, &proxy(ProxyKind::Socks5, login), host, 443).await;
    drop(client);
    let mut sent = Vec::new();
    server.read_to_end(&mut sent).await.unwrap();
    (sent, result)
}

#[tokio::test]
async fn socks_proxies_resolve_names_and_their_refusals_are_told() {
    const CONNECTED: &[u8] = &[5, 0, 0, 1, 127, 0, 0, 1, 0, 80];
    let (sent, result) = socks(&[&[5, 0], CONNECTED].concat(), false, "api.test").await;
    assert_eq!((result, sent), (Ok(()), [b"\x05\x01\x00\x05\x01\x00\x03\x08api.test".as_slice(), &[1, 187]].concat()));
    let (sent, result) = socks(&[&[5, 2, 1, 0], CONNECTED].concat(), true, "10.0.0.1").await;
    let expected = [b"\x05\x02\x00\x02\x01\x03ann\x06secret\x05\x01\x00\x01".as_slice(), &[10, 0, 0, 1, 1, 187]];
    assert_eq!((result, sent), (Ok(()), expected.concat()));
    let (sent, _) = socks(&[&[5, 0], CONNECTED].concat(), false, "[::1]").await;
    assert_eq!(sent[6], 4);
    for (answer, words) in [
        (&[5, 0xff][..], "another login"),
        (&[5, 2, 1, 1], "rejects"),
        (b"HT", "not SOCKS"),
        (&[5, 0, 5, 2, 0, 1], "not allowed"),
        (&[5, 0, 5, 5, 0, 1], "refused"),
        (&[5], "closed"),
    ] {
        let (_, result) = socks(answer, answer.starts_with(&[5, 2]), "a").await;
        assert!(result.clone().is_err_and(|why| why.contains(words)), "{result:?}");
    }
    assert!(socks(&[5, 0], false, &"x".repeat(256)).await.1.is_err());
}

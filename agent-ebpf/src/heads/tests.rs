use super::*;

fn start(text: &[u8]) -> Start {
    let mut bytes = [0; START];
    let length = text.len().min(START);
    bytes[..length].copy_from_slice(&text[..length]);
    Start(bytes)
}

#[test]
fn requests_begin_with_a_method_and_a_space() {
    for text in [
        "GET / HTTP/1.1",
        "POST /a",
        "PUT /a",
        "HEAD /",
        "DELETE /a",
        "PATCH /a",
        "OPTIONS *",
        "TRACE /",
        "CONNECT a:1",
    ] {
        assert!(start(text.as_bytes()).is_request(), "{text}");
        assert!(!start(text.as_bytes()).is_answer(), "{text}");
    }
    for text in
        ["", "GET", "GETX /", "get /", "*3\r\n$3\r\nSET", "PRI * HTTP/2.0", "\x16\x03\x01\x02\x00\x01\x00\x01\x03\x03"]
    {
        assert!(!start(text.as_bytes()).is_request(), "{text}");
    }
}

#[test]
fn answers_begin_with_a_version_of_http_1() {
    assert!(start(b"HTTP/1.1 200 OK").is_answer());
    assert!(start(b"HTTP/1.0 404 No").is_answer());
    for text in ["HTTP/2 200 OK", "HTTP/1.1", "ICY 200 OK", "HTTP/1.12 200"] {
        assert!(!start(text.as_bytes()).is_answer(), "{text}");
    }
    assert!(start(b"HTTP/1.1 101 Swi").is_switch());
    assert!(!start(b"HTTP/1.1 100 Con").is_switch());
}

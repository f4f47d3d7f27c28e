use super::*;

fn asked(text: &str) -> Option<(&'static str, String)> {
    request(text.as_bytes()).map(|(method, route)| (method.label(), route))
}

#[test]
fn a_request_has_a_method_and_a_route() {
    let text = "POST /orders/17/items?secret=hunter2 HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer hunter2\r\n\r\n";
    assert_eq!(asked(text), Some(("POST", "/orders/:id/items".to_owned())));
    assert_eq!(asked("GET / HTTP/1.0\r\n\r\n"), Some(("GET", "/".to_owned())));
    assert_eq!(asked("CONNECT db.internal:443 HTTP/1.1\r\n\r\n"), Some(("CONNECT", "~host".to_owned())));
    assert_eq!(asked("OPTIONS * HTTP/1.1\r\n\r\n"), Some(("OPTIONS", "*".to_owned())));
    assert_eq!(asked("GET http://shop/cart HTTP/1.1\r\n"), Some(("GET", "/cart".to_owned())));
}

#[test]
fn a_target_that_is_cut_ends_with_its_last_whole_segment() {
    assert_eq!(asked("GET /orders/secre"), Some(("GET", "/orders/~".to_owned())));
    assert_eq!(asked("GET /orders/a?token=secre"), Some(("GET", "/orders/a".to_owned())));
    assert_eq!(asked("GET /secre"), Some(("GET", "/~".to_owned())));
}

#[test]
fn other_protocols_are_no_requests() {
    for text in
        ["", "GET", "GET ", "BREW /pot HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n\r\nSM", "GET /a b c d\r\n", "GET /a\u{1}b"]
    {
        assert_eq!(asked(text), None, "{text:?}");
    }
}

#[test]
fn an_answer_has_a_status() {
    assert_eq!(status(b"HTTP/1.1 200 OK\r\nSet-Cookie: secret\r\n"), Some(200));
    assert_eq!(status(b"HTTP/1.0 503 Service Unava"), Some(503));
    assert_eq!(status(b"HTTP/1.1 404\r\n\r\n"), Some(404));
    assert_eq!(status(b"HTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x05"), Some(101));
    for text in ["", "HTTP/1.1", "HTTP/1.1 20", "HTTP/2 200", "ICY 200 OK\r\n", "HTTP/1.1 099 no\r\n"] {
        assert_eq!(status(text.as_bytes()), None, "{text:?}");
    }
}

#[test]
fn the_final_answer_counts_where_it_is_seen() {
    assert_eq!(status(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\n"), Some(201));
    assert_eq!(status(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n"), Some(200));
    assert_eq!(status(b"HTTP/1.1 100 Continue\r\n\r\n"), Some(100));
    assert_eq!(status(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1."), Some(100));
}

use super::*;

#[test]
fn plain_and_chunked_answers_are_read() {
    let plain = parse(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 3\r\n\r\nnot").unwrap();
    assert_eq!(plain, Answer { status: 503, body: "not".to_owned() });
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwiki\r\n5;x=y\r\npedia\r\n0\r\n\r\n";
    assert_eq!(parse(chunked).unwrap().body, "wikipedia");
    assert!(parse(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nwiki").is_err());
    assert!(parse(b"").is_err());
}

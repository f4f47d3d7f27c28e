use super::*;
use netwhy_abi::HeadEvent;

fn event(part: u32, exchange: u32, at_ns: u64) -> HeadEvent {
    let key = EdgeKey::new(7, [0; 16]);
    HeadEvent { key, cookie: 1, at_ns, exchange, weight: 16, part, skip: 0, length: 0, bytes: 0 }
}

fn ask(pairs: &mut Pairs, exchange: u32, at_ns: u64, text: &str) {
    pairs.take(&Head { event: event(REQUEST, exchange, at_ns), bytes: text.as_bytes() });
}

fn answer(pairs: &mut Pairs, exchange: u32, at_ns: u64, text: &str) {
    pairs.take(&Head { event: event(ANSWER, exchange, at_ns), bytes: text.as_bytes() });
}

fn seen(calls: &[Call]) -> Vec<(&str, u16, u64)> {
    calls.iter().map(|call| (call.route.as_str(), call.status, call.us.unwrap())).collect()
}

#[test]
fn a_request_and_its_answer_are_a_call() {
    let mut pairs = Pairs::default();
    ask(&mut pairs, 1, 1_000_000, "GET /a HTTP/1.1\r\n");
    ask(&mut pairs, 2, 2_000_000, "GET /b HTTP/1.1\r\n");
    answer(&mut pairs, 2, 2_500_000, "HTTP/1.1 404 Not Found\r\n");
    assert_eq!(seen(&pairs.calls()), [("/b", 404, 500)]);
    answer(&mut pairs, 1, 9_000_000, "HTTP/1.1 200 OK\r\n");
    assert_eq!(seen(&pairs.calls()), [("/a", 200, 8_000)]);
    assert!(pairs.asked.is_empty() && pairs.answered.is_empty());
}

#[test]
fn an_answer_may_be_read_before_its_request() {
    let mut pairs = Pairs::default();
    answer(&mut pairs, 1, 2_000_000, "HTTP/1.1 200 OK\r\n");
    assert!(pairs.calls().is_empty());
    ask(&mut pairs, 1, 1_000_000, "GET /a HTTP/1.1\r\n");
    assert_eq!(seen(&pairs.calls()), [("/a", 200, 1_000)]);
    answer(&mut pairs, 2, 3_000_000, "HTTP/1.1 200 OK\r\n");
    pairs.calls();
    pairs.calls();
    assert!(pairs.answered.is_empty(), "it waits for one more reading only");
}

#[test]
fn the_final_answer_ends_a_call() {
    let mut pairs = Pairs::default();
    ask(&mut pairs, 1, 1_000_000, "POST /a HTTP/1.1\r\n");
    answer(&mut pairs, 1, 2_000_000, "HTTP/1.1 100 Continue\r\n\r\n");
    assert!(pairs.calls().is_empty());
    answer(&mut pairs, 1, 5_000_000, "HTTP/1.1 201 Created\r\n");
    assert_eq!(seen(&pairs.calls()), [("/a", 201, 4_000)]);
}

#[test]
fn waiting_requests_are_bounded() {
    let mut pairs = Pairs::default();
    for exchange in 0..MOST as u32 + 100 {
        ask(&mut pairs, exchange, 1_000, "GET /a HTTP/1.1\r\n");
    }
    assert_eq!(pairs.asked.len(), MOST);
    ask(&mut pairs, u32::MAX, PATIENCE_NS + 2_000, "GET /a HTTP/1.1\r\n");
    assert_eq!(pairs.asked.len(), 1, "those that waited too long go");
}

#[test]
fn what_is_no_http_is_forgotten() {
    let mut pairs = Pairs::default();
    ask(&mut pairs, 1, 1_000, "*1\r\n$4\r\nPING\r\n");
    answer(&mut pairs, 1, 2_000, "+PONG\r\n");
    assert!(pairs.asked.is_empty() && pairs.answered.is_empty());
}

use super::*;
use crate::calls::{Code, Method, Protocol};
use encoder::{Encoder, answer, data, frame, request, trailers};
use netwhy_abi::{HeadEvent, heads::RECEIVED};

mod counted;
mod encoder;
mod random;

/// A connection of a server or a client, of which segments come.
pub(super) struct Wire {
    connections: Connections,
    key: EdgeKey,
    next: [u32; 2],
    now_ns: u64,
}

impl Wire {
    fn new(role: Role) -> Self {
        let key = EdgeKey { role: EdgeKey::role_number(Some(role)), port: 80, ..EdgeKey::new(1, [0; 16]) };
        // Numbers wrap around soon.
        Self { connections: Connections::default(), key, next: [u32::MAX - 60, u32::MAX - 200], now_ns: 1_000_000_000 }
    }

    /// An event of some bytes of one direction that come 1 ms after the last.
    fn event(&mut self, part: u32, size: usize) -> HeadEvent {
        self.now_ns += 1_000_000;
        let next = &mut self.next[usize::from(part == SENT)];
        let begin = *next;
        *next = next.wrapping_add(size as u32);
        HeadEvent {
            key: self.key,
            cookie: 7,
            at_ns: self.now_ns,
            exchange: begin,
            weight: 16,
            part,
            skip: 0,
            length: size as u32,
            bytes: size as u32,
        }
    }

    /// A part is what the role receives of requests, or sends of them.
    fn part(&self, is_request: bool) -> u32 {
        let is_server = self.key.role() == Some(Role::Server);
        if is_request == is_server { RECEIVED } else { SENT }
    }

    fn asks(&mut self, bytes: &[u8]) {
        let event = self.event(self.part(true), bytes.len());
        self.connections.take(&Head { event, bytes });
    }

    fn answers(&mut self, bytes: &[u8]) {
        let event = self.event(self.part(false), bytes.len());
        self.connections.take(&Head { event, bytes });
    }

    /// A segment that nobody saw.
    fn misses(&mut self, is_request: bool, bytes: usize) {
        self.event(self.part(is_request), bytes);
    }

    /// All calls so far; what waits for others waits no longer.
    fn all_calls(&mut self) -> Vec<Call> {
        // Segments wait once for earlier ones, and then an answer once for its request.
        (0..3).flat_map(|_| self.calls()).collect()
    }

    /// The same: each one's name and code.
    fn seen(&mut self) -> Vec<(String, String)> {
        let calls = self.all_calls();
        calls.iter().map(|call| (call.route.clone(), label(call))).collect()
    }

    fn calls(&mut self) -> Vec<Call> {
        self.connections.calls()
    }
}

/// Code of gRPC, or status of HTTP.
fn label(call: &Call) -> String {
    match call.protocol {
        Protocol::Grpc(code) => code.label().to_owned(),
        Protocol::Http1 | Protocol::Http2 => call.status.to_string(),
    }
}

fn pairs(seen: &[(String, String)]) -> Vec<(&str, &str)> {
    seen.iter().map(|(route, label)| (route.as_str(), label.as_str())).collect()
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection from its begin on, and the encoders of its directions.
fn born(role: Role) -> (Wire, Encoder, Encoder) {
    let mut wire = Wire::new(role);
    wire.asks(&[PREFACE, &frame(4, 0, 0, &[0, 3, 0, 0, 0, 100])].concat());
    wire.answers(&frame(4, 0, 0, &[]));
    (wire, Encoder::default(), Encoder::default())
}

#[test]
fn a_unary_call_is_decoded_at_both_ends() {
    for role in Role::ALL {
        let (mut wire, mut asks, mut answers) = born(role);
        for stream in [1, 3, 5] {
            wire.asks(&request(&mut asks, stream, "/shop.Cart/Get"));
            wire.answers(&[answer(&mut answers, stream), trailers(&mut answers, stream, 0)].concat());
        }
        wire.asks(&request(&mut asks, 7, "/shop.Cart/Put"));
        wire.answers(&trailers_only(&mut answers, 7, 14));
        let (mut calls, more) = (wire.calls(), wire.calls());
        calls.extend(more);
        let seen: Vec<_> = calls.iter().map(|call| (call.route.as_str(), label(call), call.us.unwrap())).collect();
        let get = ("/shop.Cart/Get", "OK".to_owned(), 1_000);
        let put = ("/shop.Cart/Put", "UNAVAILABLE".to_owned(), 1_000);
        assert_eq!(seen, [get.clone(), get.clone(), get, put], "{role:?}");
        assert!(calls.iter().all(|call| call.method == Method::Post && call.weight == 16));
    }
}

/// An answer that is nothing but headers.
fn trailers_only(encoder: &mut Encoder, stream: u32, code: u16) -> Vec<u8> {
    let block = encoder.block(&[
        (":status", "200"),
        ("content-type", "application/grpc"),
        ("grpc-status", &code.to_string()),
        ("grpc-message", "secret"),
    ]);
    frame(1, 5, stream, &block)
}

#[test]
fn the_end_of_a_stream_is_the_end_of_a_call() {
    let (mut wire, mut asks, mut answers) = born(Role::Server);
    wire.asks(&request(&mut asks, 1, "/shop.Cart/Watch"));
    wire.answers(&answer(&mut answers, 1));
    assert_eq!(wire.seen(), []);
    for _ in 0..5 {
        wire.answers(&data(1, 100, 0));
    }
    assert_eq!(wire.seen(), []);
    wire.answers(&trailers(&mut answers, 1, 4));
    let calls = wire.calls();
    assert_eq!((calls[0].us, label(&calls[0])), (Some(7_000), "DEADLINE_EXCEEDED".to_owned()));
}

#[test]
fn a_call_that_is_reset_has_the_code_of_its_reset() {
    for (error, label) in [(8_u32, "CANCELLED"), (7, "UNAVAILABLE"), (2, "INTERNAL")] {
        let (mut wire, mut asks, _) = born(Role::Client);
        wire.asks(&request(&mut asks, 1, "/shop.Cart/Get"));
        wire.asks(&frame(3, 0, 1, &error.to_be_bytes()));
        assert_eq!(pairs(&wire.seen()), [("/shop.Cart/Get", label)]);
    }
}

#[test]
fn joined_late_names_are_unknown_and_failures_show_by_their_shape() {
    for role in Role::ALL {
        let (mut asks, mut answers) = (Encoder::default(), Encoder::default());
        let old = [request(&mut asks, 1, "/shop.Cart/Get"), request(&mut asks, 3, "/shop.Cart/Put")];
        let known = [answer(&mut answers, 1), trailers(&mut answers, 1, 0), trailers_only(&mut answers, 3, 5)];
        drop((old, known));
        let mut wire = Wire::new(role);
        wire.asks(&request(&mut asks, 5, "/shop.Cart/Get"));
        wire.answers(&[answer(&mut answers, 5), trailers(&mut answers, 5, 0)].concat());
        wire.asks(&request(&mut asks, 7, "/shop.Cart/Put"));
        wire.answers(&trailers_only(&mut answers, 7, 5));
        // A new path is known; the name of the new code is an older entry.
        wire.asks(&request(&mut asks, 9, "/shop.Cart/Add"));
        wire.answers(&[answer(&mut answers, 9), trailers(&mut answers, 9, 13)].concat());
        let unknown = "/unknown/unknown";
        assert_eq!(
            pairs(&wire.seen()),
            [(unknown, "undecoded"), (unknown, "trailers_only"), ("/shop.Cart/Add", "undecoded")],
            "{role:?}"
        );
    }
}

#[test]
fn after_a_missed_segment_a_block_shows_which_entries_are_which() {
    let (mut wire, mut asks, mut answers) = born(Role::Client);
    wire.asks(&request(&mut asks, 1, "/shop.Cart/Get"));
    wire.answers(&[answer(&mut answers, 1), trailers(&mut answers, 1, 0)].concat());
    // It moves all indices by one.
    let missed = request(&mut asks, 3, "/shop.Cart/Put");
    wire.misses(true, missed.len());
    wire.answers(&[answer(&mut answers, 3), trailers(&mut answers, 3, 0)].concat());
    wire.asks(&request(&mut asks, 5, "/shop.Cart/Get"));
    wire.answers(&[answer(&mut answers, 5), trailers(&mut answers, 5, 0)].concat());
    wire.asks(&request(&mut asks, 7, "/shop.Cart/Add"));
    wire.asks(&request(&mut asks, 9, "/shop.Cart/Add"));
    wire.answers(&[answer(&mut answers, 9), trailers(&mut answers, 9, 0)].concat());
    wire.answers(&[answer(&mut answers, 7), trailers(&mut answers, 7, 0)].concat());
    let (get, add, unknown) = (("/shop.Cart/Get", "OK"), ("/shop.Cart/Add", "OK"), ("/unknown/unknown", "OK"));
    // The one whose request was missed waits for it.
    assert_eq!(pairs(&wire.seen()), [get, get, add, add, unknown]);
}

#[test]
fn missing_parts_of_data_lose_nothing() {
    let (mut wire, mut asks, mut answers) = born(Role::Client);
    wire.asks(&request(&mut asks, 1, "/shop.Cart/Get"));
    let large = data(1, 16_000, 0);
    wire.answers(&[&answer(&mut answers, 1), &large[..1_000]].concat());
    wire.misses(false, 10_000);
    // Of the last one only the begin was copied.
    let event = wire.event(RECEIVED, large.len() - 11_000);
    wire.connections.take(&Head { event, bytes: &large[11_000..11_100] });
    wire.answers(&trailers(&mut answers, 1, 0));
    wire.asks(&request(&mut asks, 3, "/shop.Cart/Get"));
    wire.answers(&[answer(&mut answers, 3), trailers(&mut answers, 3, 16)].concat());
    assert_eq!(pairs(&wire.seen()), [("/shop.Cart/Get", "OK"), ("/shop.Cart/Get", "UNAUTHENTICATED")]);
}

#[test]
fn segments_in_any_order_again_and_byte_by_byte_are_one_stream() {
    let (mut wire, mut asks, mut answers) = born(Role::Server);
    let text = [request(&mut asks, 1, "/shop.Cart/Get"), request(&mut asks, 3, "/shop.Cart/Put")].concat();
    let mut events = Vec::new();
    for at in 0..text.len() {
        events.push((wire.event(RECEIVED, 1), &text[at..=at]));
    }
    for (event, bytes) in events.iter().rev().chain(&events[..9]) {
        wire.connections.take(&Head { event: *event, bytes });
    }
    // A later part of the same bytes, and new ones.
    for stream in [1, 3] {
        wire.answers(&[answer(&mut answers, stream), trailers(&mut answers, stream, 0)].concat());
    }
    assert_eq!(pairs(&wire.seen()), [("/shop.Cart/Get", "OK"), ("/shop.Cart/Put", "OK")]);
}

#[test]
fn a_segment_of_another_cpu_may_come_a_read_later() {
    let (mut wire, mut asks, mut answers) = born(Role::Server);
    assert!(wire.calls().is_empty(), "the first ones wait");
    let (first, second) = (request(&mut asks, 1, "/shop.Cart/Get"), request(&mut asks, 3, "/shop.Cart/Put"));
    let late = wire.event(RECEIVED, first.len());
    wire.asks(&second);
    for stream in [1, 3] {
        wire.answers(&[answer(&mut answers, stream), trailers(&mut answers, stream, 0)].concat());
    }
    assert!(wire.calls().is_empty());
    wire.connections.take(&Head { event: late, bytes: &first });
    assert_eq!(pairs(&wire.seen()), [("/shop.Cart/Get", "OK"), ("/shop.Cart/Put", "OK")]);
}

#[test]
fn http2_that_is_no_grpc_has_routes_and_statuses() {
    let (mut wire, mut asks, mut answers) = born(Role::Server);
    let get = asks.block(&[(":method", "GET"), (":path", "/cart/4711?token=secret"), (":scheme", "http")]);
    wire.asks(&frame(1, 5, 1, &get));
    wire.answers(&frame(1, 4, 1, &answers.block(&[(":status", "103"), ("link", "</a>")])));
    wire.answers(&frame(1, 5, 1, &answers.block(&[(":status", "503"), ("content-type", "text/html")])));
    let post = asks.block(&[(":method", "PURGE"), (":path", "/cart"), ("content-type", "text/plain")]);
    wire.asks(&frame(1, 5, 3, &post));
    wire.answers(&frame(1, 5, 3, &answers.block(&[(":status", "204")])));
    let calls = wire.calls();
    let calls: Vec<_> = calls.into_iter().chain(wire.calls()).collect();
    let seen: Vec<_> =
        calls.iter().map(|call| (call.method, call.route.as_str(), call.status, call.protocol)).collect();
    let get = (Method::Get, "/cart/:id", 503, Protocol::Http2);
    assert_eq!(seen, [get, (Method::Unknown, "/cart", 204, Protocol::Http2)]);
    assert_eq!(calls[0].us, Some(2_000), "to the final answer");
    assert_eq!(calls[0].is_error(), Some(true));
}

#[test]
fn a_proxy_that_answers_without_grpc_has_a_code_by_its_status() {
    let (mut wire, mut asks, mut answers) = born(Role::Client);
    for (stream, status) in [(1, "503"), (3, "404"), (5, "401")] {
        wire.asks(&request(&mut asks, stream, "/shop.Cart/Get"));
        wire.answers(&frame(1, 5, stream, &answers.block(&[(":status", status), ("content-type", "text/html")])));
    }
    let seen = wire.seen();
    let codes: Vec<&str> = seen.iter().map(|(_, code)| code.as_str()).collect();
    assert_eq!(codes, ["UNAVAILABLE", "UNIMPLEMENTED", "UNAUTHENTICATED"]);
}

#[test]
fn what_is_no_http2_makes_no_calls() {
    let mut wire = Wire::new(Role::Server);
    for _ in 0..20 {
        wire.asks(b"*2\r\n$3\r\nGET\r\n$6\r\nsecret\r\n");
        wire.answers(b"$9\r\ntop-secret\r\n");
    }
    assert_eq!(wire.seen(), []);
}

#[test]
fn connections_and_streams_are_bounded() {
    let (mut wire, mut asks, _) = born(Role::Server);
    for stream in 0..1_000 {
        wire.asks(&request(&mut asks, 2 * stream + 1, "/shop.Cart/Get"));
    }
    // The end of the others can't be seen any more.
    let seen = wire.seen();
    assert_eq!(seen.len(), 1_000 - 100);
    assert!(pairs(&seen).iter().all(|call| *call == ("/shop.Cart/Get", "undecoded")));
    for cookie in 100..1_100 {
        let event = HeadEvent { cookie, ..wire.event(RECEIVED, 1) };
        wire.connections.take(&Head { event, bytes: b"x" });
    }
    assert_eq!(wire.connections.connections.len(), MOST);
    // Those that say nothing for ten minutes make room.
    wire.now_ns += PATIENCE_NS;
    for cookie in 2_000..2_002 {
        let event = HeadEvent { cookie, ..wire.event(RECEIVED, 1) };
        wire.connections.take(&Head { event, bytes: b"x" });
    }
    assert!(wire.connections.connections.contains_key(&2_001));
}

#[test]
fn codes_of_a_server_that_failed_are_errors() {
    let failed = [Code::Unknown, Code::DeadlineExceeded, Code::Unimplemented, Code::Internal];
    for code in Code::SENT {
        let is_error = failed.contains(&code) || [Code::Unavailable, Code::DataLoss].contains(&code);
        assert_eq!(code.is_error(), Some(is_error), "{code:?}");
    }
    assert_eq!((Code::TrailersOnly.is_error(), Code::Undecoded.is_error()), (None, None));
    assert_eq!((Code::of(16), Code::of(17)), (Code::Unauthenticated, Code::Unknown));
}

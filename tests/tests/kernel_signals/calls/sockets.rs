//! Shapes of HTTP over the test's own sockets.

use super::scene::{Scene, ask, tell, wait_for_delayed_ack};
use crate::stage::{needs, stage};
use netwhy_abi::{
    Counter, Role,
    heads::{EXCHANGES_PER_PERIOD, PERIOD_SHIFT},
};
use std::{
    io::{Read as _, Write as _},
    thread,
    time::{Duration, Instant},
};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[test]
fn requests_and_answers_of_one_connection_are_paired() {
    needs!(HTTP);
    let stage = stage!("a", "b");
    let mut scene = Scene::open(&stage);
    let (listener, to) = scene.listen();
    let mut pair = scene.connect(&listener, to);
    for n in 0..5 {
        ask(&mut pair, format!("GET /cart/{n}0?q=1 HTTP/1.1\r\nHost: shop\r\n\r\n"), OK);
        ask(&mut pair, "DELETE /cart HTTP/1.1\r\n\r\n", "HTTP/1.1 503 Service Unavailable\r\n\r\n");
    }
    pair.finish();
    let wanted = [("GET", "/cart/:id", 200), ("DELETE", "/cart", 503)].repeat(5);
    scene.expect_both(&wanted);
}

#[test]
fn a_slow_answer_has_its_request_and_its_time() {
    needs!(HTTP);
    let stage = stage!("a", "b");
    let mut scene = Scene::open(&stage);
    let (listener, to) = scene.listen();
    let mut pair = scene.connect(&listener, to);
    for _ in 0..3 {
        tell(&mut pair.client, &mut pair.server, "GET /slow HTTP/1.1\r\n\r\n");
        // The request is acknowledged long before the answer.
        wait_for_delayed_ack();
        tell(&mut pair.server, &mut pair.client, OK);
    }
    pair.finish();
    scene.expect_both(&[("GET", "/slow", 200); 3]);
    for role in Role::ALL {
        for call in scene.calls(role) {
            assert!((249_000..400_000).contains(&call.us.unwrap()), "{call:?}");
        }
    }
}

#[test]
fn heads_without_bodies_and_old_versions_are_read() {
    needs!(HTTP);
    let stage = stage!("a", "b");
    let mut scene = Scene::open(&stage);
    let (listener, to) = scene.listen();
    let mut pair = scene.connect(&listener, to);
    ask(&mut pair, "HEAD /a HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
    ask(&mut pair, "GET /b HTTP/1.0\r\n\r\n", "HTTP/1.0 404 Not Found\r\n\r\n");
    pair.finish();
    scene.expect_both(&[("HEAD", "/a", 200), ("GET", "/b", 404)]);
}

#[test]
fn a_request_in_several_segments_is_one_call() {
    needs!(HTTP);
    let stage = stage!("a", "b");
    let mut scene = Scene::open(&stage);
    let (listener, to) = scene.listen();
    let mut pair = scene.connect(&listener, to);
    for _ in 0..3 {
        tell(&mut pair.client, &mut pair.server, "POST /orders HTTP/1.1\r\n");
        thread::sleep(Duration::from_millis(20));
        tell(&mut pair.client, &mut pair.server, "Content-Length: 40\r\n\r\n");
        thread::sleep(Duration::from_millis(20));
        tell(&mut pair.client, &mut pair.server, "GET /inner HTTP/1.1\r\nthat is no request");
        tell(&mut pair.server, &mut pair.client, "HTTP/1.1 201 Created\r\n");
        tell(&mut pair.server, &mut pair.client, "HTTP/1.1 500 in the body\r\n\r\n");
    }
    pair.finish();
    scene.expect_both(&[("POST", "/orders", 201); 3]);
}

#[test]
fn a_target_that_ends_in_a_later_segment_is_cut() {
    needs!(HTTP);
    let stage = stage!("a", "b");
    let mut scene = Scene::open(&stage);
    let (listener, to) = scene.listen();
    let mut pair = scene.connect(&listener, to);
    tell(&mut pair.client, &mut pair.server, "GET /orders/open/pass");
    thread::sleep(Duration::from_millis(20));
    tell(&mut pair.client, &mut pair.server, "word HTTP/1.1\r\n\r\n");
    tell(&mut pair.server, &mut pair.client, OK);
    pair.finish();
    scene.expect_both(&[("GET", "/orders/open/~", 200)]);
}

#[test]
fn the_final_answer_after_an_interim_one_counts() {
    needs!(HTTP);
    let stage = stage!("a", "b");
    let mut scene = Scene::open(&stage);
    let (listener, to) = scene.listen();
    let mut pair = scene.connect(&listener, to);
    let request = "PUT /upload HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 30000\r\n\r\n";
    for status in [201, 413] {
        ask(&mut pair, request, "HTTP/1.1 100 Continue\r\n\r\n");
        thread::sleep(Duration::from_millis(30));
        ask(&mut pair, [b'x'; 30_000], format!("HTTP/1.1 {status} Final\r\nContent-Length: 0\r\n\r\n"));
    }
    ask(&mut pair, "GET /after HTTP/1.1\r\n\r\n", OK);
    pair.finish();
    scene.expect_both(&[("PUT", "/upload", 201), ("PUT", "/upload", 413), ("GET", "/after", 200)]);
    for role in Role::ALL {
        assert!(
            scene.calls(role)[0].us >= Some(29_000),
            "from the request to the final answer: {:?}",
            scene.calls(role)
        );
    }
}

#[test]
fn pipelined_requests_are_one_call() {
    needs!(HTTP);
    let stage = stage!("a", "b");
    let mut scene = Scene::open(&stage);
    let (listener, to) = scene.listen();
    let mut pair = scene.connect(&listener, to);
    tell(&mut pair.client, &mut pair.server, "GET /one HTTP/1.1\r\n\r\nGET /two HTTP/1.1\r\n\r\n");
    tell(&mut pair.server, &mut pair.client, OK);
    tell(&mut pair.server, &mut pair.client, "HTTP/1.1 404 Not Found\r\n\r\n");
    ask(&mut pair, "GET /three HTTP/1.1\r\n\r\n", OK);
    pair.finish();
    scene.expect_both(&[("GET", "/one", 200), ("GET", "/three", 200)]);
}

#[test]
fn large_bodies_hide_no_call() {
    needs!(HTTP);
    let stage = stage!("a", "b");
    let mut scene = Scene::open(&stage);
    let (listener, to) = scene.listen();
    let mut pair = scene.connect(&listener, to);
    let mut body = b"POST /big HTTP/1.1\r\nContent-Length: 8000000\r\n\r\n".to_vec();
    body.resize(8_000_000, b'x');
    for _ in 0..2 {
        thread::scope(|scope| {
            let (client, body) = (&mut pair.client, &body);
            scope.spawn(move || client.write_all(body).unwrap());
            pair.server.read_exact(&mut vec![0; body.len()]).unwrap();
        });
        tell(&mut pair.server, &mut pair.client, OK);
    }
    pair.finish();
    scene.expect_both(&[("POST", "/big", 200); 2]);
}

#[test]
fn a_cgroup_has_a_bounded_number_of_samples() {
    needs!(HTTP);
    let stage = stage!("a", "b");
    let mut scene = Scene::open(&stage);
    let (listener, to) = scene.listen();
    let mut pair = scene.connect(&listener, to);
    let begin = Instant::now();
    for _ in 0..2_000 {
        ask(&mut pair, "GET /often HTTP/1.1\r\n\r\n", OK);
    }
    let periods = 2 + (begin.elapsed().as_nanos() >> PERIOD_SHIFT) as usize;
    pair.finish();
    scene.read();
    for role in Role::ALL {
        let calls = scene.calls(role).len();
        // Two CPUs may take one place twice.
        let most = (EXCHANGES_PER_PERIOD as usize + 2) * periods;
        assert!((1..=most).contains(&calls), "{calls} calls of the {}", role.label());
    }
    assert!(scene.watch.counter(Counter::HeadsLimited) > 0);
}

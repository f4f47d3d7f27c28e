//! Pools of connections that stay: some handshakes when they are filled, and then requests alone.

use super::*;

/// Round trips of a client's requests, and of a server's answers, µs.
const REQUEST: u32 = 4_200;
const ANSWER: u32 = 200;
const DELAY: u32 = 15_000;

/// A client and a server here, each with a pool to another Pod of `node-0`, and to Nodes that stay as they are.
fn pools() -> Case {
    let mut case = keep_alive(&["web", "api"], &ZONES);
    let at = |edge: &EdgeView| PEERS.iter().position(|peer| *peer == edge.peer.to_ipv4_mapped().unwrap().to_string());
    case.edges.retain(|edge| at(edge).is_some_and(|at| (at % 2 == 0) == (edge.subject.name == "web")));
    for edge in &mut case.edges {
        edge.peer_node = edge.peer_node.take().map(|node| if &*node == "node-1" { "node-0".into() } else { node });
        edge.role = Some(if edge.subject.name == "api" { Role::Server } else { Role::Client });
    }
    case
}

fn usual(edge: &EdgeView) -> u32 {
    if edge.role == Some(Role::Server) { ANSWER } else { REQUEST }
}

/// A second of the first ones: handshakes leave the window, and later what remembers the minimum.
fn filled(case: &Case, second: u64) -> Case {
    let mut case = case.clone();
    for edge in &mut case.edges {
        let (us, handshakes) = (usual(edge), if second < 9 { 3 } else { 0 });
        let role = if edge.role == Some(Role::Server) { 1 } else { 0 };
        edge.window.connects[role] = handshakes;
        edge.window.rtt = rtts(&[(115, handshakes), (us, 30)]);
        edge.window.min_rtt_us = Some(if second < 17 { 115 } else { us });
    }
    case
}

/// After 25 s, in which nothing may be said.
fn warm(case: &Case) -> Run {
    let mut run = Run::new();
    (0..25).for_each(|second| run.expect_silence(1, &filled(case, second)));
    run
}

/// For `slow` seconds packets have been late on the way to `node-0`. `few`: the client has few samples of late.
fn late(case: &Case, slow: u64, few: bool) -> Case {
    let mut case = filled(case, 25);
    for edge in case.edges.iter_mut().filter(|edge| edge.peer_node.as_deref() == Some("node-0")) {
        let us = usual(edge);
        let mixed = |seconds: u64| {
            let slow = slow.min(seconds);
            rtts(&[(us, 3 * (seconds - slow)), (us + DELAY, 3 * slow)])
        };
        edge.window.rtt = mixed(10);
        edge.recent = edge.window.clone();
        let is_few = few && edge.role == Some(Role::Client);
        edge.recent.rtt = if is_few { rtts(&[(us + DELAY, 7)]) } else { mixed(3) };
    }
    case
}

fn expect_node(hints: &[crate::api::Hint]) {
    assert!(!hints.is_empty());
    for hint in hints {
        assert!(hint.cause == "path_latency" && hint.blame.mentions("node-0"), "{hint:?}");
    }
}

/// The handshakes were faster than any request since. They are no measure for requests.
#[test]
fn a_longer_path_under_pools_that_were_filled_a_while_ago_is_named() {
    let case = pools();
    let mut run = warm(&case);
    let named = (1..=6).find(|slow| !firing(&run.tick(&late(&case, *slow, false))).is_empty());
    assert!(named.is_some_and(|second| second <= 5), "{named:?}");
    expect_node(&firing(&run.ticks(3, &late(&case, 10, false))));
}

/// The last seconds of the client's edge have too few samples now and then: those of the window are older than the rise.
#[test]
fn a_longer_path_with_few_samples_now_and_then_is_named() {
    let case = pools();
    let mut run = warm(&case);
    for slow in 1..=8 {
        run.tick(&late(&case, slow, slow >= 4));
    }
    expect_node(&firing(&run.ticks(3, &late(&case, 9, false))));
}

/// All requests of pools that were filled at once take longer than their handshakes, by as long as servers think.
#[test]
fn pools_that_are_filled_at_once_have_no_longer_path() {
    let case = keep_alive(&["cart", "payment", "search"], &ZONES);
    let mut run = Run::new();
    for second in 0..60 {
        let mut now = filled(&case, second);
        for edge in &mut now.edges {
            edge.window.rtt = rtts(&[(115, if second < 9 { 3 } else { 0 }), (20_000, 30)]);
            edge.window.min_rtt_us = Some(if second < 17 { 115 } else { 20_000 });
        }
        run.expect_silence(1, &now);
    }
}

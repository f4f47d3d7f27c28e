//! Statements about a call are true, whatever is missing.

use super::*;
use std::collections::HashMap;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % most as u64) as usize
    }
}

/// Sends some bytes in segments, some of which are missed, or copied in part.
fn send(wire: &mut Wire, random: &mut Random, is_request: bool, bytes: &[u8], missed: usize) {
    let mut rest = bytes;
    while !rest.is_empty() {
        let whole = random.below(3) > 0;
        let (segment, after) = rest.split_at(if whole { rest.len() } else { 1 + random.below(rest.len()) });
        rest = after;
        let mut event = wire.event(wire.part(is_request), segment.len());
        // The time is the call's, which tells it.
        event.at_ns = wire.now_ns;
        match random.below(1_000) {
            lot if lot < missed => {}
            lot if lot < missed * 2 => {
                wire.connections.take(&Head { event, bytes: &segment[..random.below(segment.len())] });
            }
            _ => wire.connections.take(&Head { event, bytes: segment }),
        }
    }
}

/// Calls that were seen, and those of them whose name is known.
fn run(role: Role, seed: u64, missed: usize) -> (usize, usize) {
    let mut random = Random(seed);
    let (mut wire, mut asks, mut answers) = born(role);
    let mut truth = HashMap::new();
    let (mut all, mut named) = (0, 0);
    for number in 0..400_u32 {
        // Enough names that entries are evicted.
        let path = format!("/shop.Service{}/Method", ["A", "B", "C", "D", "Words", "More"][random.below(6)]);
        let path = if random.below(4) == 0 { format!("{path}Of{}", random.below(99)) } else { path };
        let (stream, code) = (2 * number + 1, if random.below(3) == 0 { random.below(17) as u16 } else { 0 });
        let text = request(&mut asks, stream, &path);
        wire.now_ns = u64::from(number + 1) * 1_000_000_000;
        send(&mut wire, &mut random, true, &text, missed);
        let text = if code != 0 && random.below(2) == 0 {
            trailers_only(&mut answers, stream, code)
        } else {
            [answer(&mut answers, stream), trailers(&mut answers, stream, code)].concat()
        };
        // A time of its own tells each call.
        wire.now_ns = u64::from(number + 1) * 1_000_000_000 + u64::from(number + 1) * 100_000_000;
        send(&mut wire, &mut random, false, &text, missed);
        truth.insert(number, (path, Code::of(code)));
        if random.below(5) == 0 {
            check(&mut wire, &truth, &mut all, &mut named);
        }
    }
    check(&mut wire, &truth, &mut all, &mut named);
    check(&mut wire, &truth, &mut all, &mut named);
    (all, named)
}

fn check(wire: &mut Wire, truth: &HashMap<u32, (String, Code)>, all: &mut usize, named: &mut usize) {
    for call in wire.calls() {
        let Some(us) = call.us else {
            // Nobody knows which one it is.
            assert!(call.route == "/unknown/unknown" || label(&call) == "undecoded", "{call:?}");
            continue;
        };
        let number = (us / 100_000 - 1) as u32;
        let (path, code) = &truth[&number];
        let Protocol::Grpc(seen) = call.protocol else { panic!("{call:?} of {path}") };
        assert!(call.route == "/unknown/unknown" || call.route == *path, "{call:?} of {path}");
        assert!([*code, Code::Undecoded, Code::TrailersOnly].contains(&seen), "{call:?} of {path} {code:?}");
        *all += 1;
        *named += usize::from(call.route == *path);
    }
}

#[test]
fn where_nothing_is_missed_every_call_is_known() {
    for (seed, role) in [(1, Role::Server), (2, Role::Client), (3, Role::Server)] {
        assert_eq!(run(role, seed, 0), (400, 400));
    }
}

#[test]
fn where_segments_are_missed_nothing_is_said_that_is_not_so() {
    let (mut all, mut named) = (0, 0);
    for seed in 0..60 {
        let missed = [2, 10, 50][seed as usize % 3];
        let (calls, known) = run(if seed % 2 == 0 { Role::Server } else { Role::Client }, seed, missed);
        (all, named) = (all + calls, named + known);
    }
    assert!(all > 10_000 && named > 2_000 && named < all, "{named} of {all}");
}

use super::*;
use crate::hints::testing::{healthy, rtts};
use std::time::Duration;

/// A window of a client's edge. The minimum reaches back before it, to the handshakes.
fn window(us: u32, handshakes: u64) -> EdgeView {
    let mut edge = healthy("cart", "10.0.0.7");
    edge.window.connects = [handshakes, 0];
    edge.window.rtt = rtts(&[(100, handshakes), (us, 30)]);
    edge.window.min_rtt_us = Some(100);
    edge
}

fn learn(memory: &mut MinimumMemory, edge: &EdgeView, ticks: u32) {
    let (window, tick) = (Duration::from_secs(10), Duration::from_secs(1));
    let step = Step { window, tick, hz: None, keep: 0.998, share: 0.1, loss_share: 0.1 };
    (0..ticks).for_each(|_| memory.learn(&edge.window, step, &Thresholds::default()));
}

#[test]
fn samples_without_a_handshake_are_compared_with_windows_without_one() {
    let (new, kept) = (window(4_200, 3), window(4_200, 0));
    let mut memory = MinimumMemory::default();
    learn(&mut memory, &new, 12);
    // Nothing else is known.
    for edge in [&new, &kept] {
        assert!(memory.of_newest_us(edge).is_some_and(|us| us < 110.0));
    }
    learn(&mut memory, &kept, 9);
    assert!(memory.of_newest_us(&kept).is_some_and(|us| us < 110.0));
    learn(&mut memory, &kept, 3);
    assert!(memory.of_newest_us(&kept).is_some_and(|us| (4_000.0..4_400.0).contains(&us)));
    assert!(memory.of_newest_us(&new).is_some_and(|us| us < 110.0));
    let normal = memory.normal(&kept, None).expect("it is known");
    assert!((4_000.0..4_400.0).contains(&normal.min_us) && normal.above == 0.0 && normal.samples > 0.0);
    // The last seconds may have none although the window has one.
    let mut later = new.clone();
    later.recent.rtt = rtts(&[(4_200, 10)]);
    assert!(memory.of_newest_us(&later).is_some_and(|us| us > 4_000.0));
}

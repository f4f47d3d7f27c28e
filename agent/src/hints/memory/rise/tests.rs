use super::*;
use crate::hints::{
    memory::path::Rise,
    testing::{healthy, rtts},
};

fn longer(median_us: f64) -> Option<Path> {
    Some(Path::Longer(Rise {
        now_us: median_us,
        median_us,
        usual_us: 100.0,
        samples: 20,
        ln_p: -40.0,
        handshakes: 0,
        bulk: false,
        full: false,
        shortest_us: None,
    }))
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(100 + n)
}

#[test]
fn a_rise_remembers_its_last_seconds_and_since_when_it_lasts() {
    let mut edge = healthy("cart", "10.0.0.7");
    edge.recent.rtt = rtts(&[(9_000, 30)]);
    (edge.recent.bytes_acked, edge.recent.bytes_received) = (400, 600);
    let mut memory = RiseMemory::default();
    assert!(memory.since().is_none() && memory.at(seconds(0)).is_none());
    for second in 0..20 {
        memory.observe(longer(f64::from(second as u32) * 1e3), &edge, seconds(second));
    }
    assert_eq!(memory.since(), Some(seconds(0)));
    assert_eq!(memory.beats().next().map(|beat| beat.at), Some(seconds(7)));
    let before = Beat { at: seconds(16), median_us: 16_000.0, bytes: 1_000, samples: 30 };
    assert_eq!(memory.at(seconds(17) - APART), Some(&before));
    assert_eq!(memory.at(seconds(6)), None);
}

#[test]
fn an_unknown_moment_is_left_out_and_a_fast_one_ends_the_rise() {
    let edge = healthy("cart", "10.0.0.7");
    let mut memory = RiseMemory::default();
    memory.observe(longer(9e3), &edge, seconds(0));
    memory.observe(None, &edge, seconds(1));
    assert_eq!((memory.since(), memory.beats().count()), (None, 1));
    memory.observe(longer(9e3), &edge, seconds(2));
    assert_eq!((memory.since(), memory.beats().count()), (Some(seconds(2)), 2));
    // A tick that comes early adds nothing.
    memory.observe(longer(9e3), &edge, seconds(2) + APART / 2);
    assert_eq!(memory.beats().count(), 2);
    memory.observe(Some(Path::Usual), &edge, seconds(3));
    assert_eq!((memory.since(), memory.beats().count()), (None, 0));
}

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

const WINDOW: Duration = Duration::from_secs(10);

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
        memory.observe(longer(f64::from(second as u32) * 1e3), &edge, seconds(second), WINDOW);
    }
    assert_eq!(memory.since(), Some(seconds(0)));
    assert_eq!(memory.beats().next().map(|beat| beat.at), Some(seconds(7)));
    let before = Beat { at: seconds(16), median_us: 16_000.0, bytes: 1_000, samples: 30 };
    assert_eq!(memory.at(seconds(17) - APART), Some(&before));
    assert_eq!(memory.at(seconds(6)), None);
}

/// Too few samples in the last seconds are no end: a window's older ones date from before.
#[test]
fn a_rise_goes_on_through_unknown_moments_and_a_fast_one_ends_it() {
    let edge = healthy("cart", "10.0.0.7");
    let mut memory = RiseMemory::default();
    memory.observe(longer(9e3), &edge, seconds(0), WINDOW);
    memory.observe(None, &edge, seconds(1), WINDOW);
    assert_eq!((memory.since(), memory.beats().count()), (Some(seconds(0)), 1));
    memory.observe(longer(9e3), &edge, seconds(2), WINDOW);
    assert_eq!((memory.since(), memory.beats().count()), (Some(seconds(0)), 2));
    // A tick that comes early adds nothing.
    memory.observe(longer(9e3), &edge, seconds(2) + APART / 2, WINDOW);
    assert_eq!(memory.beats().count(), 2);
    memory.observe(Some(Path::Usual), &edge, seconds(3), WINDOW);
    assert_eq!((memory.since(), memory.began(), memory.beats().count()), (None, None, 0));
    // After a whole window without knowledge it may have ended.
    memory.observe(longer(9e3), &edge, seconds(4), WINDOW);
    memory.observe(longer(9e3), &edge, seconds(30), WINDOW);
    assert_eq!(memory.since(), Some(seconds(30)));
}

/// Edges with few and with many samples show the same rise at different times.
#[test]
fn a_rise_began_as_long_ago_as_the_samples_that_show_it_reach_back() {
    let began = |samples: u64, second: u64| {
        let mut edge = healthy("cart", "10.0.0.7");
        edge.recent.rtt = rtts(&[(9_000, samples)]);
        let mut memory = RiseMemory::default();
        memory.observe(longer(9e3), &edge, seconds(second), WINDOW);
        memory.began()
    };
    assert_eq!((began(30, 3), began(5, 10)), (Some(seconds(0)), Some(seconds(0))));
}

use super::*;
use crate::hints::testing::{healthy, rtts};

const WINDOW: Duration = Duration::from_secs(10);

/// One edge second by second. `us`: round trips of the last seconds.
struct Seconds {
    memory: LowestMemory,
    at: Duration,
}

impl Seconds {
    fn tick(&mut self, us: u32) -> Option<Lowest> {
        self.judge(&edge(us, 30))
    }

    fn judge(&mut self, edge: &EdgeView) -> Option<Lowest> {
        self.at += Duration::from_secs(1);
        let thresholds = Thresholds::default();
        self.memory.observe(edge, self.at, WINDOW, &thresholds);
        let found = self.memory.judge(edge, WINDOW, &thresholds);
        let tick = Duration::from_secs(1);
        let step = Step { window: WINDOW, tick, hz: None, keep: 0.998, share: 0.1, loss_share: 0.1 };
        self.memory.learn(self.at, step);
        found
    }
}

fn edge(us: u32, samples: u64) -> EdgeView {
    let mut edge = healthy("cart", "10.0.0.7");
    edge.recent.rtt = rtts(&[(us, samples)]);
    edge
}

fn seconds(n: u64) -> Seconds {
    let mut seconds = Seconds { memory: LowestMemory::default(), at: Duration::ZERO };
    (0..n).for_each(|_| assert!(!rose(seconds.tick(100))));
    seconds
}

fn rose(found: Option<Lowest>) -> bool {
    matches!(found, Some(Lowest::Rose(_)))
}

#[test]
fn a_rise_of_milliseconds_above_steady_round_trips_counts_once_it_lasts() {
    let mut edge = seconds(30);
    assert_eq!(edge.tick(100), Some(Lowest::Usual));
    let found: Vec<bool> = (0..6).map(|_| rose(edge.tick(1_600))).collect();
    assert_eq!(found, [false, false, false, true, true, true]);
    let Some(Lowest::Rose(slight)) = edge.tick(1_600) else { panic!("no rise") };
    assert_eq!(slight.began, Duration::from_secs(32) - RECENT);
    assert!((1_300.0..1_600.0).contains(&slight.rise.increase_us()), "{slight:?}");
    assert_eq!(edge.tick(100), Some(Lowest::Usual));
}

#[test]
fn rises_that_come_and_go_are_the_noise_of_the_edge() {
    let mut edge = seconds(30);
    (0..4).for_each(|_| {
        edge.tick(1_600);
    });
    edge.tick(100);
    assert!((0..30).all(|_| !rose(edge.tick(1_600))));
    assert!((0..30).all(|_| !rose(edge.tick(4_000))));
    // Far above it.
    let mut edge = seconds(30);
    (0..4).for_each(|_| {
        edge.tick(1_600);
    });
    edge.tick(100);
    assert!((0..6).any(|_| rose(edge.tick(6_000))));
}

#[test]
fn a_rise_that_a_finding_explains_is_no_noise() {
    let mut edge = seconds(30);
    for _ in 0..10 {
        edge.tick(1_600);
        edge.memory.distrust();
    }
    edge.tick(100);
    assert!((0..6).any(|_| rose(edge.tick(1_600))));
}

#[test]
fn a_rise_of_a_minute_without_a_finding_becomes_normal() {
    let mut edge = seconds(30);
    (0..80).for_each(|_| {
        edge.tick(1_600);
    });
    assert_eq!(edge.tick(1_600), Some(Lowest::Usual));
}

#[test]
fn more_usual_windows_and_more_slow_ones_are_stronger_evidence() {
    assert!((ln_highest(6.0, 3.0) + 84_f64.ln()).abs() < 1e-9);
    assert!(ln_highest(6.0, 4.0) < ln_highest(6.0, 3.0));
    assert!(ln_highest(20.0, 3.0) < ln_highest(6.0, 3.0));
    assert_eq!(ln_highest(0.0, 3.0), 0.0);
}

/// One request a second: the window is judged, and its older samples acquit nobody.
#[test]
fn few_samples_are_judged_over_the_window() {
    let sparse = |us: u32| {
        let mut edge = edge(us, 3);
        edge.window.rtt = rtts(&[(us, 10)]);
        edge
    };
    let mut edge = seconds(30);
    assert_eq!(edge.judge(&sparse(100)), None);
    assert!((0..6).any(|_| rose(edge.judge(&sparse(1_600)))));
    let mut few = sparse(1_600);
    few.window.rtt = rtts(&[(1_600, 7)]);
    assert_eq!(edge.judge(&few), None);
}

/// Judges and the baseline take what the tick found when it began.
#[test]
fn the_newest_samples_are_found_once_a_tick() {
    let mut seconds = seconds(30);
    let mut several = edge(1_600, 30);
    several.window.rtt = rtts(&[(100, 50)]);
    seconds.judge(&several);
    let of_tick = Newest { are_recent: true, samples: 30, lowest_us: rtts(&[(1_600, 30)]).quantile_us(0.1).unwrap() };
    assert_eq!(seconds.memory.newest, Some(of_tick));
    several.recent.rtt = rtts(&[(1_600, 3)]);
    seconds.judge(&several);
    assert_eq!(seconds.memory.newest.map(|newest| (newest.are_recent, newest.samples)), Some((false, 50)));
    several.window.rtt = rtts(&[(100, 3)]);
    seconds.judge(&several);
    assert_eq!(seconds.memory.newest, None);
}

/// A pool that was filled: its handshakes were faster than any of its requests.
#[test]
fn handshakes_are_no_noise_of_connections_that_stay() {
    let of = |us: u32, handshakes: u64| {
        let mut edge = edge(us, 30);
        edge.window.rtt = rtts(&[(us, 90)]);
        (edge.window.connects, edge.recent.connects) = ([handshakes, 0], [handshakes, 0]);
        edge
    };
    let mut edge = seconds(0);
    (0..9).for_each(|_| assert!(!rose(edge.judge(&of(100, 3)))));
    (0..20).for_each(|_| assert!(!rose(edge.judge(&of(4_200, 0)))));
    // Another handshake says nothing of the others.
    assert_eq!(edge.judge(&of(100, 3)), None);
    assert_eq!(edge.judge(&of(4_200, 0)), Some(Lowest::Usual));
    assert!((0..6).any(|_| rose(edge.judge(&of(7_500, 0)))));
}

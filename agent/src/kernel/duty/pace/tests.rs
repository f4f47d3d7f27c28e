use super::*;
use netwhy_abi::{pace, random_bits};

/// Connections with exchanges at equal distances, and what each second of them makes of a pace.
struct Machine {
    pace: Pace,
    now: Duration,
    timed: u64,
    us: u32,
}

impl Machine {
    fn new(cpus: u64) -> Self {
        let mut pace = Pace::new(cpus);
        pace.follow(Duration::ZERO, 0, true);
        Self { pace, now: Duration::ZERO, timed: 0, us: 0 }
    }

    /// Returns the exchanges counted in the last second.
    fn seconds(&mut self, seconds: u32, connections: u32, since_us: u64, is_busy: bool) -> u64 {
        let mut counted = 0;
        for second in 0..seconds {
            self.now += Duration::from_secs(1);
            let exchanges = connections * (1_000_000 / since_us) as u32;
            let is_drawn = |n: &u32| pace::times(since_us, self.us, random_bits(n * 100, second).0) != 0;
            counted = (0..exchanges).filter(is_drawn).count() as u64;
            self.timed += counted;
            self.us = self.pace.follow(self.now, self.timed, is_busy);
        }
        counted
    }
}

#[test]
fn few_exchanges_are_all_counted() {
    let mut machine = Machine::new(2);
    machine.seconds(60, 10, 5_100, true);
    assert_eq!(machine.us, 0);
}

#[test]
fn the_number_of_counted_exchanges_is_bounded_whatever_the_number_of_connections() {
    for (connections, since_us) in [(1, 20), (2, 300), (6, 300), (64, 5_000), (1_000, 100_000)] {
        let mut machine = Machine::new(2);
        assert!(machine.seconds(12, connections, since_us, true) <= 2_100, "{connections} × {since_us} µs");
        // It stays so, and is enough.
        for _ in 0..30 {
            let counted = machine.seconds(1, connections, since_us, true);
            assert!((100..=2_100).contains(&counted), "{connections} × {since_us} µs: {counted}");
        }
    }
}

#[test]
fn a_burst_leaves_no_exchange_out() {
    let mut machine = Machine::new(1);
    for _ in 0..10 {
        machine.seconds(2, 10, 1_000, true);
        machine.seconds(1, 10, 100_000, true);
        assert_eq!(machine.us, 0);
    }
}

#[test]
fn each_exchange_counts_again_after_a_while_with_few_and_at_once_where_the_machine_is_not_busy() {
    let mut machine = Machine::new(1);
    machine.seconds(12, 10, 300, true);
    let us = machine.us;
    assert!(us >= 1_000, "{us}");
    machine.seconds(5, 1, 100_000, true);
    assert_eq!(machine.us, us);
    machine.seconds(120, 1, 100_000, true);
    assert_eq!(machine.us, 0);
    machine.seconds(12, 10, 300, true);
    machine.seconds(1, 10, 300, false);
    assert_eq!(machine.us, 0);
}

#[test]
fn a_gap_of_observation_changes_no_pace() {
    let mut machine = Machine::new(1);
    machine.seconds(12, 10, 300, true);
    let us = machine.us;
    for _ in 0..30 {
        machine.pace.restart();
        machine.seconds(1, 10, 300, true);
        assert_eq!(machine.us, us);
    }
}

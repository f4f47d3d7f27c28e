//! When the scheduler is looked at: only while tasks wait for CPUs.

use super::switch::Switch;
use crate::sample::{CgroupFacts, HostSample, Signal};
use std::{collections::HashMap, time::Duration};

/// Share of the time in which some task waits for a CPU (PSI) from which a Pod, or the Node, is under pressure …
const HIGH: f64 = 0.1;
/// … and for how long, before it is believed.
const RISE: Duration = Duration::from_secs(6);
/// Share below which there is none …
const LOW: f64 = 0.05;
/// … and for how long, before it is believed.
const FALL: Duration = Duration::from_secs(30);

/// While there is pressure, one second in so many is looked at: that tells waits as well, at a fraction of the cost. A window
/// of judgement of ten seconds holds one, a shorter one may hold none.
const TURN: u64 = 10;

/// How long a share is believed when its counter stands still, at least: the files are read less often than snapshots are
/// taken.
const HOLD: Duration = Duration::from_secs(3);
/// And at most.
const LONGEST_HOLD: Duration = Duration::from_secs(60);

/// One pressure file.
#[derive(Clone, Copy)]
struct Last {
    seen: Duration,
    moved: Duration,
    some_us: u64,
    /// Over the time before `moved`.
    share: f64,
    /// How long after `moved` the share is believed.
    hold: Duration,
}

/// Follows CPU pressure.
pub(super) struct Gate {
    last: HashMap<u64, Last>,
    switch: Switch,
    /// When the pressure there is came to be believed.
    began: Duration,
}

impl Default for Gate {
    fn default() -> Self {
        Self { last: HashMap::new(), switch: Switch::new(RISE, FALL), began: Duration::ZERO }
    }
}

/// Stands for the Node, whose cgroup id is no other's.
const NODE: u64 = 0;

impl Gate {
    /// Takes the newest figures and says whether CPUs are short.
    pub(super) fn update(&mut self, now: Duration, groups: &[CgroupFacts], host: Option<&HostSample>) -> bool {
        let node = host.and_then(|host| {
            host.counters.iter().find(|(signal, ..)| *signal == Signal::PressureCpuSome).map(|(.., n)| (NODE, *n))
        });
        let pods = groups.iter().filter_map(|group| Some((group.id, group.pressure?.cpu_some_us)));
        let highest =
            node.into_iter().chain(pods).map(|(id, some_us)| self.share(now, id, some_us)).fold(0.0, f64::max);
        self.last.retain(|_, last| now.saturating_sub(last.seen) < FALL);
        let was_short = self.switch.is_on();
        let is_short = self.switch.update(now, highest >= HIGH, highest < LOW);
        if is_short && !was_short {
            self.began = now;
        }
        is_short
    }

    /// Whether this is a second to look at the scheduler in, while CPUs are short: the first one is.
    pub(super) fn is_turn(&self, now: Duration) -> bool {
        // Ticks come about each second: to the nearest one.
        (now.saturating_sub(self.began) + Duration::from_millis(500)).as_secs().is_multiple_of(TURN)
    }

    /// Share between the last two moves of the counter; 0 when it has stood still for long.
    fn share(&mut self, now: Duration, id: u64, some_us: u64) -> f64 {
        let first = Last { seen: now, moved: now, some_us, share: 0.0, hold: HOLD };
        let last = self.last.entry(id).or_insert(first);
        last.seen = now;
        let elapsed = now.saturating_sub(last.moved);
        if some_us > last.some_us && !elapsed.is_zero() {
            let share = (some_us - last.some_us) as f64 / 1e6 / elapsed.as_secs_f64();
            let hold = elapsed.mul_f64(1.5).clamp(HOLD, LONGEST_HOLD);
            *last = Last { seen: now, moved: now, some_us, share, hold };
        } else if elapsed > last.hold {
            return 0.0;
        }
        last.share
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Pressure;

    /// Ticks for so many seconds with a Pod's pressure at this share; returns the last answer.
    fn run(gate: &mut Gate, clock: &mut (u64, u64), seconds: u64, share: f64) -> bool {
        let mut open = false;
        for _ in 0..seconds {
            clock.0 += 1;
            clock.1 += (share * 1e6) as u64;
            // Read every other second.
            let read = clock.1 - if clock.0.is_multiple_of(2) { 0 } else { (share * 1e6) as u64 };
            let pressure = Some(Pressure { cpu_some_us: read, ..Pressure::default() });
            let group = CgroupFacts { id: 7, pressure, ..CgroupFacts::default() };
            open = gate.update(Duration::from_secs(clock.0), &[group], None);
        }
        open
    }

    #[test]
    fn opens_after_seconds_of_pressure_and_closes_long_after_it() {
        let (mut gate, mut clock) = (Gate::default(), (0, 0));
        assert!(!run(&mut gate, &mut clock, 60, 0.08), "below the limit");
        assert!(!run(&mut gate, &mut clock, 5, 0.5));
        assert!(run(&mut gate, &mut clock, 5, 0.5), "pressure lasts");
        assert!(run(&mut gate, &mut clock, 60, 0.07), "between the limits nothing changes");
        assert!(run(&mut gate, &mut clock, 20, 0.0));
        assert!(!run(&mut gate, &mut clock, 20, 0.0));
    }

    #[test]
    fn one_second_in_ten_is_looked_at_from_the_first_on() {
        let (mut gate, mut clock) = (Gate::default(), (0, 0));
        while !run(&mut gate, &mut clock, 1, 0.5) {}
        let began = Duration::from_secs(clock.0);
        let turns = [0, 990, 2_010, 4_980, 8_995, 9_997, 11_004, 15_000, 19_001, 20_010];
        let looks = turns.map(|ms| gate.is_turn(began + Duration::from_millis(ms)));
        assert_eq!(looks, [true, false, false, false, false, true, false, false, false, true]);
    }

    #[test]
    fn short_bursts_do_not_open() {
        let (mut gate, mut clock) = (Gate::default(), (0, 0));
        for _ in 0..10 {
            assert!(!run(&mut gate, &mut clock, 2, 0.5));
            assert!(!run(&mut gate, &mut clock, 10, 0.0));
        }
    }

    #[test]
    fn pressure_of_the_node_alone_opens() {
        let mut gate = Gate::default();
        let at = |gate: &mut Gate, second: u64| {
            let counters = vec![(Signal::PressureCpuSome, None, second * 400_000)];
            let host = HostSample { counters, ..HostSample::default() };
            gate.update(Duration::from_secs(second), &[], Some(&host))
        };
        assert!((1..8).all(|second| !at(&mut gate, second)));
        assert!(at(&mut gate, 8));
    }
}

//! CPU pressure (PSI) of Pods and of the Node, with hysteresis.

use super::hysteresis::Hysteresis;
use crate::sample::{CgroupFacts, HostSample, Signal};
use std::{collections::HashMap, time::Duration};

/// Pressure is high when some task waits for a CPU for this share of the time …
const HIGH: f64 = 0.1;
/// … for this long.
const RISE: Duration = Duration::from_secs(6);
/// Pressure is low below this share …
const LOW: f64 = 0.05;
/// … for this long.
const FALL: Duration = Duration::from_secs(30);

/// Shortest time for which a share stays valid while its counter stands still: the files are read less often than
/// snapshots are taken.
const MIN_HOLD: Duration = Duration::from_secs(3);
/// Longest such time.
const MAX_HOLD: Duration = Duration::from_secs(60);

/// One pressure file.
#[derive(Clone, Copy)]
struct Reading {
    seen: Duration,
    changed: Duration,
    some_us: u64,
    /// Share of the time before `changed`.
    share: f64,
    /// How long the share stays valid after `changed`.
    hold: Duration,
}

/// Follows CPU pressure.
pub(super) struct CpuPressure {
    readings: HashMap<u64, Reading>,
    hysteresis: Hysteresis,
}

impl Default for CpuPressure {
    fn default() -> Self {
        Self { readings: HashMap::new(), hysteresis: Hysteresis::new(RISE, FALL) }
    }
}

/// Key of the Node, which is no cgroup's id.
const NODE: u64 = 0;

impl CpuPressure {
    /// Takes the newest counters and returns whether pressure is high.
    pub(super) fn update(&mut self, now: Duration, groups: &[CgroupFacts], host: Option<&HostSample>) -> bool {
        let node = host.and_then(|host| {
            host.counters.iter().find(|(signal, ..)| *signal == Signal::PressureCpuSome).map(|(.., n)| (NODE, *n))
        });
        let pods = groups.iter().filter_map(|group| Some((group.id, group.pressure?.cpu_some_us)));
        let highest =
            node.into_iter().chain(pods).map(|(id, some_us)| self.share(now, id, some_us)).fold(0.0, f64::max);
        self.readings.retain(|_, reading| now.saturating_sub(reading.seen) < FALL);
        self.hysteresis.update(now, highest >= HIGH, highest < LOW)
    }

    /// Share between the last two changes of the counter; 0 after it stands still for long.
    fn share(&mut self, now: Duration, id: u64, some_us: u64) -> f64 {
        let first = Reading { seen: now, changed: now, some_us, share: 0.0, hold: MIN_HOLD };
        let reading = self.readings.entry(id).or_insert(first);
        reading.seen = now;
        let elapsed = now.saturating_sub(reading.changed);
        if some_us > reading.some_us && !elapsed.is_zero() {
            let share = (some_us - reading.some_us) as f64 / 1e6 / elapsed.as_secs_f64();
            let hold = elapsed.mul_f64(1.5).clamp(MIN_HOLD, MAX_HOLD);
            *reading = Reading { seen: now, changed: now, some_us, share, hold };
        } else if elapsed > reading.hold {
            return 0.0;
        }
        reading.share
    }
}

#[cfg(test)]
mod tests;

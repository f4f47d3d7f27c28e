//! When walks begin, and how much of one a tick makes. Pure.

use std::time::Duration;

/// CPU time of a walk in one tick that is always allowed. Most Nodes are walked whole in it.
const PART: Duration = Duration::from_millis(50);
/// Most CPU time of walks, as a share of one core. Beyond it the longest distance gives way.
const CEILING: f64 = 0.1;

/// Distance of walks.
#[derive(Clone, Copy, Debug)]
pub(in crate::kernel) struct Pace {
    /// Shortest time between the beginnings of two walks.
    pub(in crate::kernel) min_interval: Duration,
    /// Longest time between them.
    pub(in crate::kernel) max_interval: Duration,
    /// CPU time of walks as a share of one core, as long as the longest time allows it.
    pub(in crate::kernel) cpu_share: f64,
}

impl Pace {
    /// Time from the beginning of a walk that took `cpu` time to that of the next.
    pub(super) fn interval(&self, cpu: Duration) -> Duration {
        let affordable = cpu.div_f64(self.cpu_share.max(1e-6));
        affordable.min(self.max_interval).max(self.min_interval)
    }

    /// Time after its beginning at which a walk is to be complete. The other half of the longest distance is a reserve.
    pub(super) fn duration(&self) -> Duration {
        self.max_interval / 2
    }

    /// CPU time for the next part of a walk. `left`: CPU time that the rest will take; `None`: not known. `until`: time
    /// until it is to be complete. `elapsed`: time since the last part.
    pub(super) fn part(left: Option<Duration>, until: Duration, elapsed: Duration) -> Duration {
        let most = elapsed.mul_f64(CEILING);
        let parts = until.as_secs_f64() / elapsed.as_secs_f64().max(1e-3);
        left.map_or(most, |left| left.div_f64(parts.max(1.0)).min(most)).max(PART)
    }
}

#[cfg(test)]
mod tests;

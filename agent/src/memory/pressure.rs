//! From use and limit to a level. Pure.

use super::Reading;
use crate::api::MemoryLevel;

/// Share of the limit from which the agent sheds load: sockets get storage only where counts would be wrong without.
pub const NEAR_SHARE: f64 = 0.75;
/// Share of the limit from which nothing new is kept.
pub const CRITICAL_SHARE: f64 = 0.88;
/// A level ends when the use is below its share by this much.
const HYSTERESIS: f64 = 0.05;
/// Share of the room at the start that the sockets of the first walk may take: the agent's own memory grows then too.
const START_SHARE: f64 = 0.5;

/// The level of memory use, with hysteresis.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pressure {
    level: MemoryLevel,
}

/// Room below the limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Headroom {
    /// The level.
    pub level: MemoryLevel,
    /// Bytes up to [`NEAR_SHARE`]: for what makes counts timely. `None`: no bound.
    pub timely: Option<u64>,
    /// Bytes up to [`CRITICAL_SHARE`]: for what counts need to be exact. `None`: no bound.
    pub exact: Option<u64>,
}

impl Pressure {
    /// Takes the newest reading. Without a known use there is no bound.
    pub fn follow(&mut self, reading: Reading) -> Headroom {
        let Reading { limit: Some(limit), used: Some(used) } = reading else {
            self.level = MemoryLevel::Ok;
            return Headroom::default();
        };
        let share = used as f64 / limit.max(1) as f64;
        let holds = |level, from: f64| share >= if self.level >= level { from - HYSTERESIS } else { from };
        self.level = if holds(MemoryLevel::Critical, CRITICAL_SHARE) {
            MemoryLevel::Critical
        } else if holds(MemoryLevel::Near, NEAR_SHARE) {
            MemoryLevel::Near
        } else {
            MemoryLevel::Ok
        };
        let below = |share: f64| Some(((limit as f64 * share) as u64).saturating_sub(used));
        let is_ok = self.level == MemoryLevel::Ok;
        let timely = if is_ok { below(NEAR_SHARE) } else { Some(0) };
        Headroom { level: self.level, timely, exact: below(CRITICAL_SHARE) }
    }

    /// The same before the first walk.
    pub fn start(&mut self, reading: Reading) -> Headroom {
        let headroom = self.follow(reading);
        let part = |bytes: Option<u64>| bytes.map(|bytes| (bytes as f64 * START_SHARE) as u64);
        Headroom { level: headroom.level, timely: part(headroom.timely), exact: part(headroom.exact) }
    }
}

#[cfg(test)]
mod tests;

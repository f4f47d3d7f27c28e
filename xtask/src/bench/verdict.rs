//! Whether a figure reaches its goal, and whether the measurement can tell.

use super::statistics::Spread;

/// A figure against its goal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It reaches its goal: the whole 95 % interval does.
    Ok,
    /// It misses it: the whole interval does.
    Short,
    /// The goal lies inside the interval.
    Inconclusive,
}

impl Verdict {
    /// Of one value, which has no interval.
    pub(super) const fn of(reached: bool) -> Self {
        if reached { Self::Ok } else { Self::Short }
    }

    /// Of a figure that is to be at most `limit`.
    pub(super) fn at_most(limit: f64, spread: &Spread) -> Self {
        match (spread.low <= limit, spread.high <= limit) {
            (_, true) => Self::Ok,
            (false, _) => Self::Short,
            (true, false) => Self::Inconclusive,
        }
    }

    /// Of a figure that is to be at least `limit`.
    pub(super) fn at_least(limit: f64, spread: &Spread) -> Self {
        match (spread.low >= limit, spread.high >= limit) {
            (true, _) => Self::Ok,
            (_, false) => Self::Short,
            (false, true) => Self::Inconclusive,
        }
    }

    /// For people and in JSON.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Short => "short",
            Self::Inconclusive => "inconclusive",
        }
    }
}

#[cfg(test)]
mod tests;

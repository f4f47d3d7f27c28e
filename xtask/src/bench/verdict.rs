//! Whether a figure reaches its goal, and whether the measurement can tell.

use super::statistics::Spread;

/// Fewest values that a 95 % interval of a median needs. Of five, all lie on one side of it in 1 of 16 cases.
pub(super) const LEAST_VALUES: usize = 6;

/// A figure against its goal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It reaches its goal: the whole 95 % interval does.
    Ok,
    /// It misses it: the whole interval does.
    Short,
    /// The goal lies inside the interval, or the values are too few for one.
    Inconclusive,
}

impl Verdict {
    /// Of one value, which has no interval.
    pub(super) const fn of(reached: bool) -> Self {
        if reached { Self::Ok } else { Self::Short }
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

/// A figure's goal, in its own unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Goal {
    AtMost(f64),
    AtLeast(f64),
}

impl Goal {
    /// Of a figure with its interval.
    pub(super) fn verdict(self, figure: &Spread) -> Verdict {
        if figure.n < LEAST_VALUES { Verdict::Inconclusive } else { self.of_range(figure.low, figure.high) }
    }

    /// Of a range that holds the figure.
    pub(super) fn of_range(self, low: f64, high: f64) -> Verdict {
        let (all, any) = match self {
            Self::AtMost(limit) => (high <= limit, low <= limit),
            Self::AtLeast(limit) => (low >= limit, high >= limit),
        };
        match (all, any) {
            (true, _) => Verdict::Ok,
            (false, true) => Verdict::Inconclusive,
            (false, false) => Verdict::Short,
        }
    }
}

#[cfg(test)]
mod tests;

//! The mix of requests behind slow ones: the usual ones became slow, others were added, or quick ones left.
//!
//! A slowdown makes slow requests of the usual ones, so that fewer are quick. Polls, checks or a batch that are added
//! leave the usual ones as many and as fast as they were. Where a client has less to ask, those that always took long
//! become a larger share, and none of them is slower. Shares don't tell these apart. Rates do.

use crate::{
    hints::{
        context::Context,
        memory::{requests::RequestMemory, tail::Slow},
    },
    state::ResponseView,
};

/// Evidence from which requests were added, or from which the usual ones certainly became slow, nats.
const DECIDES: f64 = 5.0;
/// Share of requests that stay fast at least, however many became slow.
const LEAST_FAST: f64 = 0.05;
/// Standard deviations by which chance may change a number of requests: by more in 1 of 370 windows.
const DEVIATIONS: f64 = 3.0;
/// Multiple of their usual time from which those that always took long are slower than usual.
const LONGER: f64 = 1.5;
/// Certainty of a slowdown where the rates decide nothing.
const UNSURE: f64 = 0.8;

/// What became of the usual requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mix {
    /// So many quick ones are missing that they became slow.
    Slowed,
    /// They are as many and as fast as ever: the slow ones are of another kind.
    Added,
    /// The slow ones are no more, and no slower, than they always were: quick ones became fewer.
    Left,
    /// Too few requests tell, or the load changed.
    Unsure,
}

/// Numbers of requests in the time of a slowdown.
#[derive(Clone, Copy)]
struct Counts {
    /// All of them, at the usual rate.
    usual: f64,
    fast: f64,
    slow: f64,
    /// Part of a count that is worth as much as a count of all.
    independence: f64,
}

impl Counts {
    /// How much chance may change an expected number.
    fn noise(self, expected: f64) -> f64 {
        DEVIATIONS * (expected / self.independence).sqrt()
    }

    /// The quick ones are as many as all usually are.
    fn are_all_there(self) -> bool {
        (self.fast - self.usual).abs() <= self.noise(self.usual)
    }

    /// Logarithm of the likelihood ratio of the quick requests: as many as usual, against those without the ones that
    /// became slow (Poisson).
    fn nats(self) -> f64 {
        let rest = (self.usual - self.slow).max(LEAST_FAST * self.usual);
        self.fast * (self.usual / rest).ln() - (self.usual - rest)
    }
}

impl Mix {
    /// `now`: the window of the slow requests.
    pub(super) fn of(context: &Context<'_>, now: &ResponseView, known: &RequestMemory, slow: &Slow) -> Self {
        let seconds = context.window.as_secs_f64() * f64::from(slow.windows);
        let counts = Counts {
            usual: known.times().per_second().unwrap_or_default() * seconds,
            fast: (slow.requests - slow.slow) as f64,
            slow: slow.slow as f64,
            independence: now.window.independence(),
        };
        if counts.usual < 1.0 {
            return Self::Unsure;
        }
        let nats = counts.nats();
        // In a sample neither is sure: the likelier one decides, as a wrong blame is worse than none.
        match counts.are_all_there() && nats >= DECIDES {
            true => Self::Added,
            false if are_as_ever(known, slow, counts) => Self::Left,
            false if nats * counts.independence <= -DECIDES && !known.is_little_known() => Self::Slowed,
            false => Self::Unsure,
        }
    }

    /// The slow requests are of another kind than the quick ones, which nothing slowed.
    pub(super) const fn is_other_kind(self) -> bool {
        matches!(self, Self::Added | Self::Left)
    }

    /// Certainty that requests became slow, 0 … 1.
    pub(super) const fn certainty(self) -> f64 {
        match self {
            Self::Slowed => 1.0,
            Self::Unsure => UNSURE,
            Self::Added | Self::Left => 0.0,
        }
    }
}

/// The slow requests are no more than those that took as long in normal times, and take no longer.
fn are_as_ever(known: &RequestMemory, slow: &Slow, counts: Counts) -> bool {
    let Some(times) = known.times().durations() else { return false };
    let usually =
        times.share_above(slow.limit_us).and_then(|share| Some((share, times.quantile_us(1.0 - 0.5 * share)?)));
    usually.is_some_and(|(share, typical_us)| {
        let usual = share * counts.usual;
        counts.slow <= usual + counts.noise(usual) && slow.typical_us <= LONGER * typical_us
    })
}

#[cfg(test)]
mod tests;

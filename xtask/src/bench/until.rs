//! How long a figure is measured.

use super::{
    statistics::Spread,
    verdict::{Goal, Verdict},
};
use std::time::Duration;

/// Values after which an undecided figure is judged again.
const AGAIN: usize = 5;

/// Pace of a measurement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Least values; each takes a window with the agent and one without.
    pub(super) windows: usize,
    /// Length of a window.
    pub(super) window: Duration,
}

/// When a measurement ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Until {
    pub(super) pace: Pace,
    /// Most values.
    pub(super) most: usize,
    /// `None`: nothing is to be decided.
    pub(super) goal: Option<Goal>,
}

impl Until {
    /// Whether these values are enough. Judging again and again makes wrong verdicts likelier than the interval's 5 %.
    pub(super) fn is_enough(&self, values: &[f64]) -> bool {
        self.is_enough_for(Spread::of, values)
    }

    /// The same of another figure than the median.
    pub(super) fn is_enough_for(&self, figure: impl Fn(&[f64]) -> Option<Spread>, values: &[f64]) -> bool {
        let n = values.len();
        if n < self.pace.windows || n >= self.most {
            return n >= self.most;
        }
        let Some(goal) = self.goal else { return true };
        (n - self.pace.windows).is_multiple_of(AGAIN)
            && figure(values).is_some_and(|figure| goal.verdict(&figure) != Verdict::Inconclusive)
    }

    /// For people: `25 to 120 times 2.0 s`.
    pub(super) fn text(&self) -> String {
        let (least, seconds) = (self.pace.windows, 2.0 * self.pace.window.as_secs_f64());
        match self.goal {
            Some(_) if self.most > least => format!("{least} to {} times {seconds:.1} s", self.most),
            _ => format!("{least} times {seconds:.1} s"),
        }
    }
}

#[cfg(test)]
mod tests;

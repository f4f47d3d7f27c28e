//! Whether an incident recurs: at a time of day, or at an interval. Two rules, both simple.
//!
//! - **Daily:** two thirds of all occurrences or more began within the same hour of the day, UTC, on three days or more,
//!   and on two thirds or more of the days from the first such day to the last.
//! - **Interval:** four occurrences or more, and each interval between two begins is within a tenth of their median.

use serde::Serialize;

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;
/// Begins of a daily incident lie within this time of the day.
const WINDOW: i64 = 60 * MINUTE;
/// Fewest days, and fewest occurrences at an interval.
const MIN_DAYS: usize = 3;
const MIN_REGULAR: usize = 4;

/// How an incident recurs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum Recurrence {
    /// At a time of day.
    Daily {
        /// The median begin, UTC, such as `03:02Z`.
        about: String,
        /// Days on which it began then.
        days: usize,
        /// Days from the first such day to the last.
        of_days: usize,
    },
    /// At an interval.
    Interval {
        /// Median time between two begins, s.
        seconds: i64,
        /// Occurrences.
        times: usize,
    },
}

/// The rule that the begins follow, ms since the Unix epoch, in order. `None`: neither.
pub(super) fn of(begins: &[i64]) -> Option<Recurrence> {
    daily(begins).or_else(|| interval(begins))
}

fn daily(begins: &[i64]) -> Option<Recurrence> {
    let mut clocks: Vec<i64> = begins.iter().map(|begin| begin.rem_euclid(DAY)).collect();
    clocks.sort_unstable();
    let start = busiest(&clocks)?;
    // From here on a day begins with the window, so that one around midnight is one window.
    let within: Vec<i64> = begins.iter().copied().filter(|begin| (begin - start).rem_euclid(DAY) < WINDOW).collect();
    let mut days: Vec<i64> = within.iter().map(|begin| (begin - start).div_euclid(DAY)).collect();
    days.dedup();
    let of_days = usize::try_from(days.last()? - days.first()? + 1).ok()?;
    let is_most = |part: usize, all: usize| part * 3 >= all * 2;
    if days.len() < MIN_DAYS || !is_most(within.len(), begins.len()) || !is_most(days.len(), of_days) {
        return None;
    }
    let mut offsets: Vec<i64> = within.iter().map(|begin| (begin - start).rem_euclid(DAY)).collect();
    offsets.sort_unstable();
    let minute = (start + offsets[offsets.len() / 2]).rem_euclid(DAY) / MINUTE;
    Some(Recurrence::Daily { about: format!("{:02}:{:02}Z", minute / 60, minute % 60), days: days.len(), of_days })
}

/// The time of day at which the window with most begins starts; `clocks` are sorted. `None`: there are no begins.
fn busiest(clocks: &[i64]) -> Option<i64> {
    let turned: Vec<i64> = clocks.iter().copied().chain(clocks.iter().map(|clock| clock + DAY)).collect();
    let count = |first: &usize| turned[*first..].partition_point(|clock| *clock < turned[*first] + WINDOW);
    // Of equally good ones the earliest.
    let best = (0..clocks.len()).max_by_key(|first| (count(first), std::cmp::Reverse(*first)))?;
    Some(clocks[best])
}

fn interval(begins: &[i64]) -> Option<Recurrence> {
    if begins.len() < MIN_REGULAR {
        return None;
    }
    let between: Vec<i64> = begins.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let mut sorted = between.clone();
    sorted.sort_unstable();
    let median = sorted[sorted.len() / 2];
    let is_regular = median > 0 && between.iter().all(|one| (one - median).abs() * 10 <= median);
    is_regular.then_some(Recurrence::Interval { seconds: median / 1000, times: begins.len() })
}

#[cfg(test)]
mod tests;

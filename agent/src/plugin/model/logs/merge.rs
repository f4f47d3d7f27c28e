//! Lines of several sources in one order, with a bound on what waits.

use super::Line;
use jiff::Timestamp;
use std::time::Duration;

/// State of a source.
#[derive(Clone, Debug)]
enum Head {
    /// Its next line is not here yet.
    Missing,
    /// Its next line: the time to sort it by, and when it came.
    Here { line: Line, order: Timestamp, came: Duration },
    /// It has no more lines.
    Ended,
}

/// Merges lines by time. It holds one line of each source: the next one is asked for when that is taken.
///
/// A source that follows may be silent for long. Then a line waits at most `patience` for the others.
#[derive(Debug)]
pub struct Merge {
    heads: Vec<Head>,
    /// The newest time of each source: a line without a time comes after it.
    newest: Vec<Timestamp>,
    /// `None`: for ever.
    patience: Option<Duration>,
}

/// The next step of a merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// The next line, of the source with this index.
    Line(usize, Line),
    /// Lines are missing. After the time, the first line is due anyway; `None`: it waits for the others.
    Wait(Option<Duration>),
    /// All sources have ended.
    End,
}

impl Merge {
    /// Of so many sources.
    pub fn new(sources: usize, patience: Option<Duration>) -> Self {
        Self { heads: vec![Head::Missing; sources], newest: vec![Timestamp::MIN; sources], patience }
    }

    /// True if the next line of a source is missing.
    pub fn wants(&self, source: usize) -> bool {
        matches!(self.heads.get(source), Some(Head::Missing))
    }

    /// The next line of a source that wants one. `now` is on any clock that only rises.
    pub fn offer(&mut self, source: usize, line: Line, now: Duration) {
        let order = line.time.unwrap_or(self.newest[source]);
        self.newest[source] = order;
        self.heads[source] = Head::Here { line, order, came: now };
    }

    /// The source has no more lines.
    pub fn end(&mut self, source: usize) {
        self.heads[source] = Head::Ended;
    }

    /// Takes the oldest line, if no other source can have an older one, or it has waited long enough.
    pub fn take(&mut self, now: Duration) -> Taken {
        let mut first: Option<(usize, Timestamp, Duration)> = None;
        let mut missing = false;
        for (ix, head) in self.heads.iter().enumerate() {
            match head {
                Head::Missing => missing = true,
                Head::Here { order, came, .. } => {
                    if first.is_none_or(|(_, best, _)| *order < best) {
                        first = Some((ix, *order, *came));
                    }
                }
                Head::Ended => {}
            }
        }
        let Some((ix, _, came)) = first else { return if missing { Taken::Wait(None) } else { Taken::End } };
        let due = self.patience.map(|patience| came + patience);
        if missing && due.is_none_or(|due| due > now) {
            return Taken::Wait(due.map(|due| due - now));
        }
        match std::mem::replace(&mut self.heads[ix], Head::Missing) {
            Head::Here { line, .. } => Taken::Line(ix, line),
            Head::Missing | Head::Ended => Taken::Wait(None),
        }
    }
}

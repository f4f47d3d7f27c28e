//! Times that the segments of a folder cover, and why they do not cover the rest. Pure.

use super::ring::{Name, Segment};

/// A recorded time, wall clock, ms.
pub(super) type Range = (u64, u64);

/// Recorded times, and the others with the reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Coverage {
    pub(super) spans: Vec<Range>,
    pub(super) gaps: Vec<(Range, &'static str)>,
}

/// Reasons of gaps.
pub(super) const OLDER: &str = "older than the history: its segments went for newer ones, or no agent ran yet";
pub(super) const NO_AGENT: &str = "no agent ran";
pub(super) const LOST: &str = "a segment is lost";
pub(super) const SILENT: &str =
    "the agent ran and did not record: the disk was full or broken, or the machine too busy";

/// Times that these segments, oldest first and each with its end, cover between `from` and `to`. `most`: largest distance of
/// two frames, ms, that is no gap.
pub(super) fn coverage(segments: &[Segment], (from, to): Range, most: u64) -> Coverage {
    let mut coverage = Coverage::default();
    let mut last: Option<Name> = None;
    let mut until = 0;
    for Segment { name, .. } in segments {
        let begin = name.start_ms;
        let end = name.end_ms.unwrap_or(begin);
        let why = match last {
            None => OLDER,
            Some(last) if last.run != name.run => NO_AGENT,
            Some(last) if last.number + 1 == name.number => SILENT,
            Some(_) => LOST,
        };
        if last.is_none() || begin.saturating_sub(until) > most {
            coverage.add_gap((until, begin), (from, to), why);
            coverage.spans.push((begin, end));
        } else if let Some(span) = coverage.spans.last_mut() {
            span.1 = span.1.max(end);
        }
        (last, until) = (Some(*name), until.max(end));
    }
    if to.saturating_sub(until) > most {
        let why = if last.is_some() { "not recorded" } else { "nothing is recorded yet" };
        coverage.add_gap((until, to.saturating_add(1)), (from, to), why);
    }
    coverage.spans.retain_mut(|span| {
        *span = (span.0.max(from), span.1.min(to));
        span.0 <= span.1
    });
    coverage
}

impl Coverage {
    /// Adds the part of a gap that is in a range.
    fn add_gap(&mut self, (begin, end): Range, (from, to): Range, why: &'static str) {
        let part = (begin.max(from), end.min(to));
        if part.0 < part.1 || begin < from && end > to {
            self.gaps.push((part, why));
        }
    }
}

#[cfg(test)]
mod tests;

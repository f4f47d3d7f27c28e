//! Windows of requests that wait until they are old enough to be learned.
//!
//! A fault begins with windows that prove nothing yet. Learned at once, they would be normal before there are enough of
//! them for a finding. While they wait, they are evidence: where requests are few, several windows speak together.

use super::{
    history::{Before, History, Older},
    requests::{Requests, keep_over},
};
use crate::{calls::CallCounts, sample::Responses};
use std::{collections::VecDeque, time::Duration};

/// Age from which a window is learned: with a few requests per second, a fault is named before.
const LAG: Duration = Duration::from_secs(30);
/// Part of what is known that the lag may take: a baseline of seconds still grows.
const LAG_PART: u32 = 2;
/// Time for which windows that look slow stay out of the baseline. A change that lasts longer becomes normal.
const SUSPICION: Duration = Duration::from_secs(120);
/// Windows kept: those of [`LAG`], one that is due, and the present one.
const MAX_WINDOWS: usize = 5;
/// Ticks are late by less.
const JITTER: Duration = Duration::from_millis(100);

/// A window that overlaps no other one.
#[derive(Clone, Debug)]
pub(crate) struct Past {
    pub(crate) responses: Responses,
    pub(crate) calls: CallCounts,
    /// Payload that was acknowledged or received. `None`: not known.
    pub(crate) bytes: Option<u64>,
    pub(crate) length: Duration,
    /// Monotonic.
    end: Duration,
    /// Learned already, or never to be learned.
    is_settled: bool,
    /// It shares a moment with a trouble that has a finding or a hint.
    is_troubled: bool,
}

/// The last windows of one edge or server, and all before them. Takes about a kilobyte.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pending {
    /// Oldest first.
    windows: VecDeque<Past>,
    /// Those before them.
    older: Older,
    /// Time of the newest tick, monotonic.
    at: Duration,
    /// Time before which everything is learned already, monotonic.
    begin: Duration,
    /// When trouble was last seen, monotonic. `None`: never.
    troubled_at: Option<Duration>,
    /// Windows look slow.
    suspicion: Suspicion,
}

/// What looks like trouble is not learned at once.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Suspicion {
    /// When it began, and when it was last seen, monotonic.
    span: Option<(Duration, Duration)>,
}

impl Suspicion {
    /// Whether it keeps from learning what was seen at `at`, monotonic. What looks odd now and then is normal in the end,
    /// too.
    pub(super) fn holds(&mut self, at: Duration, is_suspect: bool) -> bool {
        let (first, last) = self.span.unwrap_or((at, at));
        if is_suspect {
            self.span = Some((first, at));
        } else if at.saturating_sub(last) >= SUSPICION {
            self.span = None;
        }
        is_suspect && at.saturating_sub(first) < SUSPICION
    }
}

impl Pending {
    /// Everything up to `at`, the time of the newest tick, is learned already, or waits elsewhere. It stays evidence.
    pub(crate) fn restart(&mut self, at: Duration) {
        self.windows.iter_mut().for_each(|past| past.is_settled = true);
        (self.at, self.begin) = (at, at);
    }

    /// Takes note of the present window, when it overlaps none of those before. Call once per tick.
    pub(crate) fn observe(&mut self, requests: &Requests<'_>) {
        let last = self.windows.back().map_or(self.begin, |past| past.end.max(self.begin));
        self.take(requests, last, false);
    }

    /// The same where windows wait elsewhere to be learned.
    pub(crate) fn observe_only(&mut self, requests: &Requests<'_>) {
        let last = self.windows.back().map_or(Duration::ZERO, |past| past.end);
        self.take(requests, last, true);
    }

    fn take(&mut self, requests: &Requests<'_>, last: Duration, is_settled: bool) {
        let Requests { now, bytes, at, length, .. } = *requests;
        self.at = at;
        // Too old to be evidence of their own, and to be learned.
        while let Some(past) = self.windows.pop_front_if(|past| at.saturating_sub(past.end) > LAG + 2 * past.length) {
            self.retire(&past);
        }
        if at.saturating_sub(last) + JITTER < length {
            return;
        }
        if self.windows.len() >= MAX_WINDOWS
            && let Some(past) = self.windows.pop_front()
        {
            self.retire(&past);
        }
        let is_troubled = self.troubled_at.is_some_and(|troubled| at.saturating_sub(length) < troubled);
        let (responses, calls) = (now.window.clone(), now.calls);
        let is_settled = is_settled || is_troubled;
        self.windows.push_back(Past { responses, calls, bytes, length, end: at, is_settled, is_troubled });
    }

    fn retire(&mut self, past: &Past) {
        if !past.is_troubled {
            self.older.add(&past.responses, keep_over(past.length));
        }
    }

    /// A finding or a hint explains the present window: nothing that waits is normal for certain. `windows`: the present
    /// one and those before it which are known to be troubled, 1 or more.
    pub(crate) fn distrust(&mut self, windows: u32) {
        let at = self.at;
        self.troubled_at = Some(at);
        for past in &mut self.windows {
            past.is_settled = true;
            past.is_troubled |= at.saturating_sub(past.end) < past.length * windows;
        }
    }

    /// What was seen before the present window began.
    pub(crate) fn history(&self) -> History<'_> {
        let at = self.at;
        let apart = self.windows.iter().rev().filter(|past| at.saturating_sub(past.end) + JITTER >= past.length);
        let newest = apart.map(|past| Before { responses: &past.responses, is_normal: !past.is_troubled });
        History { newest: newest.collect(), older: &self.older }
    }

    /// The calls of the windows that wait are learned already.
    pub(crate) fn forget_calls(&mut self) {
        self.windows.iter_mut().for_each(|past| past.calls = CallCounts::default());
    }

    /// Windows that ended before the present one began, newest first.
    pub(crate) fn before(&self) -> impl Iterator<Item = &Responses> {
        let at = self.at;
        let speaks = move |past: &&Past| {
            let age = at.saturating_sub(past.end) + JITTER;
            age >= past.length && age <= LAG + past.length
        };
        self.windows.iter().rev().filter(speaks).map(|past| &past.responses)
    }

    /// Whether a window is old enough to be learned. `known`: time that the baseline stands for.
    pub(crate) fn is_due(&self, known: Duration) -> bool {
        self.windows.iter().any(|past| self.is_old(past, known))
    }

    /// Takes the oldest of these windows.
    pub(crate) fn take_due(&mut self, known: Duration) -> Option<Past> {
        let found = self.windows.iter().position(|past| self.is_old(past, known))?;
        let past = self.windows.get_mut(found)?;
        past.is_settled = true;
        Some(past.clone())
    }

    fn is_old(&self, past: &Past, known: Duration) -> bool {
        !past.is_settled && self.at.saturating_sub(past.end) >= lag(known)
    }

    /// Whether a suspicion keeps the windows from being learned. `is_suspect`: they look slow. None of those that wait is
    /// learned then: the last ones of a fault have few slow requests, and would look normal beside newer ones.
    pub(crate) fn is_held_back(&mut self, is_suspect: bool) -> bool {
        let is_held_back = self.suspicion.holds(self.at, is_suspect);
        if is_held_back {
            self.windows.iter_mut().for_each(|past| past.is_settled = true);
        }
        is_held_back
    }
}

/// Age from which a window is learned. `known`: time that the baseline stands for.
pub(super) fn lag(known: Duration) -> Duration {
    LAG.min(known / LAG_PART)
}

#[cfg(test)]
mod tests;

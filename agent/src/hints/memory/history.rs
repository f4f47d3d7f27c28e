//! Requests of one edge or server before its present window, learned or not.
//!
//! Learning chooses: windows that look slow wait, or stay out. Beside what is left, any share of slow requests would grow.
//! So all windows count here but those of a trouble that has a finding.

use crate::{baseline::Distribution, sample::Responses};

/// Windows that are too old to be evidence one by one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Older {
    /// As tests count requests. It decays.
    durations: Distribution,
    windows: u32,
}

impl Older {
    /// Adds a window. `keep`: weight that the past keeps. A window without a request says nothing.
    pub(super) fn add(&mut self, window: &Responses, keep: f64) {
        if !window.durations.is_empty() {
            self.durations.learn(&window.durations, keep, window.independence());
            self.windows = self.windows.saturating_add(1);
        }
    }

    /// Requests above `us`, one of the bounds of their histogram, and all.
    pub(crate) fn above(&self, us: u32) -> (f64, f64) {
        let all = self.durations.count();
        (self.durations.share_above(us).unwrap_or(0.0) * all, all)
    }

    /// Windows with requests so far.
    pub(crate) const fn windows(&self) -> u32 {
        self.windows
    }
}

/// One of the last windows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Before<'a> {
    pub(crate) responses: &'a Responses,
    /// It is no part of a trouble that has a finding.
    pub(crate) is_normal: bool,
}

/// All windows that share no moment with each other or with the present one.
#[derive(Clone, Debug)]
pub(crate) struct History<'a> {
    /// The last ones, newest first.
    pub(crate) newest: Vec<Before<'a>>,
    pub(crate) older: &'a Older,
}

impl<'a> History<'a> {
    /// The normal ones of the last windows, but for the newest `but` ones.
    pub(crate) fn normal(&self, but: usize) -> impl Iterator<Item = &'a Responses> {
        self.newest.iter().skip(but).filter(|before| before.is_normal).map(|before| before.responses)
    }
}

//! Normal values of DNS lookups.

use super::{
    Troubled,
    mean::{Mean, Step},
};
use crate::{
    hints::{key::edge_key, rule::Family, thresholds::Thresholds},
    sample::Lookups,
    state::{DnsView, NodeView},
};
use std::{collections::BTreeMap, time::Duration};

/// Servers without a lookup for this long are forgotten.
const FORGET: Duration = Duration::from_secs(600);
/// Pairs of subject and server remembered (≈ 100 bytes each).
const MAX_ROWS: usize = 20_000;
/// Share of bad lookups that is always called normal: every cluster has some slow names.
const BAD_FLOOR: f64 = 0.01;
/// Lookups after which a server's own share weighs as much as the floor.
const SHRINK: f64 = 200.0;
/// Limit before a baseline is known, µs: slow by any standard.
const COLD_US: f64 = 1_000_000.0;

/// All subjects' servers.
#[derive(Debug, Default)]
pub(crate) struct DnsMemory {
    rows: BTreeMap<u64, Row>,
}

#[derive(Debug, Default)]
struct Row {
    last_at: Duration,
    ln_p50: Mean,
    /// Decaying sums.
    bad: f64,
    all: f64,
}

impl DnsMemory {
    /// Median duration in normal times, µs. `None`: not known yet.
    pub(crate) fn p50_us(&self, row: &DnsView) -> Option<f64> {
        self.rows.get(&edge_key(&row.server))?.ln_p50.get().map(f64::exp)
    }

    /// Share of lookups that are bad in normal times, at least 1 %.
    pub(crate) fn bad_ratio(&self, row: &DnsView) -> f64 {
        let (bad, all) = self.rows.get(&edge_key(&row.server)).map_or((0.0, 0.0), |row| (row.bad, row.all));
        ((bad + SHRINK * BAD_FLOOR) / (all + SHRINK)).max(BAD_FLOOR)
    }

    /// Duration from which a lookup is slow, µs.
    pub(crate) fn limit_us(&self, row: &DnsView, thresholds: &Thresholds) -> f64 {
        match self.p50_us(row) {
            Some(usual) => (thresholds.rtt_inflation * usual).max(thresholds.dns_slow_ms * 1000.0),
            None => COLD_US.max(thresholds.dns_slow_ms * 1000.0),
        }
    }

    /// Lookups of the window that were slow or unanswered.
    pub(crate) fn bad(&self, row: &DnsView, thresholds: &Thresholds) -> u64 {
        let Lookups { durations, unanswered, .. } = &row.window;
        let fast = durations.count_up_to(self.limit_us(row, thresholds) as u32);
        durations.count() - fast + unanswered
    }

    /// Learns from a window, except from subjects with a hint.
    pub(crate) fn learn(&mut self, view: &NodeView, thresholds: &Thresholds, step: Step, troubled: &Troubled) {
        for row in &view.dns {
            if troubled.contains(&(Family::Dns, row.server.subject.clone())) {
                continue;
            }
            // The share is as sure as what was observed, whatever it stands for.
            let independence = row.window.independence();
            let bad = self.bad(row, thresholds) as f64 * independence;
            let memory = self.rows.entry(edge_key(&row.server)).or_default();
            memory.last_at = view.at;
            memory.bad = memory.bad * step.keep + bad * step.share;
            memory.all = memory.all * step.keep + row.window.count() as f64 * independence * step.share;
            if let Some(p50) = row.window.durations.quantile_us(0.5) {
                memory.ln_p50.learn(p50.max(1.0).ln(), step.keep);
            }
        }
        self.rows.retain(|_, row| view.at.saturating_sub(row.last_at) < FORGET);
        if self.rows.len() > MAX_ROWS {
            self.rows.retain(|_, row| row.last_at == view.at);
        }
    }
}

//! Normal values of DNS lookups.

use super::{
    Troubled,
    edge::ODD_LOSS,
    mean::{Mean, Step},
};
use crate::{
    hints::{key::edge_key, rule::Family, stats::poisson_tail_ln, thresholds::Thresholds},
    sample::Lookups,
    state::{DnsView, NodeView, SubjectId},
};
use netwhy_abi::DnsCode;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv6Addr,
    time::Duration,
};

/// Servers without a lookup for this long are forgotten.
const FORGET: Duration = Duration::from_secs(600);
/// Pairs of subject and server remembered (≈ 150 bytes each).
const MAX_ROWS: usize = 20_000;
/// Share of bad lookups that is always called normal: every cluster has some slow names.
const BAD_FLOOR: f64 = 0.01;
/// The same of lookups that take longer than the typical one may: names that aren't cached.
const LATE_FLOOR: f64 = 0.05;
/// Share of `dns_slow_ms` by which the typical lookup may grow: all names are slower then.
const TYPICAL_SHARE: f64 = 0.2;
/// The same of lookups whose second answer is late or missing: one lost packet in a thousand.
const SECOND_FLOOR: f64 = 0.001;
/// Chance below which a window's bad lookups, errors or missing second answers don't become normal at once.
const ODD: f64 = 1e-3;
/// Lookups after which a server's own share weighs as much as the floor.
const SHRINK: f64 = 200.0;
/// Limit before a baseline is known, µs: slow by any standard.
const COLD_US: f64 = 1_000_000.0;

/// All subjects' servers.
#[derive(Debug, Default)]
pub(crate) struct DnsMemory {
    rows: BTreeMap<u64, Row>,
    /// Servers of which unusually many second answers are missing, and since when, monotonic.
    odd_since: BTreeMap<Ipv6Addr, Duration>,
}

/// The names that a subject asks one server for, in normal times.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names {
    /// Names found per second.
    pub(crate) found_per_s: f64,
    /// Share of names that don't exist, above 0.
    pub(crate) absent_ratio: f64,
}

#[derive(Debug, Default)]
struct Row {
    last_at: Duration,
    /// When its lookups became unusually bad, monotonic. `None`: they are as usual.
    odd_since: Option<Duration>,
    ln_p50: Mean,
    /// Decaying sums.
    bad: f64,
    all: f64,
    /// Lookups above the limit for the typical one.
    late: f64,
    /// Of answers whose code was seen, those with an error.
    errors: f64,
    coded: f64,
    second_missing: f64,
    /// Names found per second.
    found_per_s: Mean,
    /// Share of names that don't exist among answers.
    absent: f64,
}

/// Duration from which any lookup is slow, µs.
fn slow_us(usual_us: f64, thresholds: &Thresholds) -> f64 {
    (thresholds.rtt_inflation * usual_us).max(thresholds.dns_slow_ms * 1000.0)
}

/// The memory of the lookups that a window has, so that one look into the memory answers all questions about them.
#[derive(Clone, Copy)]
struct Known<'m> {
    /// `None`: nothing is.
    row: Option<&'m Row>,
    window: &'m Lookups,
}

impl Known<'_> {
    fn p50_us(self) -> Option<f64> {
        self.row?.ln_p50.get().map(f64::exp)
    }

    fn bad_ratio(self, thresholds: &Thresholds) -> f64 {
        let is_typical = self.is_typical_slow(thresholds);
        let floor = if is_typical { LATE_FLOOR } else { BAD_FLOOR };
        let (late, bad, all) = self.row.map_or((0.0, 0.0, 0.0), |row| (row.late, row.bad, row.all));
        ((if is_typical { late } else { bad } + SHRINK * floor) / (all + SHRINK)).max(floor)
    }

    /// Half of the lookups take longer than the limit for the typical one, and fewer longer than that for any.
    fn is_typical_slow(self, thresholds: &Thresholds) -> bool {
        let (median, usual) = (self.window.durations.quantile_us(0.5), self.p50_us());
        let (Some(median), Some(usual), Some(limit)) = (median, usual, self.typical_limit_us(thresholds)) else {
            return false;
        };
        (limit..slow_us(usual, thresholds)).contains(&median)
    }

    /// Duration from which the typical lookup is slow, µs. `None`: no baseline.
    fn typical_limit_us(self, thresholds: &Thresholds) -> Option<f64> {
        let usual = self.p50_us()?;
        Some((thresholds.rtt_inflation * usual).max(usual + TYPICAL_SHARE * thresholds.dns_slow_ms * 1000.0))
    }

    fn error_ratio(self) -> f64 {
        let (errors, coded) = self.row.map_or((0.0, 0.0), |row| (row.errors, row.coded));
        ((errors + SHRINK * BAD_FLOOR) / (coded + SHRINK)).max(BAD_FLOOR)
    }

    fn limit_us(self, thresholds: &Thresholds) -> f64 {
        match self.p50_us() {
            Some(_) if self.is_typical_slow(thresholds) => self.typical_limit_us(thresholds).unwrap_or(COLD_US),
            Some(usual) => slow_us(usual, thresholds),
            None => COLD_US.max(thresholds.dns_slow_ms * 1000.0),
        }
    }

    fn bad(self, thresholds: &Thresholds) -> u64 {
        let Lookups { durations, unanswered, .. } = self.window;
        let fast = durations.count_up_to(self.limit_us(thresholds) as u32);
        durations.count() - fast + unanswered
    }

    /// So many bad lookups, or errors, are unlikely in normal times.
    fn is_unlikely(self, thresholds: &Thresholds) -> bool {
        let independence = self.window.independence();
        let tail_ln = |n: u64, all: u64, ratio: f64| {
            poisson_tail_ln((n as f64 * independence).round() as u64, ratio * all as f64 * independence)
        };
        let bad = tail_ln(self.bad(thresholds), self.window.count(), self.bad_ratio(thresholds));
        let errors = tail_ln(self.window.errors(), self.window.coded(), self.error_ratio());
        bad.min(errors) <= ODD.ln()
    }
}

impl DnsMemory {
    fn known<'m>(&'m self, row: &'m DnsView) -> Known<'m> {
        Known { row: self.rows.get(&edge_key(&row.server)), window: &row.window }
    }

    /// Median duration in normal times, µs. `None`: not known yet.
    pub(crate) fn p50_us(&self, row: &DnsView) -> Option<f64> {
        self.known(row).p50_us()
    }

    /// Share of lookups that are bad in normal times, at least 1 %; 5 % where the typical one is slow.
    pub(crate) fn bad_ratio(&self, row: &DnsView, thresholds: &Thresholds) -> f64 {
        self.known(row).bad_ratio(thresholds)
    }

    /// Share of answers that are errors in normal times, at least 1 %.
    pub(crate) fn error_ratio(&self, row: &DnsView) -> f64 {
        self.known(row).error_ratio()
    }

    /// Share of lookups whose second answer is late or missing in normal times, at least 0.1 %.
    pub(crate) fn second_missing_ratio(&self, row: &DnsView) -> f64 {
        let (missing, all) = self.known(row).row.map_or((0.0, 0.0), |row| (row.second_missing, row.all));
        ((missing + SHRINK * SECOND_FLOOR) / (all + SHRINK)).max(SECOND_FLOOR)
    }

    /// Names found per second in normal times, and the share of names that don't exist. `None`: not known yet.
    pub(crate) fn names(&self, row: &DnsView) -> Option<Names> {
        let known = self.known(row).row?;
        let absent_ratio = (known.absent + SHRINK * BAD_FLOOR) / (known.coded + SHRINK);
        Some(Names { found_per_s: known.found_per_s.get()?, absent_ratio })
    }

    /// Duration from which a lookup is slow, µs.
    pub(crate) fn limit_us(&self, row: &DnsView, thresholds: &Thresholds) -> f64 {
        self.known(row).limit_us(thresholds)
    }

    /// Lookups of the window that were slow or unanswered.
    pub(crate) fn bad(&self, row: &DnsView, thresholds: &Thresholds) -> u64 {
        self.known(row).bad(thresholds)
    }

    /// Learns from a window, except from subjects with a hint.
    pub(crate) fn learn(&mut self, view: &NodeView, thresholds: &Thresholds, step: Step, troubled: &Troubled) {
        self.find_odd(view);
        let ill: BTreeSet<&SubjectId> = troubled.iter().filter(|(f, _)| *f == Family::Dns).map(|(_, id)| id).collect();
        for row in &view.dns {
            let lasts = |since: &Duration| view.at.saturating_sub(*since) >= ODD_LOSS;
            let are_seconds_normal = self.odd_since.get(&row.server.peer).is_none_or(lasts);
            if ill.contains(&row.server.subject) {
                continue;
            }
            if self.is_odd(row, view.at, thresholds) {
                continue;
            }
            // The share is as sure as what was observed, whatever it stands for.
            let independence = row.window.independence();
            let known = self.known(row);
            let bad = known.bad(thresholds) as f64 * independence;
            let durations = &row.window.durations;
            let late =
                known.typical_limit_us(thresholds).map(|us| durations.count() - durations.count_up_to(us as u32));
            let memory = self.rows.entry(edge_key(&row.server)).or_default();
            memory.last_at = view.at;
            memory.bad = memory.bad * step.keep + bad * step.share;
            memory.all = memory.all * step.keep + row.window.count() as f64 * independence * step.share;
            let add = |sum: &mut f64, n: u64| *sum = *sum * step.keep + n as f64 * independence * step.share;
            add(&mut memory.late, late.unwrap_or(0));
            add(&mut memory.errors, row.window.errors());
            add(&mut memory.coded, row.window.coded());
            add(&mut memory.absent, row.window.code(DnsCode::NxDomain));
            if are_seconds_normal {
                add(&mut memory.second_missing, row.window.second_missing);
            }
            if row.window.coded() > 0 {
                memory.found_per_s.learn(row.window.found() / step.window.as_secs_f64(), step.keep);
            }
            if let Some(p50) = row.window.durations.quantile_us(0.5) {
                memory.ln_p50.learn(p50.max(1.0).ln(), step.keep);
            }
        }
        self.rows.retain(|_, row| view.at.saturating_sub(row.last_at) < FORGET);
        if self.rows.len() > MAX_ROWS {
            self.rows.retain(|_, row| row.last_at == view.at);
        }
    }

    /// The lookups of the window are unusually bad, and have not been for long: a few in each window must not become
    /// normal before they suffice for a finding.
    fn is_odd(&mut self, row: &DnsView, at: Duration, thresholds: &Thresholds) -> bool {
        let is_unlikely = self.known(row).is_unlikely(thresholds);
        let Some(memory) = self.rows.get_mut(&edge_key(&row.server)) else { return false };
        memory.last_at = at;
        // Of a server that is hardly known, nothing is unusual.
        let is_odd = memory.all >= SHRINK && is_unlikely;
        memory.odd_since = if is_odd { memory.odd_since.or(Some(at)) } else { None };
        memory.odd_since.is_some_and(|since| at.saturating_sub(since) < ODD_LOSS)
    }

    /// Finds the servers whose second answers are missing unusually often, by all Pods' lookups together: a few in each
    /// window must not become normal before they suffice for a finding.
    fn find_odd(&mut self, view: &NodeView) {
        let mut servers: BTreeMap<Ipv6Addr, (f64, f64)> = BTreeMap::new();
        for row in &view.dns {
            let independence = row.window.independence();
            let (missing, expected) = servers.entry(row.server.peer).or_default();
            *missing += row.window.second_missing as f64 * independence;
            *expected += self.second_missing_ratio(row) * row.window.count() as f64 * independence;
        }
        let is_odd = |(missing, expected): &(f64, f64)| poisson_tail_ln(missing.round() as u64, *expected) <= ODD.ln();
        servers.retain(|_, sums| is_odd(sums));
        self.odd_since.retain(|server, _| servers.contains_key(server));
        servers.keys().for_each(|server| {
            self.odd_since.entry(*server).or_insert(view.at);
        });
    }
}

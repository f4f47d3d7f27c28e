//! Faults as clients notice them, by their own figures: pure.

use netwhy_tests::report::Report;

/// One second of one client program.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Second {
    /// Requests or bytes.
    pub(super) done: f64,
    pub(super) failures: u64,
    pub(super) p50_ms: Option<f64>,
    pub(super) p99_ms: Option<f64>,
}

impl Second {
    pub(super) fn of(report: &Report) -> Self {
        let counts = &report.interval;
        let done = if report.program == "bulk" { counts.bytes_sent } else { counts.requests };
        let ms = |us: u64| us as f64 / 1e3;
        Self {
            done: done as f64,
            failures: counts.failures.sum(),
            p50_ms: report.latency.map(|latency| ms(latency.p50_us)),
            p99_ms: report.latency.map(|latency| ms(latency.p99_us)),
        }
    }
}

/// One flow before the onset and after it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Figures {
    pub(super) before: Vec<Second>,
    pub(super) during: Vec<Second>,
}

/// Share of requests that fail, from which on clients notice.
const FAILURES: f64 = 0.01;
/// Lost throughput.
const THROUGHPUT: f64 = 0.2;
/// Share of seconds with late answers.
const LATE_SECONDS: f64 = 0.1;
/// Answers are late beyond twice what was usual, and this much more, ms.
const LATE_MS: f64 = 5.0;
/// The median is noticed beyond half as much again, and this much more, ms.
const MEDIAN_MS: f64 = 2.0;

impl Figures {
    /// How much worse it went: from 1 on, clients notice.
    pub(super) fn severity(&self) -> f64 {
        if self.before.is_empty() || self.during.is_empty() {
            return 0.0;
        }
        [self.failures(), self.throughput(), self.late(), self.median()].into_iter().fold(0.0, f64::max)
    }

    fn failures(&self) -> f64 {
        let share = |seconds: &[Second]| {
            let failed: u64 = seconds.iter().map(|second| second.failures).sum();
            let done: f64 = seconds.iter().map(|second| second.done).sum();
            (failed, failed as f64 / (failed as f64 + done).max(1.0))
        };
        let ((_, before), (failed, during)) = (share(&self.before), share(&self.during));
        if failed < 2 { 0.0 } else { (during - before) / FAILURES }
    }

    fn throughput(&self) -> f64 {
        let mean =
            |seconds: &[Second]| seconds.iter().map(|second| second.done).sum::<f64>() / seconds.len().max(1) as f64;
        let (before, during) = (mean(&self.before), mean(&self.during));
        // One missing request is chance.
        if before * self.during.len() as f64 - during * (self.during.len() as f64) < 2.0 {
            return 0.0;
        }
        (before - during) / before / THROUGHPUT
    }

    fn late(&self) -> f64 {
        let usual = self.before.iter().filter_map(|second| second.p99_ms).collect::<Vec<_>>();
        let Some(usual) = quantile(usual, 0.9) else { return 0.0 };
        let limit = 2.0 * usual + LATE_MS;
        let late = self.during.iter().filter(|second| second.p99_ms.is_some_and(|ms| ms > limit)).count();
        if late < 2 { 0.0 } else { late as f64 / self.during.len() as f64 / LATE_SECONDS }
    }

    fn median(&self) -> f64 {
        let medians = |seconds: &[Second]| seconds.iter().filter_map(|second| second.p50_ms).collect::<Vec<_>>();
        let (Some(usual), Some(now)) = (quantile(medians(&self.before), 0.9), quantile(medians(&self.during), 0.75))
        else {
            return 0.0;
        };
        (now - usual) / (usual / 2.0).max(MEDIAN_MS)
    }
}

fn quantile(mut values: Vec<f64>, q: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let rank = (q * values.len() as f64).ceil() as usize;
    values.get(rank.max(1) - 1).copied()
}

/// The figures of a case's clients.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bite {
    /// Worst among the flows that pass the place.
    pub(super) affected: f64,
    /// Median of the others. `None`: there is none.
    pub(super) others: Option<f64>,
}

impl Bite {
    /// From each flow's severity, and whether it passes the place.
    pub(super) fn of(flows: &[(bool, f64)]) -> Self {
        let affected = flows.iter().filter(|flow| flow.0).map(|flow| flow.1).fold(0.0, f64::max);
        let others: Vec<f64> = flows.iter().filter(|flow| !flow.0).map(|flow| flow.1).collect();
        Self { affected, others: quantile(others, 0.5) }
    }

    /// Clients notice, and those that pass the place notice more.
    pub(super) fn is_noticed(self) -> bool {
        self.affected >= 1.0 && self.affected > 2.0 * self.others.unwrap_or(0.0)
    }

    /// The machine had too much else to do: also clients that don't pass the place notice.
    pub(super) fn is_disturbed(self) -> bool {
        self.others.is_some_and(|others| others >= 1.0)
    }
}

#[cfg(test)]
mod tests;

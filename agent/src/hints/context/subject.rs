//! A subject as judges see it.

use super::{EdgeIx, SubjectIx};
use crate::{api::RuledOut, hints::thresholds::Thresholds, state::SubjectView};

/// CPU bandwidth periods that a throttled share needs (2 s at the usual 100 ms).
pub(crate) const MIN_PERIODS: u64 = 20;

/// Data segments sent in the window from which others may wait for a subject.
const CALLED_SEGMENTS: u64 = 10;
/// Handshakes in the window from which the same holds. A health check makes one or two.
const CALLED_CONNECTS: u64 = 3;

/// One subject, and its edges.
pub(crate) struct Subject<'a> {
    pub(crate) ix: SubjectIx,
    pub(crate) view: &'a SubjectView,
    pub(crate) edges: Vec<EdgeIx>,
}

impl Subject<'_> {
    pub(crate) fn name(&self) -> &str {
        &self.view.id.name
    }

    /// Throttled and all CPU bandwidth periods of the window. `None`: no controller, or too few periods to judge.
    pub(crate) fn periods(&self) -> Option<(u64, u64)> {
        self.view.window_cpu.filter(|c| c.periods >= MIN_PERIODS).map(|c| (c.throttled_periods, c.periods))
    }

    pub(crate) fn is_throttled(&self, thresholds: &Thresholds) -> bool {
        self.periods().is_some_and(|(throttled, all)| throttled as f64 >= thresholds.throttled_share * all as f64)
    }

    /// Rules out throttling when the data do.
    pub(crate) fn rule_out_throttling(&self, thresholds: &Thresholds) -> Option<RuledOut> {
        let (throttled, all) = self.periods()?;
        (!self.is_throttled(thresholds)).then(|| RuledOut {
            cause: "pod_cpu_throttled".into(),
            because: format!("{throttled} of {all} periods throttled"),
        })
    }

    /// Others may wait for it: it sent data or completed handshakes in the window, more than a health check makes.
    pub(crate) fn has_callers(&self) -> bool {
        let tally = &self.view.window;
        tally.data_segs_out >= CALLED_SEGMENTS || tally.connects.iter().sum::<u64>() >= CALLED_CONNECTS
    }
}

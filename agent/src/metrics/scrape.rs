//! The input of the table's functions: the view, and the values that all metrics share.

use super::{
    MetricsOptions,
    exemplars::Exemplars,
    out::{Label, Out},
};
use crate::{
    api::{AgentStats, Hint, HintState},
    state::{DropReasons, NodeView},
};
use std::{collections::BTreeMap, fmt};

/// Labels of one hint, in the order of the declaration.
type HintLabels<'a> = [Label<'a>; 7];

/// A scrape's figures about itself.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Summary {
    /// Subjects that were summed up in `~other`.
    pub(super) folded: usize,
    /// Series of the whole scrape.
    pub(super) series: usize,
}

/// Input of the table's functions.
pub(super) struct Scrape<'a> {
    pub(super) view: &'a NodeView,
    pub(super) agent: &'a AgentStats,
    pub(super) options: &'a MetricsOptions,
    /// Firing hints, one per label set, and their confidence.
    pub(super) hints: Vec<(HintLabels<'a>, f64)>,
    pub(super) summary: Summary,
    /// Hints that series of subjects name; none until they are asked for.
    pub(super) exemplars: Exemplars<'a>,
    reasons: DropReasons,
}

impl<'a> Scrape<'a> {
    pub(super) fn new(view: &'a NodeView, agent: &'a AgentStats, options: &'a MetricsOptions) -> Self {
        let reasons = DropReasons::new(&view.drop_reasons);
        Self {
            view,
            agent,
            options,
            hints: hints(&view.hints),
            summary: Summary::default(),
            exemplars: Exemplars::default(),
            reasons,
        }
    }

    /// Samples of dropped packets by reason.
    pub(super) fn drops(&self, drops: &BTreeMap<u32, u64>, out: &mut Out<'_, '_>) -> fmt::Result {
        drops.iter().try_for_each(|(reason, n)| out.counter(&[("reason", &self.reasons.name(*reason))], *n))
    }
}

fn hints(hints: &[Hint]) -> Vec<(HintLabels<'_>, f64)> {
    let mut out: Vec<(HintLabels<'_>, f64)> = Vec::new();
    for hint in hints.iter().filter(|h| h.state == HintState::Firing) {
        let on_node = hint.subject.kind == "Node";
        let labels = [
            ("namespace", if on_node { "" } else { hint.subject.namespace.as_str() }),
            ("pod", if on_node { "" } else { hint.subject.name.as_str() }),
            ("workload", if on_node { "" } else { hint.subject.workload.as_str() }),
            ("cause", hint.cause.as_str()),
            ("symptom", hint.symptom.as_str()),
            ("blame_kind", hint.blame.kind.label()),
            ("blame", hint.blame.name_without_address()),
        ];
        // Two external peers look the same once their addresses are gone: the surer one stays.
        match out.iter_mut().find(|(known, _)| *known == labels) {
            Some((_, confidence)) => *confidence = confidence.max(hint.confidence),
            None => out.push((labels, hint.confidence)),
        }
    }
    out
}

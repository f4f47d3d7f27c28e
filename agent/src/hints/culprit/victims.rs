//! Victims of drops at this Node. A counter of the whole Node blames nobody without a Pod that suffers at the same
//! time.

use crate::hints::{
    context::{Context, Edge, SubjectIx, excuse},
    rule::Family,
    stats::poisson_tail_ln,
};
use netwhy_abi::{Failure, Retransmit};
use std::collections::BTreeMap;

/// Episodes that a victim needs.
const MIN_EPISODES: u64 = 3;
/// Chance that the baseline alone makes a victim. It multiplies with the rate of the counter's own test, as far as the
/// two are independent in normal times.
const VICTIM_ALPHA: f64 = 1e-3;

/// Losses of a subject in the window.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Victim {
    pub(crate) subject: SubjectIx,
    pub(crate) segments: u64,
    pub(crate) episodes: u64,
    expected: f64,
    /// SYNs sent again, and attempts without an answer.
    pub(crate) connects: u64,
    syns: u64,
    timed_out: u64,
}

/// Edges that may show the harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Those whose packets leave the Node.
    Remote,
    /// All.
    Any,
}

impl Victim {
    /// Established connections lose more packets than usual, and enough to matter.
    pub(crate) fn loses(&self, context: &Context<'_>) -> bool {
        self.episodes >= MIN_EPISODES
            && self.episodes as f64 >= context.thresholds.loss_ratio * self.segments as f64
            && poisson_tail_ln(self.episodes, self.expected) <= VICTIM_ALPHA.ln()
    }

    /// Handshakes go unanswered.
    pub(crate) fn cannot_connect(&self, context: &Context<'_>) -> bool {
        self.syns >= context.thresholds.syn_retransmits.max(1)
            || self.timed_out >= context.thresholds.connect_failures.max(1)
    }

    /// The harm, for people.
    pub(crate) fn harm(&self) -> String {
        let loss = format!("{} loss episodes in {} segments", self.episodes, self.segments);
        let connects = format!("{} handshakes without an answer", self.connects);
        match (self.episodes, self.connects) {
            (0, _) => connects,
            (_, 0) => loss,
            _ => format!("{loss}, {connects}"),
        }
    }
}

/// Sums over each subject's edges, where there is any loss.
pub(crate) fn sums(context: &Context<'_>, reach: Reach) -> Vec<Victim> {
    let mut all: BTreeMap<SubjectIx, Victim> = BTreeMap::new();
    let reaches = |edge: &Edge<'_>| reach == Reach::Any || edge.is_remote();
    for (subject, edge) in context.unclaimed(Family::Host).filter(|(_, edge)| reaches(edge)) {
        let tally = edge.tally();
        let victim = all.entry(subject.ix).or_insert(Victim { subject: subject.ix, ..Victim::default() });
        victim.syns += tally.retransmits[Retransmit::Syn as usize];
        victim.timed_out += tally.failures(Failure::TimedOut);
        victim.connects = victim.syns + victim.timed_out;
        // Loss that a sender makes itself, and spurious retransmissions, harm nobody.
        if excuse::can_be_judged(context, edge) {
            let losses = edge.losses();
            victim.segments += losses.segments;
            victim.episodes += losses.episodes;
            victim.expected += losses.segments as f64 * edge.loss_baseline;
        }
    }
    all.into_values().filter(|v| v.episodes + v.connects > 0).collect()
}

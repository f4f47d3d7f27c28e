//! Who suffers at the same time: a host-wide counter alone harms nobody, and blames nobody.

use crate::hints::{
    context::excuse,
    context::{Context, Edge},
    rule::Family,
    stats::poisson_tail_ln,
};
use netwhy_abi::{Failure, Retransmit};
use std::collections::BTreeMap;

/// Episodes that a verdict needs.
const MIN_EPISODES: u64 = 3;
/// Chance that the baseline alone makes a victim. Together with the counter's own test the rates multiply, as far as the
/// two are independent in normal times.
const VICTIM_ALPHA: f64 = 1e-3;

/// What a subject lost in the window.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Victim {
    pub(crate) subject: usize,
    pub(crate) segments: u64,
    pub(crate) episodes: u64,
    expected: f64,
    /// SYNs sent again, and attempts that were never answered.
    pub(crate) connects: u64,
    syns: u64,
    timed_out: u64,
}

/// Which edges may show the harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Those whose packets leave the Node.
    Remote,
    /// All.
    Any,
}

impl Victim {
    /// Established connections lose packets, more than they usually do and than matters.
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

    /// For people.
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

/// Sums of each subject's edges, where there is anything at all.
pub(crate) fn sums(context: &Context<'_>, reach: Reach) -> Vec<Victim> {
    let mut all: BTreeMap<usize, Victim> = BTreeMap::new();
    let reaches = |edge: &Edge<'_>| reach == Reach::Any || edge.is_remote();
    for (_, subject, edge) in context.free(Family::Host).filter(|(_, _, edge)| reaches(edge)) {
        let t = edge.tally();
        let victim = all.entry(subject).or_insert(Victim { subject, ..Victim::default() });
        victim.syns += t.retransmits[Retransmit::Syn as usize];
        victim.timed_out += t.failures(Failure::TimedOut);
        victim.connects = victim.syns + victim.timed_out;
        // Loss that a sender makes itself, and what it sent again without need, is nobody's harm.
        if excuse::can_be_judged(context, edge) {
            victim.segments += t.data_segs_out;
            victim.episodes += t.loss_episodes;
            victim.expected += t.data_segs_out as f64 * edge.loss_baseline;
        }
    }
    all.into_values().filter(|v| v.episodes + v.connects > 0).collect()
}

//! The result of a judge: a rule that holds for one subject in one tick.

use super::{
    context::{EdgeIx, SubjectIx},
    key::hint_key,
    rule::Rule,
    stats::confidence,
};
use crate::{
    api::{Blame, BlameKind, Evidence, RuledOut, Suspect},
    state::SubjectId,
};
use std::{collections::BTreeMap, time::Duration};

/// A rule that holds in this window.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    pub(crate) rule: &'static Rule,
    pub(crate) subject: SubjectIx,
    pub(crate) blame: Blame,
    /// Evidence beyond the decision limit, nats; see [`confidence`].
    pub(crate) nats: f64,
    /// Time that this evidence is of, up to now, where it is longer than the window. `None`: the window.
    pub(crate) covers: Option<Duration>,
    /// Certainty of the cause beyond the test's: less than 1 without a baseline or a comparison. The culprit has a
    /// probability of its own.
    pub(crate) certainty: f64,
    /// Strong enough to open a hint with this window alone.
    pub(crate) overwhelming: bool,
    /// So rare that two episodes of one edge within a minute open a hint, however short each is.
    pub(crate) adds_up: bool,
    pub(crate) summary: String,
    pub(crate) evidence: Vec<Evidence>,
    pub(crate) ruled_out: Vec<RuledOut>,
    /// Effects that this cause explains, as identifiers.
    pub(crate) effects: Vec<&'static str>,
    /// Edges that it explains.
    pub(crate) edges: Vec<EdgeIx>,
}

impl Finding {
    /// A decided finding at the limit, without evidence. Judges fill in the rest.
    pub(crate) fn new(rule: &'static Rule, subject: SubjectIx, blame: Blame) -> Self {
        Self {
            rule,
            subject,
            blame,
            nats: 0.0,
            covers: None,
            certainty: 1.0,
            overwhelming: false,
            adds_up: false,
            summary: String::new(),
            evidence: Vec::new(),
            ruled_out: Vec::new(),
            effects: Vec::new(),
            edges: Vec::new(),
        }
    }

    /// Same subject and cause: same id, also when the blame changes as evidence arrives.
    pub(crate) fn id(&self, subject: &SubjectId) -> u64 {
        hint_key(subject, self.rule.id)
    }

    /// Of this window alone.
    pub(crate) fn confidence(&self) -> f64 {
        self.confidence_with(self.nats)
    }

    /// With the evidence of several windows. They can't make the cause more certain than `certainty`, nor the culprit.
    pub(crate) fn confidence_with(&self, nats: f64) -> f64 {
        confidence(nats, self.certainty * self.blame.best())
    }

    /// From the cause over its effects to the symptom.
    pub(crate) fn chain(&self) -> Vec<String> {
        let links = [self.rule.id].into_iter().chain(self.effects.iter().copied());
        links.chain([self.rule.symptom]).map(Into::into).collect()
    }
}

/// Merges findings with the same subject and cause: the strongest speaks for all their edges. Order: of first
/// appearance.
pub(crate) fn merge(findings: Vec<(SubjectId, Finding)>) -> Vec<(SubjectId, Finding)> {
    let mut places: BTreeMap<u64, usize> = BTreeMap::new();
    let mut out: Vec<(SubjectId, Finding)> = Vec::new();
    let mut merged = Vec::new();
    for (subject, mut finding) in findings {
        let Some(&place) = places.get(&finding.id(&subject)) else {
            places.insert(finding.id(&subject), out.len());
            out.push((subject, finding));
            merged.push(0);
            continue;
        };
        let kept = &mut out[place].1;
        if finding.confidence() > kept.confidence() {
            std::mem::swap(kept, &mut finding);
        }
        kept.overwhelming |= finding.overwhelming;
        kept.adds_up |= finding.adds_up;
        kept.edges.extend(finding.edges);
        merged[place] += 1;
    }
    for ((_, finding), n) in out.iter_mut().zip(merged).filter(|(_, n)| *n > 0) {
        let edges = if n == 1 { "edge" } else { "edges" };
        finding.summary.push_str(&format!(" (and on {n} more {edges})"));
    }
    out
}

/// Of [`Finding::covers`], where a share of the time is above its limit. It is measured, and not a sample: in the next
/// window it is as far above it, and no more certain.
pub(crate) const MEASURED: Option<Duration> = Some(Duration::MAX);
/// Probability of a culprit that the cause itself names.
pub(crate) const SURE: f64 = 0.99;

/// A culprit that the cause itself names.
pub(crate) fn blame(kind: BlameKind, name: impl Into<String>) -> Blame {
    Blame::named(kind, name, SURE)
}

/// A culprit with this probability, and others that share the rest.
pub(crate) fn shared_blame(first: (BlameKind, &str), probability: f64, others: &[(BlameKind, &str)]) -> Blame {
    let rest = (SURE - probability) / others.len().max(1) as f64;
    let others = others.iter().map(|(kind, name)| Suspect::new(*kind, *name, rest));
    let probability = if others.len() == 0 { SURE } else { probability };
    Blame::among([Suspect::new(first.0, first.1, probability)].into_iter().chain(others).collect())
}

/// One number without a baseline.
pub(crate) fn evidence(signal: &str, observed: f64, unit: &str, place: &str, source: &str) -> Evidence {
    Evidence {
        signal: signal.into(),
        observed,
        baseline: None,
        unit: unit.into(),
        place: place.into(),
        source: source.into(),
    }
}

//! Effects become links in the chain of their cause.

use super::{hysteresis::Now, tracks::Tracks};
use crate::{
    hints::{
        finding::Finding,
        rule::{Family, Rule},
    },
    state::SubjectId,
};
use std::collections::BTreeSet;

/// Evidence that a cause shows of each folded effect.
const EFFECT_EVIDENCE: usize = 2;

/// Rules that hold in this tick, or whose hint is still open.
struct Causes {
    of_subject: BTreeSet<(SubjectId, &'static str)>,
    /// Drops of the Node itself reach all its Pods, also those that show too little loss of their own.
    of_node: BTreeSet<&'static str>,
}

impl Causes {
    fn new<'a>(all: impl Iterator<Item = (&'a SubjectId, &'static Rule)>) -> Self {
        let mut causes = Self { of_subject: BTreeSet::new(), of_node: BTreeSet::new() };
        for (subject, rule) in all {
            causes.of_subject.insert((subject.clone(), rule.id));
            if rule.family == Family::Host {
                causes.of_node.insert(rule.id);
            }
        }
        causes
    }

    /// The cause that explains `effect` at this subject. `None`: no cause of it holds.
    fn explaining(&self, subject: &SubjectId, effect: &Rule) -> Option<&'static str> {
        let reaches_all = matches!(effect.family, Family::Connect | Family::Dns);
        let holds = |cause: &&'static str| {
            reaches_all && self.of_node.contains(cause) || self.of_subject.contains(&(subject.clone(), *cause))
        };
        effect.caused_by.iter().copied().find(|cause| holds(cause))
    }
}

/// Removes findings that a cause of the same subject explains, and makes each a link of the cause's chain.
pub(crate) fn fold(findings: Vec<(SubjectId, Finding)>, tracks: &mut Tracks, now: &Now) -> Vec<(SubjectId, Finding)> {
    let open = tracks.open().map(|t| (&t.subject, t.rule));
    let causes = Causes::new(open.chain(findings.iter().map(|(s, f)| (s, f.rule))));
    let (effects, mut roots): (Vec<_>, Vec<_>) =
        findings.into_iter().partition(|(s, f)| causes.explaining(s, f.rule).is_some());
    for (subject, effect) in effects {
        let Some(cause) = causes.explaining(&subject, effect.rule) else { continue };
        let is_root =
            |(s, f): &(SubjectId, Finding)| f.rule.id == cause && (*s == subject || causes.of_node.contains(cause));
        let of_subject = roots.iter().position(|root| root.0 == subject && is_root(root));
        let root = of_subject.or_else(|| roots.iter().position(is_root)).and_then(|at| roots.get_mut(at));
        if let Some((_, root)) = root
            && !root.effects.contains(&effect.rule.id)
        {
            root.effects.push(effect.rule.id);
            root.evidence.extend(effect.evidence.into_iter().take(EFFECT_EVIDENCE));
        }
    }
    let folded: Vec<(SubjectId, &str, &str)> = tracks
        .open()
        .filter_map(|t| causes.explaining(&t.subject, t.rule).map(|cause| (t.subject.clone(), t.rule.id, cause)))
        .collect();
    for (subject, effect, cause) in folded {
        tracks.fold(&subject, effect, cause, now);
    }
    roots
}

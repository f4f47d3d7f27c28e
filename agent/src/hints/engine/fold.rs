//! Effects become links in the chain of their cause.

use super::{hysteresis::Now, tracks::Tracks};
use crate::{
    hints::{
        finding::Finding,
        rule::{Family, Rule},
    },
    state::SubjectId,
};
use std::collections::{BTreeMap, BTreeSet};

/// Evidence that a cause shows of each folded effect.
const EFFECT_EVIDENCE: usize = 2;

/// Rules that hold in this tick, or whose hint is still open.
#[derive(Default)]
struct Causes {
    of_subject: BTreeMap<SubjectId, BTreeSet<&'static str>>,
    /// Drops of the Node itself reach all its Pods, also those that show too little loss of their own.
    of_node: BTreeSet<&'static str>,
}

impl Causes {
    fn new<'a>(all: impl Iterator<Item = (&'a SubjectId, &'static Rule)>) -> Self {
        let mut causes = Self::default();
        for (subject, rule) in all {
            causes.of_subject.entry(subject.clone()).or_default().insert(rule.id);
            if rule.family == Family::Host {
                causes.of_node.insert(rule.id);
            }
        }
        causes
    }

    /// The cause that explains `effect` at this subject. `None`: no cause of it holds.
    fn explaining(&self, subject: &SubjectId, effect: &Rule) -> Option<&'static str> {
        let reaches_all = matches!(effect.family, Family::Connect | Family::Dns);
        let of_subject = self.of_subject.get(subject);
        let holds = |cause: &&'static str| {
            reaches_all && self.of_node.contains(cause) || of_subject.is_some_and(|causes| causes.contains(cause))
        };
        effect.caused_by.iter().copied().find(|cause| holds(cause))
    }
}

/// Positions of the findings that no cause explains: of each cause the first.
#[derive(Default)]
struct Roots {
    of_subject: BTreeMap<SubjectId, BTreeMap<&'static str, usize>>,
    of_any: BTreeMap<&'static str, usize>,
}

impl Roots {
    fn new(roots: &[(SubjectId, Finding)]) -> Self {
        let mut places = Self::default();
        for (at, (subject, finding)) in roots.iter().enumerate() {
            places.of_subject.entry(subject.clone()).or_default().entry(finding.rule.id).or_insert(at);
            places.of_any.entry(finding.rule.id).or_insert(at);
        }
        places
    }

    /// The finding of a cause that explains something at a subject. `None`: its hint is open, and it holds no more.
    fn find(&self, subject: &SubjectId, cause: &str, causes: &Causes) -> Option<usize> {
        let own = self.of_subject.get(subject).and_then(|own| own.get(cause));
        let any = || self.of_any.get(cause).filter(|_| causes.of_node.contains(cause));
        own.or_else(any).copied()
    }
}

/// Removes findings that a cause of the same subject explains, and makes each a link of the cause's chain.
pub(crate) fn fold(findings: Vec<(SubjectId, Finding)>, tracks: &mut Tracks, now: &Now) -> Vec<(SubjectId, Finding)> {
    let open = tracks.open().map(|t| (&t.subject, t.rule));
    let causes = Causes::new(open.chain(findings.iter().map(|(s, f)| (s, f.rule))));
    let (mut roots, mut effects) = (Vec::new(), Vec::new());
    for (subject, finding) in findings {
        match causes.explaining(&subject, finding.rule) {
            Some(cause) => effects.push((subject, finding, cause)),
            None => roots.push((subject, finding)),
        }
    }
    let places = Roots::new(&roots);
    for (subject, effect, cause) in effects {
        let root = places.find(&subject, cause, &causes).and_then(|at| roots.get_mut(at));
        if let Some((_, root)) = root
            && !root.effects.contains(&effect.rule.id)
        {
            root.effects.push(effect.rule.id);
            root.evidence.extend(effect.evidence.into_iter().take(EFFECT_EVIDENCE));
        }
    }
    let open = tracks.tracks.iter().filter(|(_, track)| track.open);
    let explained = open.filter_map(|(id, track)| Some((*id, causes.explaining(&track.subject, track.rule)?)));
    for (id, cause) in explained.collect::<Vec<_>>() {
        tracks.fold(id, cause, now);
    }
    roots
}

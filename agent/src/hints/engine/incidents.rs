//! Incidents: hints that one cause explains.

use crate::{
    api::{Blame, BlameKind},
    hints::rule::{Family, Rule},
    state::SubjectId,
};
use std::collections::{BTreeMap, BTreeSet};

/// The facts of a hint that decide its incident.
#[derive(Clone, Copy)]
pub(crate) struct Member<'a> {
    pub(crate) rule: &'static Rule,
    pub(crate) blame: &'a Blame,
    pub(crate) subject: &'a SubjectId,
}

/// The incident of a hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Number of the incident, from 0 in the order of first appearance.
    pub(crate) incident: usize,
    /// Cause at the blamed Pod. `None`: no other hint of this Node explains it.
    pub(crate) root: Option<&'static str>,
}

/// Hints of one cause and culprit.
struct Group {
    rule: &'static Rule,
    culprit: (BlameKind, String),
    /// Another group of the same incident, which came before; its own number if it is the first.
    incident: usize,
    root: Option<&'static str>,
}

impl Group {
    /// It blames the Pods that it is about, or their Node.
    fn is_own(&self) -> bool {
        matches!(self.culprit.0, BlameKind::Pod | BlameKind::Node)
    }
}

/// All groups, in the order of first appearance.
#[derive(Default)]
struct Groups {
    all: Vec<Group>,
    /// By culprit, then by cause.
    known: BTreeMap<(BlameKind, String), BTreeMap<&'static str, usize>>,
    /// Those that are about each subject, by `namespace/name`.
    about: BTreeMap<String, BTreeSet<usize>>,
}

/// Sorts hints into incidents. Two hints belong together when they have the same culprit, and the same cause or causes
/// of which one explains the other. They also do when one blames a Pod, and the other names the cause at that Pod.
pub(crate) fn places(members: &[Member<'_>]) -> Vec<Place> {
    let mut groups = Groups::default();
    let of_member: Vec<usize> = members.iter().map(|member| groups.add(member)).collect();
    groups.join_callers();
    groups.join_effects();
    let mut numbers: BTreeMap<usize, usize> = BTreeMap::new();
    let place = |group: usize| {
        let next = numbers.len();
        let incident = *numbers.entry(groups.incident(group)).or_insert(next);
        Place { incident, root: groups.all[group].root }
    };
    of_member.into_iter().map(place).collect()
}

impl Groups {
    /// Adds a hint, and returns its group.
    fn add(&mut self, member: &Member<'_>) -> usize {
        let culprit = culprit(member);
        let next = self.all.len();
        let of_culprit = self.known.entry(culprit.clone()).or_default();
        let group = *of_culprit.entry(member.rule.id).or_insert(next);
        if group == next {
            self.all.push(Group { rule: member.rule, culprit, incident: next, root: None });
        }
        let subject = format!("{}/{}", member.subject.namespace, member.subject.name);
        self.about.entry(subject).or_default().insert(group);
        group
    }

    /// Joins hints that blame a Pod to those that name the cause there. A cause of the Pod's own comes first: it may
    /// also wait for somebody whom it doesn't need.
    fn join_callers(&mut self) {
        for is_own in [true, false] {
            for effect in 0..self.all.len() {
                for cause in self.causes_at_culprit(effect) {
                    let may_join = self.all[cause].is_own() == is_own && (is_own || self.all[effect].root.is_none());
                    if !may_join {
                        continue;
                    }
                    // Of Pods that blame each other, neither is the root.
                    if !self.explains_caller(effect, cause) {
                        let root = self.all[effect].root.or(Some(self.all[cause].rule.id));
                        self.all[effect].root = root;
                    }
                    self.join(cause, effect);
                }
            }
        }
    }

    /// Joins hints of one culprit to those of the causes that explain them.
    fn join_effects(&mut self) {
        for effect in 0..self.all.len() {
            let Group { rule, culprit, .. } = &self.all[effect];
            let of_culprit = self.known.get(culprit);
            let causes = rule.caused_by.iter().filter_map(|cause| of_culprit?.get(cause).copied());
            for cause in causes.collect::<Vec<_>>() {
                self.join(cause, effect);
            }
        }
    }

    /// Groups of which [`explains_caller`](Self::explains_caller) holds, in order.
    fn causes_at_culprit(&self, effect: usize) -> Vec<usize> {
        let about = self.about.get(&self.all[effect].culprit.1).into_iter().flatten();
        about.copied().filter(|cause| *cause != effect && self.explains_caller(*cause, effect)).collect()
    }

    /// `effect` blames a Pod, and `cause` explains it there. Trouble on one path of that Pod says nothing of others,
    /// unless the Pod itself or its Node is at fault.
    fn explains_caller(&self, cause: usize, effect: usize) -> bool {
        let (of_cause, of_effect) = (&self.all[cause], &self.all[effect]);
        let is_path = matches!(of_cause.rule.family, Family::Host | Family::Loss | Family::Latency);
        of_effect.culprit.0 == BlameKind::PeerPod
            && (of_cause.is_own() || !is_path)
            && of_effect.rule.caused_by_at_peer.contains(&of_cause.rule.id)
            && self.about.get(&of_effect.culprit.1).is_some_and(|about| about.contains(&cause))
    }

    /// The first group of a group's incident.
    fn incident(&self, group: usize) -> usize {
        let mut first = group;
        while self.all[first].incident != first {
            first = self.all[first].incident;
        }
        first
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.incident(a), self.incident(b));
        self.all[a.max(b)].incident = a.min(b);
    }
}

/// The culprit without ambiguity: Pods, and undecided blames of different subjects, are different culprits.
fn culprit(member: &Member<'_>) -> (BlameKind, String) {
    let Blame { kind, name, .. } = member.blame;
    let SubjectId { namespace, name: subject, .. } = member.subject;
    let name = match kind {
        BlameKind::Pod => format!("{namespace}/{name}"),
        BlameKind::None | BlameKind::Undecided => format!("{namespace}/{subject}"),
        BlameKind::Node
        | BlameKind::PeerNode
        | BlameKind::NodePair
        | BlameKind::PathShare
        | BlameKind::Service
        | BlameKind::Clients
        | BlameKind::ZonePair
        | BlameKind::PeerPod
        | BlameKind::External => name.clone(),
    };
    (*kind, name)
}

#[cfg(test)]
mod tests;

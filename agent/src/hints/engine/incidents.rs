//! Incidents: hints that one cause explains.

use crate::{
    api::{Blame, BlameKind},
    hints::rule::{Family, Rule},
    state::SubjectId,
};
use std::collections::BTreeMap;

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
struct Group<'a> {
    rule: &'static Rule,
    culprit: (BlameKind, String),
    subjects: Vec<&'a SubjectId>,
    incident: usize,
    root: Option<&'static str>,
}

impl Group<'_> {
    /// It blames the Pods that it is about, or their Node.
    fn is_own(&self) -> bool {
        matches!(self.culprit.0, BlameKind::Pod | BlameKind::Node)
    }
}

/// Sorts hints into incidents. Two hints belong together when they have the same culprit, and the same cause or causes
/// of which one explains the other. They also do when one blames a Pod, and the other names the cause at that Pod.
pub(crate) fn places(members: &[Member<'_>]) -> Vec<Place> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut known: BTreeMap<(&str, u8, String), usize> = BTreeMap::new();
    let mut of_member = Vec::with_capacity(members.len());
    for member in members {
        let culprit = culprit(member);
        let place = *known.entry((member.rule.id, culprit.0 as u8, culprit.1.clone())).or_insert_with(|| {
            let incident = groups.len();
            groups.push(Group { rule: member.rule, culprit, subjects: Vec::new(), incident, root: None });
            incident
        });
        groups[place].subjects.push(member.subject);
        of_member.push(place);
    }
    join_callers(&mut groups);
    for a in 0..groups.len() {
        for b in 0..groups.len() {
            if groups[a].culprit == groups[b].culprit && groups[b].rule.caused_by.contains(&groups[a].rule.id) {
                join(&mut groups, a, b);
            }
        }
    }
    let mut numbers: BTreeMap<usize, usize> = BTreeMap::new();
    let place = |group: usize| {
        let next = numbers.len();
        let incident = *numbers.entry(groups[group].incident).or_insert(next);
        Place { incident, root: groups[group].root }
    };
    of_member.into_iter().map(place).collect()
}

/// Joins hints that blame a Pod to those that name the cause there. A cause of the Pod's own comes first: it may also
/// wait for somebody whom it doesn't need.
fn join_callers(groups: &mut [Group<'_>]) {
    for is_own in [true, false] {
        for a in 0..groups.len() {
            for b in 0..groups.len() {
                let may_join = a != b && groups[a].is_own() == is_own && (is_own || groups[b].root.is_none());
                if may_join && explains_caller(&groups[a], &groups[b]) {
                    // Of Pods that blame each other, neither is the root.
                    if !explains_caller(&groups[b], &groups[a]) {
                        groups[b].root = groups[b].root.or(Some(groups[a].rule.id));
                    }
                    join(groups, a, b);
                }
            }
        }
    }
}

fn join(groups: &mut [Group<'_>], a: usize, b: usize) {
    let (to, from) = (groups[a].incident.min(groups[b].incident), groups[a].incident.max(groups[b].incident));
    groups.iter_mut().filter(|group| group.incident == from).for_each(|group| group.incident = to);
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

/// `effect` blames a Pod, and `cause` explains it there. Trouble on one path of that Pod says nothing of others, unless the
/// Pod itself or its Node is at fault.
fn explains_caller(cause: &Group<'_>, effect: &Group<'_>) -> bool {
    let is_path = matches!(cause.rule.family, Family::Host | Family::Loss | Family::Latency);
    let is_blamed = |subject: &&SubjectId| effect.culprit.1 == format!("{}/{}", subject.namespace, subject.name);
    effect.culprit.0 == BlameKind::PeerPod
        && (cause.is_own() || !is_path)
        && effect.rule.caused_by_at_peer.contains(&cause.rule.id)
        && cause.subjects.iter().any(is_blamed)
}

#[cfg(test)]
mod tests;

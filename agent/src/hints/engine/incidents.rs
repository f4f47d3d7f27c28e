//! Incidents: hints that one cause explains.

use crate::hints::rule::Rule;
use crate::{
    api::{Blame, BlameKind},
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
    first: Member<'a>,
    incident: usize,
    root: Option<&'static str>,
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
            groups.push(Group { rule: member.rule, culprit, first: *member, incident, root: None });
            incident
        });
        of_member.push(place);
    }
    for a in 0..groups.len() {
        for b in 0..groups.len() {
            let remote = a != b && explains_caller(&groups[a], &groups[b]);
            if remote {
                groups[b].root = groups[b].root.or(Some(groups[a].rule.id));
            }
            let same = groups[a].culprit == groups[b].culprit && groups[b].rule.caused_by.contains(&groups[a].rule.id);
            if remote || same {
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

/// `effect` blames a Pod, and `cause` explains it there.
fn explains_caller(cause: &Group<'_>, effect: &Group<'_>) -> bool {
    let SubjectId { namespace, name, .. } = cause.first.subject;
    effect.culprit.0 == BlameKind::PeerPod
        && matches!(cause.culprit.0, BlameKind::Pod | BlameKind::Node)
        && effect.culprit.1 == format!("{namespace}/{name}")
        && effect.rule.caused_by_at_peer.contains(&cause.rule.id)
}

#[cfg(test)]
mod tests;

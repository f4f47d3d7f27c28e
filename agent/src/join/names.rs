//! DNS names of peers that nothing else names: each subject's own lookups, because addresses of CDNs are shared.

use super::PENDING;
use crate::{
    names::Answer,
    peers::{Peer, PeerKind},
    state::SubjectId,
};
use netwhy_abi::{EdgeKey, Role};
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    net::Ipv6Addr,
    sync::Arc,
    time::Duration,
};

/// Addresses of one subject that have names, at most.
const MAX_ADDRESSES: usize = 256;
/// Addresses of all subjects together.
pub const NAMED_ADDRESSES: usize = 8_192;
/// Answers that wait for their cgroup's name, at most.
const MAX_UNOWNED: usize = 512;
/// Connections last longer than many records may be kept …
const MIN_LIFE: Duration = Duration::from_secs(600);
/// … and addresses get other owners.
const MAX_LIFE: Duration = Duration::from_secs(86_400);

/// The names.
#[derive(Debug, Default)]
pub(super) struct Names {
    subjects: BTreeMap<SubjectId, HashMap<Ipv6Addr, Named>>,
    /// Answers to cgroups without a subject, and when they came.
    unowned: VecDeque<(Duration, Answer)>,
    is_off: bool,
}

#[derive(Debug)]
struct Named {
    name: Arc<str>,
    heard: Duration,
    until: Duration,
}

impl Names {
    /// Whether no name is kept from now on.
    pub(super) fn set_off(&mut self, is_off: bool) {
        self.is_off = is_off;
        if is_off {
            self.subjects.clear();
            self.unowned.clear();
        }
    }

    /// Takes in answers. `owner`: the subject of a cgroup. `None`: it has no name yet.
    pub(super) fn take<'s>(&mut self, now: Duration, answers: &[Answer], owner: impl Fn(u64) -> Option<&'s SubjectId>) {
        if self.is_off {
            return;
        }
        let waiting = std::mem::take(&mut self.unowned);
        for (since, answer) in waiting.into_iter().chain(answers.iter().map(|answer| (now, answer.clone()))) {
            match owner(answer.cgroup) {
                Some(subject) => self.note(now, subject, &answer),
                None if now.saturating_sub(since) < PENDING => self.unowned.push_back((since, answer)),
                None => {}
            }
        }
        self.unowned.drain(..self.unowned.len().saturating_sub(MAX_UNOWNED));
    }

    /// Forgets what is too old, and the subjects that are not `known` any more.
    pub(super) fn forget(&mut self, now: Duration, known: impl Fn(&SubjectId) -> bool) {
        self.subjects.retain(|subject, names| {
            names.retain(|_, named| named.until > now);
            !names.is_empty() && known(subject)
        });
    }

    /// The name that a subject looked up for the peer of an edge. `None`: it looked up none, the cluster knows the peer,
    /// or the peer is a client of this end.
    pub(super) fn of(&self, subject: &SubjectId, key: &EdgeKey, peer: &Peer) -> Option<Arc<str>> {
        let is_known = peer.kind != PeerKind::Range || peer.node.is_some() || peer.pod.is_some();
        if is_known || key.redirected != 0 || key.netns != 0 || key.role() == Some(Role::Server) {
            return None;
        }
        Some(self.subjects.get(subject)?.get(&Ipv6Addr::from(key.addr))?.name.clone())
    }

    fn note(&mut self, now: Duration, subject: &SubjectId, answer: &Answer) {
        let name: Arc<str> = answer.name.as_str().into();
        let life = Duration::from_secs(answer.ttl_seconds.into()).clamp(MIN_LIFE, MAX_LIFE);
        let names = self.subjects.entry(subject.clone()).or_default();
        for address in &answer.addresses {
            if names.len() >= MAX_ADDRESSES && !names.contains_key(address) {
                remove_oldest(names);
            }
            names.insert(*address, Named { name: name.clone(), heard: now, until: now + life });
        }
        // Whoever has most loses first: one that looks up much takes nothing from the others.
        while self.len() > NAMED_ADDRESSES {
            let Some(most) = self.subjects.values_mut().max_by_key(|names| names.len()) else { break };
            remove_oldest(most);
        }
    }

    fn len(&self) -> usize {
        self.subjects.values().map(HashMap::len).sum()
    }
}

fn remove_oldest(names: &mut HashMap<Ipv6Addr, Named>) {
    let oldest = names.iter().min_by_key(|(address, named)| (named.heard, **address));
    if let Some(address) = oldest.map(|(address, _)| *address) {
        names.remove(&address);
    }
}

#[cfg(test)]
mod tests;

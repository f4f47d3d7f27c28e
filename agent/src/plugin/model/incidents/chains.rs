//! Firings that belong together, and which of them came first.
//!
//! Two firings are in one chain if they overlap, or at most [`SLACK`] is between them, and both name the same Pod or
//! Node, or the same other culprit: as the subject or as the culprit.

use super::{Fingerprint, Firing, stamp};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Longest pause between two firings of one chain, ms.
const SLACK: i64 = 60_000;
/// Most chains that are listed, and incidents of one chain.
const MAX_CHAINS: usize = 20;
const MAX_OTHERS: usize = 10;

/// Incidents that belong together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Chain {
    /// Begin, RFC 3339.
    pub from: String,
    /// End, RFC 3339.
    pub to: String,
    /// What came first. Of those that can't be told apart in time, the one whose subject the others blame.
    pub first: Fingerprint,
    /// What followed, in order, at most ten.
    pub then: Vec<Fingerprint>,
    /// Incidents in it.
    pub incidents: usize,
}

/// In how many chains an incident is, and came first.
pub(super) type Places<'a> = BTreeMap<&'a Fingerprint, (usize, usize)>;

/// The newest chains, and the places of all incidents. `firings` are sorted by their begin.
pub(super) fn find(firings: &[Firing]) -> (Vec<Chain>, Places<'_>) {
    let mut sets = Sets::new(firings.len());
    // Per name, the firing that ends last.
    let mut open: BTreeMap<&str, (usize, i64)> = BTreeMap::new();
    for (at, firing) in firings.iter().enumerate() {
        for name in [&firing.subject, &firing.culprit] {
            if name.is_empty() {
                continue;
            }
            match open.get_mut(name.as_str()) {
                Some((other, end)) if firing.from.saturating_sub(*end) <= SLACK => {
                    sets.join(*other, at);
                    *end = firing.to.max(*end);
                }
                _ => drop(open.insert(name, (at, firing.to))),
            }
        }
    }
    let mut chains: BTreeMap<usize, Vec<&Firing>> = BTreeMap::new();
    for (at, firing) in firings.iter().enumerate() {
        chains.entry(sets.root(at)).or_default().push(firing);
    }
    let mut places = Places::new();
    let mut out: Vec<Chain> = Vec::new();
    for members in chains.values() {
        let all: BTreeSet<&Fingerprint> = members.iter().map(|firing| &firing.fingerprint).collect();
        let Some(first) = first(members).filter(|_| all.len() > 1) else { continue };
        for fingerprint in &all {
            places.entry(fingerprint).or_default().0 += 1;
        }
        places.entry(&first.fingerprint).or_default().1 += 1;
        out.push(chain(members, first, all.len()));
    }
    out.sort_by(|a, b| b.from.cmp(&a.from));
    out.truncate(MAX_CHAINS);
    (out, places)
}

fn chain(members: &[&Firing], first: &Firing, incidents: usize) -> Chain {
    let mut then: Vec<Fingerprint> = Vec::new();
    for firing in members {
        let known = firing.fingerprint == first.fingerprint || then.contains(&firing.fingerprint);
        if !known && then.len() < MAX_OTHERS {
            then.push(firing.fingerprint.clone());
        }
    }
    Chain {
        from: members.first().map(|firing| stamp(firing.from)).unwrap_or_default(),
        to: members.iter().map(|firing| firing.to).max().map(stamp).unwrap_or_default(),
        first: first.fingerprint.clone(),
        then,
        incidents,
    }
}

/// The firing that came first.
fn first<'f>(members: &[&'f Firing]) -> Option<&'f Firing> {
    let earliest = members.first()?;
    let mut blamed: BTreeMap<&str, usize> = BTreeMap::new();
    for firing in members.iter().filter(|firing| firing.culprit != firing.subject) {
        *blamed.entry(&firing.culprit).or_default() += 1;
    }
    let may_be_first = |firing: &&&'f Firing| {
        let off = firing.resolution.max(earliest.resolution);
        firing.from.saturating_sub(earliest.from) <= off
    };
    let blames = |firing: &Firing| blamed.get(firing.subject.as_str()).copied().unwrap_or(0);
    // Of equally good ones the earliest.
    members.iter().filter(may_be_first).rev().max_by_key(|firing| blames(firing)).copied()
}

/// Disjoint sets of indexes.
struct Sets(Vec<usize>);

impl Sets {
    fn new(size: usize) -> Self {
        Self((0..size).collect())
    }

    fn root(&mut self, mut at: usize) -> usize {
        while self.0[at] != at {
            self.0[at] = self.0[self.0[at]];
            at = self.0[at];
        }
        at
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        // The older one stays, so that sets come in the order of their begin.
        self.0[a.max(b)] = a.min(b);
    }
}

#[cfg(test)]
mod tests;

//! All tracks: rules that hold or held for a subject.

use super::hysteresis::{Now, Track};
use crate::{
    hints::{finding::Finding, rule::Family, thresholds::Thresholds},
    state::SubjectId,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Resolved hints kept at most. The oldest go first.
const MAX_RESOLVED: usize = 1000;

/// Values that all tracks of one tick share.
#[derive(Clone, Copy)]
pub(crate) struct Tick<'a> {
    /// Key of each edge of the view.
    pub(crate) edge_keys: &'a [u64],
    pub(crate) node: &'a str,
    pub(crate) thresholds: &'a Thresholds,
    pub(crate) now: &'a Now,
}

/// All tracks, by hint id.
#[derive(Debug, Default)]
pub(crate) struct Tracks {
    pub(crate) tracks: BTreeMap<u64, Track>,
    /// Hints that opened, by cause.
    pub(crate) totals: BTreeMap<String, u64>,
}

impl Tracks {
    /// Hints that opened, by cause.
    pub(crate) fn totals(&self) -> &BTreeMap<String, u64> {
        &self.totals
    }

    /// Tracks with an open hint.
    pub(crate) fn open(&self) -> impl Iterator<Item = &Track> {
        self.tracks.values().filter(|t| t.open)
    }

    /// The first family that explains each edge, by key: open tracks, and those that resolved while their fault is
    /// still in the window.
    pub(crate) fn claims(&self, now: &Now) -> BTreeMap<u64, Family> {
        let mut claims: BTreeMap<u64, Family> = BTreeMap::new();
        for track in self.tracks.values().filter(|t| t.open || t.is_echo(now)) {
            for key in &track.edges {
                let family = claims.entry(*key).or_insert(track.rule.family);
                *family = track.rule.family.min(*family);
            }
        }
        claims
    }

    /// Ends an open hint whose cause is now known; see [`Rule::caused_by`].
    pub(crate) fn fold(&mut self, id: u64, cause: &str, now: &Now) {
        if let Some(track) = self.tracks.get_mut(&id) {
            track.resolve(now, &format!("an effect of {cause}"));
            track.forget_echo();
        }
    }

    /// Takes one window's findings with their subjects, and moves every other track towards its end. `ended` gives the
    /// reason why a track no longer holds.
    pub(crate) fn update(
        &mut self,
        findings: &[(SubjectId, Finding)],
        tick: &Tick<'_>,
        ended: impl Fn(&Track) -> &'static str,
    ) {
        let Tick { edge_keys, node, thresholds, now } = *tick;
        let mut holding = BTreeSet::new();
        for (subject, finding) in findings {
            let id = finding.id(subject);
            holding.insert(id);
            let edges = finding.edges.iter().map(|edge| edge_keys[edge.get()]).collect();
            let track = self.tracks.entry(id).or_insert_with(|| Track::new(finding, subject, node, now));
            track.hold(finding, edges, thresholds, now);
        }
        for (id, track) in &mut self.tracks {
            if !holding.contains(id) {
                let why = ended(track);
                track.miss(thresholds, now, why);
            }
        }
        self.tracks.retain(|_, t| t.is_worth_keeping(now));
        let resolved: BTreeSet<(Duration, u64)> =
            self.tracks.iter().filter_map(|(id, t)| t.resolved_at.map(|at| (at, *id))).collect();
        for (_, id) in resolved.iter().take(resolved.len().saturating_sub(MAX_RESOLVED)) {
            self.tracks.remove(id);
        }
    }
}

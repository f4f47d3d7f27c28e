//! The hints that are published: at most three per incident, causes first.

use super::{
    hysteresis::Track,
    incidents::{self, Member},
    tracks::Tracks,
};
use crate::api;
use std::collections::{BTreeMap, BTreeSet};

/// Hints of one incident that are shown at once.
const MAX_PER_INCIDENT: usize = 3;

impl Tracks {
    /// Firing hints, at most three per incident, then resolved ones. Order: rule, falling confidence, id. In an
    /// incident causes come before effects, and hints that were shown before stay.
    pub(crate) fn hints(&mut self) -> Vec<api::Hint> {
        let mut order: Vec<(bool, u16, f64, u64)> =
            self.tracks.iter().map(|(id, t)| (!t.open, t.rule.order, -t.hint.confidence, *id)).collect();
        order.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.cmp(&b.1)).then(a.2.total_cmp(&b.2)).then(a.3.cmp(&b.3)));
        let shown = self.choose(order.iter().map(|(.., id)| *id));
        let mut out = Vec::new();
        for (_, _, _, id) in order {
            let Some(track) = self.tracks.get_mut(&id) else { continue };
            if track.open {
                let Some(incident) = shown.get(&id) else { continue };
                if !track.shown {
                    track.shown = true;
                    *self.totals.entry(track.rule.id.to_owned()).or_default() += 1;
                }
                out.push(incident.complete(track.hint.clone()));
            } else if track.resolved_at.is_some() {
                out.push(track.hint.clone());
            }
        }
        out
    }

    /// Selects the open hints to show, with the incident of each. `order`: ids of all tracks.
    fn choose(&self, order: impl Iterator<Item = u64>) -> BTreeMap<u64, Incident> {
        let open: Vec<(u64, &Track)> =
            order.filter_map(|id| Some((id, self.tracks.get(&id)?))).filter(|(_, track)| track.open).collect();
        let members: Vec<Member<'_>> = open
            .iter()
            .map(|(_, track)| Member { rule: track.rule, blame: &track.hint.blame, subject: &track.subject })
            .collect();
        let mut incidents: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let places = incidents::places(&members);
        for (i, place) in places.iter().enumerate() {
            incidents.entry(place.incident).or_default().push(i);
        }
        let mut out = BTreeMap::new();
        for mut all in incidents.into_values() {
            let causes: BTreeSet<&str> = all.iter().map(|i| members[*i].rule.id).collect();
            let is_effect = |i: usize| {
                places[i].root.is_some() || members[i].rule.caused_by.iter().any(|cause| causes.contains(cause))
            };
            // Stable: within each kind the order stays.
            all.sort_by_key(|i| (is_effect(*i), !open[*i].1.shown));
            let subjects = all.iter().map(|i| members[*i].subject).collect::<BTreeSet<_>>().len();
            for i in all.iter().take(MAX_PER_INCIDENT) {
                out.insert(open[*i].0, Incident { root: places[*i].root, subjects });
            }
        }
        out
    }
}

/// The incident of a shown hint.
struct Incident {
    /// Cause at the blamed Pod.
    root: Option<&'static str>,
    /// Subjects of the incident.
    subjects: usize,
}

impl Incident {
    /// Adds the cause at the blamed Pod and the number of affected subjects.
    fn complete(&self, mut hint: api::Hint) -> api::Hint {
        if let Some(root) = self.root {
            hint.chain.insert(0, root.to_owned());
        }
        if self.subjects > 1 {
            hint.evidence.push(api::Evidence {
                signal: "affected".to_owned(),
                observed: self.subjects as f64,
                baseline: None,
                unit: "subjects".to_owned(),
                place: hint.subject.node.clone(),
                source: "netwhy".to_owned(),
            });
        }
        hint
    }
}

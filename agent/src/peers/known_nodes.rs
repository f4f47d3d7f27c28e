//! The known Nodes of the cluster, and those that must be read. Pure: time is an argument.

use super::{
    lite::{NamedNode, zone},
    nodes::Nodes,
};
use ::kube::{core::PartialObjectMeta, runtime::watcher::Event};
use k8s_openapi::api::core::v1::Node;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// A Node without addresses or range is read again after this long, then after twice as long, up to [`MAX_RETRY`].
pub(super) const FIRST_RETRY: Duration = Duration::from_secs(5);
/// Longest of these waits.
pub(super) const MAX_RETRY: Duration = Duration::from_secs(600);

/// The metadata of one Node.
struct Known {
    uid: String,
    zone: Option<Arc<str>>,
    /// When to read it, and how long to wait after that. `None`: its fields are complete.
    due: Option<(Duration, Duration)>,
}

/// All Nodes.
#[derive(Default)]
pub(super) struct KnownNodes {
    known: BTreeMap<Arc<str>, Known>,
    /// The list in progress.
    listed: Option<BTreeMap<Arc<str>, Known>>,
    /// The fields that were read.
    pub(super) nodes: Nodes,
    /// Whether `nodes` changed since somebody last reset this.
    pub(super) changed: bool,
}

impl KnownNodes {
    /// Applies a change of the metadata watch.
    pub(super) fn apply(&mut self, event: Event<PartialObjectMeta<Node>>, now: Duration) {
        match event {
            Event::Init => self.listed = Some(BTreeMap::new()),
            Event::InitApply(meta) => {
                if let Some((name, known)) = self.known_of(&meta, now) {
                    self.listed.get_or_insert_default().insert(name, known);
                }
            }
            Event::InitDone => {
                self.known = self.listed.take().unwrap_or_default();
                let before = self.nodes.len();
                self.nodes.retain(|name, _| self.known.contains_key(name));
                self.changed |= self.nodes.len() != before;
            }
            Event::Apply(meta) => {
                if let Some((name, known)) = self.known_of(&meta, now) {
                    self.known.insert(name, known);
                }
            }
            Event::Delete(meta) => {
                let name = meta.metadata.name.unwrap_or_default();
                self.known.remove(name.as_str());
                self.changed |= self.nodes.remove(name.as_str()).is_some();
            }
        }
    }

    /// A Node must be read when it is new, was replaced by another of the same name, or moved to another zone.
    fn known_of(&self, meta: &PartialObjectMeta<Node>, now: Duration) -> Option<(Arc<str>, Known)> {
        let name: Arc<str> = meta.metadata.name.as_deref()?.into();
        let uid = meta.metadata.uid.clone().unwrap_or_default();
        let zone = zone(meta.metadata.labels.as_ref());
        let due = match self.known.get(&name).filter(|known| known.uid == uid && known.zone == zone) {
            Some(known) => known.due,
            None => Some((now, FIRST_RETRY)),
        };
        Some((name, Known { uid, zone, due }))
    }

    /// Takes in Nodes that were read.
    pub(super) fn insert(&mut self, found: Vec<NamedNode>, now: Duration) {
        for (name, facts) in found {
            let Some(known) = self.known.get_mut(&name) else { continue };
            // A new Node has no addresses until its kubelet reports, and no range until the controller assigns one.
            let is_complete = !facts.addresses.is_empty() && !facts.pod_ranges.is_empty();
            known.due = match known.due {
                Some((_, wait)) if !is_complete && wait < MAX_RETRY => Some((now + wait, wait * 2)),
                // Some CNIs assign no ranges: then there will never be one.
                _ => None,
            };
            if self.nodes.get(&name) != Some(&facts) {
                self.nodes.insert(name, facts);
                self.changed = true;
            }
        }
    }

    /// Names of the Nodes that must be read now.
    pub(super) fn due(&self, now: Duration) -> Vec<Arc<str>> {
        let due = self.known.iter().filter(|(_, known)| known.due.is_some_and(|(at, _)| at <= now));
        due.map(|(name, _)| name.clone()).collect()
    }

    /// Makes every Node due.
    pub(super) fn refresh(&mut self, now: Duration) {
        for known in self.known.values_mut() {
            known.due.get_or_insert((now, FIRST_RETRY));
        }
    }

    /// Number of Nodes.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether the cluster has a Node of this name.
    pub(super) fn contains(&self, name: &str) -> bool {
        self.known.contains_key(name)
    }
}

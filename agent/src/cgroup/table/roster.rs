//! Directories of cgroup ids: all living ones, and a bounded number of removed ones. Pure.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    ops::Bound,
    path::Path,
    sync::Arc,
};

/// Maximum number of remembered removed ids; the oldest are dropped first. About 2 MB with paths of 200 bytes.
pub(super) const MAX_DEAD: usize = 8_192;

/// Maximum number of living cgroups. About 20 MB with paths of 200 bytes; a kernel with more of them leaks cgroups.
pub(super) const MAX_LIVE: usize = 65_536;

/// A living cgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Node {
    /// cgroup id.
    pub(super) id: u64,
    /// inotify watch descriptor of its directory. `None`: not watched.
    pub(super) wd: Option<i32>,
}

/// Result of [`Roster::insert`].
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Inserted {
    /// Already known; only its watch may have changed.
    Known,
    /// New, or known as removed. Carries the former cgroup of that path, if any.
    New(Option<Node>),
    /// There is no room.
    Full,
}

/// Living and removed cgroups.
#[derive(Debug, Default)]
pub(super) struct Roster {
    /// In path order, so that descendants follow their ancestor.
    by_path: BTreeMap<Arc<Path>, Node>,
    live: HashMap<u64, Arc<Path>>,
    dead: HashMap<u64, Arc<Path>>,
    /// The keys of `dead`, oldest first.
    dead_order: VecDeque<u64>,
}

impl Roster {
    /// Records that the directory at `path` exists and has this id and watch.
    pub(super) fn insert(&mut self, path: &Arc<Path>, node: Node) -> Inserted {
        if let Some(known) = self.by_path.get_mut(path).filter(|n| n.id == node.id) {
            *known = node;
            return Inserted::Known;
        }
        let former = self.by_path.remove(path);
        if let Some(former) = former {
            self.bury(former.id);
        }
        if self.live.len() >= MAX_LIVE {
            return Inserted::Full;
        }
        if self.dead.remove(&node.id).is_some() {
            self.dead_order.retain(|id| *id != node.id);
        }
        self.live.insert(node.id, path.clone());
        self.by_path.insert(path.clone(), node);
        Inserted::New(former)
    }

    /// Records that the directory at `path` and its descendants were removed; returns their cgroups.
    pub(super) fn remove(&mut self, path: &Path) -> Vec<Node> {
        let range = (Bound::Included(path), Bound::Unbounded);
        let gone: Vec<Arc<Path>> = self
            .by_path
            .range::<Path, _>(range)
            .take_while(|(p, _)| p.starts_with(path))
            .map(|(p, _)| p.clone())
            .collect();
        let nodes: Vec<Node> = gone.iter().filter_map(|p| self.by_path.remove(p)).collect();
        for node in &nodes {
            self.bury(node.id);
        }
        nodes
    }

    fn bury(&mut self, id: u64) {
        let Some(path) = self.live.remove(&id) else { return };
        if self.dead.insert(id, path).is_none() {
            self.dead_order.push_back(id);
        }
        while self.dead_order.len() > MAX_DEAD {
            if let Some(oldest) = self.dead_order.pop_front() {
                self.dead.remove(&oldest);
            }
        }
    }

    /// Directory of an id and whether it is alive.
    pub(super) fn path(&self, id: u64) -> Option<(&Arc<Path>, bool)> {
        self.live.get(&id).map(|p| (p, true)).or_else(|| self.dead.get(&id).map(|p| (p, false)))
    }

    /// The living cgroup of a directory.
    pub(super) fn node(&self, path: &Path) -> Option<Node> {
        self.by_path.get(path).copied()
    }

    /// Living cgroups, parents before children.
    pub(super) fn live(&self) -> impl Iterator<Item = (&Arc<Path>, Node)> {
        self.by_path.iter().map(|(path, node)| (path, *node))
    }

    /// Drops all watches, because the inotify instance is gone.
    pub(super) fn unwatch_all(&mut self) {
        for node in self.by_path.values_mut() {
            node.wd = None;
        }
    }
}

#[cfg(test)]
mod tests;

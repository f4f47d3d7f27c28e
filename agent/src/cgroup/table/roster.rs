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
mod tests {
    use super::*;

    fn at(path: &str) -> Arc<Path> {
        Path::new(path).into()
    }

    fn node(id: u64) -> Node {
        Node { id, wd: None }
    }

    fn known(roster: &Roster, id: u64) -> Option<(String, bool)> {
        roster.path(id).map(|(p, alive)| (p.display().to_string(), alive))
    }

    #[test]
    fn removed_cgroup_takes_its_descendants_but_no_namesake() {
        let mut roster = Roster::default();
        for (i, path) in ["/a", "/a/x", "/a/x/y", "/a-b", "/ab", "/b"].iter().enumerate() {
            assert_eq!(roster.insert(&at(path), node(i as u64)), Inserted::New(None));
        }
        let gone: Vec<u64> = roster.remove(Path::new("/a")).iter().map(|n| n.id).collect();
        assert_eq!(gone, [0, 1, 2]);
        assert_eq!(known(&roster, 2), Some(("/a/x/y".into(), false)));
        assert_eq!(known(&roster, 3), Some(("/a-b".into(), true)));
        assert_eq!(roster.live().count(), 3);
        assert!(roster.remove(Path::new("/a")).is_empty());
    }

    #[test]
    fn new_directory_of_the_same_path_is_another_cgroup() {
        let mut roster = Roster::default();
        let first = Node { id: 1, wd: Some(7) };
        roster.insert(&at("/a"), first);
        assert_eq!(roster.insert(&at("/a"), node(2)), Inserted::New(Some(first)));
        assert_eq!(known(&roster, 1), Some(("/a".into(), false)));
        assert_eq!(known(&roster, 2), Some(("/a".into(), true)));
    }

    #[test]
    fn known_cgroup_keeps_its_place_and_takes_the_new_watch() {
        let mut roster = Roster::default();
        roster.insert(&at("/a"), node(1));
        assert_eq!(roster.insert(&at("/a"), Node { id: 1, wd: Some(3) }), Inserted::Known);
        assert_eq!(roster.node(Path::new("/a")), Some(Node { id: 1, wd: Some(3) }));
        roster.unwatch_all();
        assert_eq!(roster.node(Path::new("/a")), Some(node(1)));
    }

    #[test]
    fn oldest_dead_are_forgotten_first() {
        let mut roster = Roster::default();
        let path = at("/a");
        for id in 0..MAX_DEAD as u64 + 10 {
            roster.insert(&path, node(id));
            roster.remove(&path);
        }
        assert_eq!((roster.dead.len(), roster.dead_order.len()), (MAX_DEAD, MAX_DEAD));
        assert_eq!(known(&roster, 9), None);
        assert_eq!(known(&roster, 10), Some(("/a".into(), false)));
    }

    #[test]
    fn cgroup_back_from_the_dead_is_alive_once() {
        let mut roster = Roster::default();
        for _ in 0..3 {
            assert_eq!(roster.insert(&at("/a"), node(1)), Inserted::New(None));
            assert_eq!(known(&roster, 1), Some(("/a".into(), true)));
            roster.remove(Path::new("/a"));
            assert_eq!((roster.dead.len(), roster.dead_order.len()), (1, 1));
        }
    }

    #[test]
    fn living_are_bounded() {
        let mut roster = Roster::default();
        for id in 0..MAX_LIVE as u64 {
            roster.insert(&at(&format!("/{id}")), node(id));
        }
        assert_eq!(roster.insert(&at("/more"), node(u64::MAX)), Inserted::Full);
        assert_eq!(known(&roster, u64::MAX), None);
        roster.remove(Path::new("/0"));
        assert_eq!(roster.insert(&at("/more"), node(u64::MAX)), Inserted::New(None));
    }
}

//! The cgroup tree and its inotify watches, without the thread that waits for events.

use super::roster::{Inserted, MAX_LIVE, Node, Roster};
use rustix::{
    fd::OwnedFd,
    fs::inotify::{self, ReadFlags, WatchFlags},
    io::Errno,
};
use std::{
    collections::{HashMap, HashSet},
    ffi::OsStr,
    fs,
    io::{self, ErrorKind},
    os::unix::fs::{DirEntryExt, MetadataExt},
    path::{Path, PathBuf},
    sync::Arc,
};

/// Links of a kernfs directory without subdirectories: its name and its own `.`.
const LEAF_LINKS: u64 = 2;

/// Cgroups that the table could not name since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Missed {
    /// Removed before the table could read them.
    pub vanished: u64,
    /// Overflows of the kernel's event queue. Each causes a rescan, which misses cgroups that were created and removed
    /// in between.
    pub overflows: u64,
}

/// Last known state of the subtree.
#[derive(Debug)]
pub(super) struct Tree {
    /// Top of the subtree.
    root: Arc<Path>,
    /// The subtree's cgroups.
    pub(super) roster: Roster,
    /// `None`: no inotify; `troubles.inotify` says why.
    inotify: Option<Arc<OwnedFd>>,
    /// Watch descriptor → directory.
    watches: HashMap<i32, Arc<Path>>,
    troubles: Troubles,
    /// Cgroups that could not be named.
    pub(super) missed: Missed,
    /// Increases whenever a cgroup is created or removed.
    pub(super) generation: u64,
}

/// Reasons why inotify does not keep the table current.
#[derive(Debug, Default)]
struct Troubles {
    inotify: Option<String>,
    /// inotify_add_watch failed for some directory in the last scan or since.
    watch: Option<String>,
    /// Some directory can't be listed.
    list: Option<String>,
    full: bool,
}

impl Tree {
    /// An empty tree. `inotify` is the instance for its watches, or the reason why there is none.
    pub(super) fn new(root: PathBuf, inotify: Result<Arc<OwnedFd>, String>) -> Self {
        let (inotify, trouble) = match inotify {
            Ok(fd) => (Some(fd), None),
            Err(why) => (None, Some(why)),
        };
        Self {
            root: root.into(),
            roster: Roster::default(),
            inotify,
            watches: HashMap::new(),
            troubles: Troubles { inotify: trouble, ..Troubles::default() },
            missed: Missed::default(),
            generation: 0,
        }
    }

    /// Why the table needs rescans. `None`: inotify keeps it current.
    pub(super) fn degraded(&self) -> Option<String> {
        let Troubles { inotify, watch, list, full } = &self.troubles;
        let full =
            full.then(|| format!("more than {MAX_LIVE} cgroups: the others have no names; remove unused cgroups"));
        let all: Vec<&str> = [inotify, watch, list, &full].into_iter().flatten().map(String::as_str).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }

    /// Stops using inotify: only scans update the tree from now on.
    pub(super) fn stop_watching(&mut self, why: String) {
        self.inotify = None;
        self.watches.clear();
        self.roster.unwatch_all();
        self.troubles.inotify = Some(why);
    }

    /// Whether the top of the subtree is still the known directory.
    pub(super) fn root_unchanged(&self) -> bool {
        let now = fs::symlink_metadata(&self.root).ok().map(|m| m.ino());
        now.is_some() && now == self.roster.node(&self.root).map(|n| n.id)
    }

    /// Reads the whole subtree.
    ///
    /// # Errors
    /// When its top can't be read.
    pub(super) fn scan(&mut self) -> io::Result<()> {
        let top = fs::symlink_metadata(&self.root);
        if top.as_ref().is_err_and(|e| !is_gone(e)) {
            top?;
        }
        self.troubles.watch = None;
        self.troubles.list = None;
        self.troubles.full = false;
        let seen = self.discover(self.root.clone());
        // The children of a directory that can't be listed are hidden, not removed.
        if self.troubles.list.is_none() {
            let gone: Vec<_> =
                self.roster.live().filter(|(_, n)| !seen.contains(&n.id)).map(|(p, _)| p.clone()).collect();
            for path in gone {
                self.remove(&path);
            }
        }
        Ok(())
    }

    /// Processes one inotify event.
    pub(super) fn on_event(&mut self, wd: i32, flags: ReadFlags, name: Option<&OsStr>) {
        if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
            self.missed.overflows += 1;
            if let Err(e) = self.scan() {
                self.troubles.list = Some(list_trouble(&self.root, &e));
            }
            return;
        }
        let Some(dir) = self.watches.get(&wd).cloned() else { return };
        if flags.contains(ReadFlags::IGNORED) {
            self.watches.remove(&wd);
            // Nobody removed the watch, so the directory was removed without an event of its parent: the subtree's top.
            self.update(dir);
        } else if let Some(name) = name.filter(|_| flags.contains(ReadFlags::ISDIR)) {
            if flags.contains(ReadFlags::CREATE) {
                self.discover(dir.join(name).into());
            } else if flags.contains(ReadFlags::DELETE) {
                // A new directory may already have that name.
                self.update(dir.join(name).into());
            }
        }
    }

    fn update(&mut self, path: Arc<Path>) {
        match fs::symlink_metadata(&path) {
            Err(e) if is_gone(&e) => self.remove(&path),
            _ => {
                self.discover(path);
            }
        }
    }

    /// Records a directory and its descendants; returns their ids.
    ///
    /// It adds the watch before it lists the directory, so that one of them catches a child created in between.
    fn discover(&mut self, top: Arc<Path>) -> HashSet<u64> {
        let mut seen = HashSet::new();
        let mut todo = vec![top];
        while let Some(path) = todo.pop() {
            let wd = self.watch(&path);
            let meta = match fs::symlink_metadata(&path) {
                Ok(meta) if meta.is_dir() => meta,
                Ok(_) => continue,
                Err(e) => {
                    self.unwatch(wd);
                    if !is_gone(&e) {
                        self.troubles.list = Some(list_trouble(&path, &e));
                    } else if path != self.root && self.roster.node(&path).is_none() {
                        self.missed.vanished += 1;
                    }
                    continue;
                }
            };
            seen.insert(meta.ino());
            self.insert(&path, Node { id: meta.ino(), wd });
            if meta.nlink() != LEAF_LINKS {
                todo.extend(self.children(&path));
            }
        }
        seen
    }

    fn insert(&mut self, path: &Arc<Path>, node: Node) {
        match self.roster.insert(path, node) {
            Inserted::Known => {}
            Inserted::New(former) => {
                self.unwatch(former.and_then(|f| f.wd).filter(|wd| Some(*wd) != node.wd));
                self.generation += 1;
            }
            Inserted::Full => {
                self.unwatch(node.wd);
                self.troubles.full = true;
            }
        }
    }

    fn children(&mut self, path: &Path) -> Vec<Arc<Path>> {
        let listed = fs::read_dir(path).and_then(|entries| {
            let mut children: Vec<Arc<Path>> = Vec::new();
            for entry in entries {
                let entry = entry?;
                if entry.ino() != 0 && entry.file_type()?.is_dir() {
                    children.push(entry.path().into());
                }
            }
            Ok(children)
        });
        listed.unwrap_or_else(|e| {
            if !is_gone(&e) {
                self.troubles.list = Some(list_trouble(path, &e));
            }
            Vec::new()
        })
    }

    fn remove(&mut self, path: &Path) {
        for node in self.roster.remove(path) {
            self.unwatch(node.wd);
            self.generation += 1;
        }
    }

    fn watch(&mut self, path: &Arc<Path>) -> Option<i32> {
        let inotify = self.inotify.as_ref()?;
        let flags = WatchFlags::CREATE | WatchFlags::DELETE | WatchFlags::ONLYDIR | WatchFlags::DONT_FOLLOW;
        match inotify::add_watch(inotify, path.as_ref(), flags) {
            Ok(wd) => {
                self.watches.insert(wd, path.clone());
                Some(wd)
            }
            // The caller's stat distinguishes these.
            Err(Errno::NOENT | Errno::NODEV | Errno::NOTDIR) => None,
            Err(e) => {
                self.troubles.watch = Some(match e {
                    Errno::NOSPC => "out of inotify watches; raise fs.inotify.max_user_watches".to_owned(),
                    e => format!("watch {}: {e}", path.display()),
                });
                None
            }
        }
    }

    /// Removes a watch. Otherwise kernfs keeps the inode of a removed directory.
    fn unwatch(&mut self, wd: Option<i32>) {
        if let Some(wd) = wd
            && self.watches.remove(&wd).is_some()
            && let Some(inotify) = &self.inotify
        {
            // EINVAL: the kernel removed it already.
            let _ = inotify::remove_watch(inotify, wd);
        }
    }

    /// Watches held.
    #[cfg(test)]
    pub(super) fn watch_count(&self) -> usize {
        self.watches.len()
    }
}

fn is_gone(e: &io::Error) -> bool {
    matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
        || e.raw_os_error() == Some(Errno::NODEV.raw_os_error())
}

fn list_trouble(path: &Path, e: &io::Error) -> String {
    format!("list {}: {e}; the agent needs root, or read access to the cgroup file system", path.display())
}

//! The existing cgroups: id → path, updated by inotify.

mod roster;
mod tree;

use super::Mounts;
use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, eventfd, poll},
    fd::OwnedFd,
    fs::inotify::{self, CreateFlags},
    io::Errno,
};
use std::{
    ffi::OsStr,
    io,
    mem::MaybeUninit,
    os::unix::ffi::OsStrExt,
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};
use tree::Tree;

pub use tree::Missed;

/// Buffer for several hundred events per read.
const EVENT_BYTES: usize = 32 * 1024;

/// Why there is no table.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The subtree can't be read.
    #[error("read cgroups below {}: {source}; check --cgroup-root, and that the agent may read it", path.display())]
    Scan {
        /// Top of the subtree.
        path: PathBuf,
        /// The kernel's refusal.
        source: io::Error,
    },
    /// There is no thread or no file descriptor for it.
    #[error("start the cgroup watch: {0}; raise the limits on threads and open files")]
    Start(io::Error),
}

/// The cgroups of the observed subtree by id, its top included.
///
/// A thread takes every mkdir and rmdir from inotify at once, so that a cgroup that lives for milliseconds has a name
/// too. The table remembers the last 8,192 removed cgroups for late samples, and holds at most 65,536 living ones. If
/// inotify can't cover the whole tree, [`Self::degraded`] has the reason and [`Self::refresh`] rescans.
#[derive(Debug)]
pub struct CgroupTable {
    mount: PathBuf,
    shared: Arc<Shared>,
    /// Dropping it ends the thread. `None`: there is no inotify.
    _watcher: Option<Watcher>,
}

#[derive(Debug)]
struct Shared {
    tree: Mutex<Tree>,
    /// Notified after every change of the tree's generation.
    changed: Condvar,
}

#[derive(Debug)]
struct Watcher {
    /// An eventfd that becomes readable to stop the thread.
    stop: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl CgroupTable {
    /// Reads the subtree of `mounts` and starts to watch it.
    ///
    /// # Errors
    /// When its top can't be read, or no thread can be started. A lack of inotify is not an error: see
    /// [`Self::degraded`].
    pub fn open(mounts: &Mounts) -> Result<Self, TableError> {
        let instance = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK);
        let instance = instance
            .map(Arc::new)
            .map_err(|e| format!("no inotify instance ({e}); raise fs.inotify.max_user_instances"));
        Self::open_with(mounts, instance)
    }

    fn open_with(mounts: &Mounts, inotify: Result<Arc<OwnedFd>, String>) -> Result<Self, TableError> {
        let root = mounts.subtree_dir();
        let mut tree = Tree::new(root.clone(), inotify.clone());
        let scan_error = |source| TableError::Scan { path: root.clone(), source };
        tree.scan().map_err(scan_error)?;
        if !tree.root_unchanged() {
            return Err(scan_error(io::ErrorKind::NotFound.into()));
        }
        let shared = Arc::new(Shared { tree: Mutex::new(tree), changed: Condvar::new() });
        let watcher = inotify.ok().map(|fd| Watcher::start(fd, shared.clone())).transpose();
        Ok(Self { mount: mounts.unified.clone(), shared, _watcher: watcher.map_err(TableError::Start)? })
    }

    /// Path of a cgroup below the mount, and whether it is alive. `None`: unknown, or no longer remembered.
    pub fn path(&self, id: u64) -> Option<(String, bool)> {
        let tree = self.shared.lock();
        tree.roster.path(id).map(|(path, alive)| (self.below_mount(path), alive))
    }

    /// Every living cgroup: (id, path below the mount), parents before children.
    pub fn live(&self) -> Vec<(u64, String)> {
        let tree = self.shared.lock();
        tree.roster.live().map(|(path, node)| (node.id, self.below_mount(path))).collect()
    }

    /// Increases whenever a cgroup is created or removed.
    pub fn generation(&self) -> u64 {
        self.shared.lock().generation
    }

    /// Blocks until the generation is above `seen` or `timeout` has passed; returns it.
    pub fn wait_newer(&self, seen: u64, timeout: Duration) -> u64 {
        let waited = self.shared.changed.wait_timeout_while(self.shared.lock(), timeout, |t| t.generation <= seen);
        waited.unwrap_or_else(PoisonError::into_inner).0.generation
    }

    /// Why the table is only as current as the last [`Self::refresh`], with a remedy. `None`: inotify keeps it current.
    pub fn degraded(&self) -> Option<String> {
        self.shared.lock().degraded()
    }

    /// Cgroups that could not be named.
    pub fn missed(&self) -> Missed {
        self.shared.lock().missed
    }

    /// Updates the table, once per tick: rescans if it is degraded, else checks with one system call that the subtree's
    /// top is still the same directory.
    pub fn refresh(&self) {
        let mut tree = self.shared.lock();
        if tree.degraded().is_none() && tree.root_unchanged() {
            return;
        }
        let before = tree.generation;
        if let Err(error) = tree.scan() {
            tracing::warn!(%error, "failed to rescan cgroups");
        }
        self.shared.notify(&tree, before);
    }

    fn below_mount(&self, dir: &Path) -> String {
        format!("/{}", dir.strip_prefix(&self.mount).unwrap_or(dir).to_string_lossy())
    }
}

impl Shared {
    /// A panic under the lock ends the watcher, which reports it. The tree stays usable, since a rescan repairs it.
    fn lock(&self) -> MutexGuard<'_, Tree> {
        self.tree.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn notify(&self, tree: &Tree, before: u64) {
        if tree.generation != before {
            self.changed.notify_all();
        }
    }
}

impl Watcher {
    fn start(inotify: Arc<OwnedFd>, shared: Arc<Shared>) -> io::Result<Self> {
        let stop = Arc::new(eventfd(0, EventfdFlags::CLOEXEC)?);
        let stopped = stop.clone();
        let thread = thread::Builder::new().name("cgroup-watch".into()).spawn(move || {
            let watched = panic::catch_unwind(AssertUnwindSafe(|| watch(&inotify, &stopped, &shared)));
            let why = match watched {
                Ok(Ok(())) => return,
                Ok(Err(e)) => format!("the cgroup watch failed: {e}; restart the agent"),
                Err(_) => "the cgroup watch panicked; restart the agent and report its log".to_owned(),
            };
            tracing::error!("{why}");
            shared.lock().stop_watching(why);
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        if let Err(error) = rustix::io::write(&*self.stop, &1u64.to_ne_bytes()) {
            tracing::error!(%error, "failed to stop the cgroup watch");
            return;
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the cgroup watch panicked");
        }
    }
}

/// Takes events until `stop` is readable.
fn watch(inotify: &OwnedFd, stop: &OwnedFd, shared: &Shared) -> io::Result<()> {
    let mut buffer = vec![MaybeUninit::uninit(); EVENT_BYTES];
    let mut events = inotify::Reader::new(inotify, &mut buffer);
    loop {
        let mut ready = [PollFd::new(inotify, PollFlags::IN), PollFd::new(stop, PollFlags::IN)];
        rustix::io::retry_on_intr(|| poll(&mut ready, None))?;
        if !ready[1].revents().is_empty() {
            return Ok(());
        }
        let mut tree = shared.lock();
        let before = tree.generation;
        // One read at a time, so that others get the lock during a burst of events.
        loop {
            match events.next() {
                Ok(event) => {
                    let name = event.file_name().map(|n| OsStr::from_bytes(n.to_bytes()));
                    tree.on_event(event.wd(), event.events(), name);
                }
                Err(Errno::AGAIN | Errno::INTR) => break,
                Err(e) => return Err(e.into()),
            }
            if events.is_buffer_empty() {
                break;
            }
        }
        shared.notify(&tree, before);
    }
}

#[cfg(test)]
mod tests;

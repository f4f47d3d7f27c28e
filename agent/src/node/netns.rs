//! The Node's network namespace, which may not be the agent's.

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::{
    fs::File,
    io,
    os::{fd::AsFd as _, unix::fs::MetadataExt as _},
    path::{Path, PathBuf},
};

/// How to give the agent access.
const REMEDY: &str = "set hostNetwork: true in the chart, or add the capabilities SYS_ADMIN and SYS_PTRACE";

/// The network namespace of one process.
#[derive(Clone, Debug)]
pub(super) struct NodeNet {
    /// `{procfs}/{process}`.
    pub(super) process: PathBuf,
    /// Whether it is this thread's namespace.
    is_current: bool,
}

impl NodeNet {
    /// The namespace of `process` (`1`, `self` …) below `procfs`.
    pub(super) fn new(procfs: &Path, process: &str) -> Self {
        let place = procfs.join(process);
        // Files below net/ have a different inode number in each namespace, and `stat` needs no permission.
        let inode = |process: &Path| std::fs::metadata(process.join("net/dev")).map(|m| m.ino());
        let is_current = matches!((inode(&place), inode(&procfs.join("thread-self"))), (Ok(a), Ok(b)) if a == b);
        Self { process: place, is_current }
    }

    /// Whether this thread is in it.
    pub(super) fn is_current(&self) -> bool {
        self.is_current
    }

    /// Runs `act` in the namespace, on another thread unless this thread is in it. Sockets made there, and files of
    /// `/proc/sys/net` opened there, keep showing it.
    ///
    /// # Errors
    /// The reason why it can't be entered, with a remedy.
    pub(super) fn run<T: Send>(&self, act: impl FnOnce() -> T + Send) -> Result<T, String> {
        if self.is_current {
            return Ok(act());
        }
        let path = self.process.join("ns/net");
        let enter = || -> io::Result<()> {
            let file = File::open(&path)?;
            Ok(move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))?)
        };
        let result = std::thread::scope(|scope| {
            let entered = std::thread::Builder::new().name("netns".to_owned());
            entered.spawn_scoped(scope, || enter().map(|()| act()))?.join().map_err(|_| io::Error::other("panicked"))?
        });
        result
            .map_err(|error| format!("can't enter the Node's network namespace {} ({error}): {REMEDY}", path.display()))
    }
}

#[cfg(test)]
mod tests;

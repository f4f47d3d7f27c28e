//! cgroups: mounts of the hierarchies, the existing cgroups, their owners, and the contents of their files.
//!
//! ```text
//! /proc/self/mountinfo → Mounts ─→ CgroupTable   id → path, updated by inotify
//!                              └─→ Reader        path → CPU bandwidth, pressure, OOM kills (v2, v1, hybrid)
//!                                  owner(path)   path → Pod | container | unit (pure)
//! CgroupTable, Reader → FactsReader → TimelyFacts   what a snapshot takes, under a deadline
//! /proc/self/cgroup → own_dirs    the agent's own cgroup (pure)
//! ```
//! A cgroup's id is the inode number of its directory in the v2 hierarchy. The kernel side attributes samples to these
//! ids. All paths are relative to the v2 mount and begin with `/`, even if the agent observes only a subtree. Other systems
//! than Linux have the names alone.

#[cfg(target_os = "linux")]
mod facts;
#[cfg(target_os = "linux")]
mod files;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
#[cfg(target_os = "linux")]
mod mount;
mod name;
#[cfg(target_os = "linux")]
mod own;
#[cfg(target_os = "linux")]
mod parse;
mod subject;
#[cfg(target_os = "linux")]
mod table;
#[cfg(target_os = "linux")]
mod timely;
#[cfg(test)]
mod testing;

#[cfg(target_os = "linux")]
pub use facts::{FactsPace, FactsReader};
#[cfg(target_os = "linux")]
pub use files::{FileError, Reader};
#[cfg(target_os = "linux")]
pub use mount::{MountError, Mounts};
pub use name::{Container, Owner, owner, owner_path};
#[cfg(target_os = "linux")]
pub(crate) use own::own_dirs;
pub use subject::standalone_subject;
#[cfg(target_os = "linux")]
pub use table::{CgroupTable, Missed, TableError};
#[cfg(target_os = "linux")]
pub use timely::{FactsAge, FactsHandle, TimelyFacts};

/// Totals of a pressure file of a cgroup or of the machine, µs: some tasks stalled, all tasks stalled.
///
/// # Errors
/// The reason why the text is malformed.
#[cfg(target_os = "linux")]
pub(crate) fn stall_us(text: &str) -> Result<(u64, u64), String> {
    parse::pressure(text).map(|stall| (stall.some_us, stall.full_us)).map_err(|e| e.to_string())
}

//! The cgroup room: where the hierarchies are mounted, which cgroups exist, whose they are, what their files say.
//!
//! ```text
//! /proc/self/mountinfo → Mounts ─→ CgroupTable   id → path, kept current by inotify
//!                              └─→ Reader        path → CPU bandwidth, pressure, OOM kills (v2, v1, hybrid)
//!                                  owner(path)   path → Pod | container | unit (pure)
//! ```
//! A cgroup's id is the inode number of its directory in the v2 hierarchy; the kernel side attributes to these ids.
//! All paths are relative to the v2 mount and begin with `/`, also when the agent is confined to a subtree.

mod facts;
mod files;
mod mount;
mod name;
mod parse;
mod subject;
mod table;
#[cfg(test)]
mod testing;

pub use facts::FactsReader;
pub use files::{FileError, Reader};
pub use mount::{MountError, Mounts};
pub use name::{Container, Owner, own_path, owner};
pub use subject::standalone_subject;
pub use table::{CgroupTable, Missed, TableError};

/// Totals of a pressure file, a cgroup's or the machine's: at least one task stalled, all stalled; µs.
///
/// # Errors
/// What is wrong with the text.
pub(crate) fn stall_us(text: &str) -> Result<(u64, u64), String> {
    parse::pressure(text).map(|stall| (stall.some_us, stall.full_us)).map_err(|e| e.to_string())
}

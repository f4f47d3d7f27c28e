//! Names of what a laboratory makes, and the sweep of what a killed one left behind.

use super::{cgroups, command::run};
use std::{
    fmt, fs,
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
};

/// Where iproute2 keeps named network namespaces.
const NETNS_DIR: &str = "/run/netns";
const NETNS_PREFIX: &str = "nw";
pub(super) const CGROUP_PREFIX: &str = "netwhy-lab-";

/// Names one laboratory: its process, and a number when the process makes several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    pid: u32,
    number: u32,
}

impl Tag {
    /// A tag that no other laboratory on this machine has.
    pub fn next() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        Self { pid: std::process::id(), number: NUMBER.fetch_add(1, Ordering::Relaxed) }
    }

    /// Name of a Node's network namespace.
    pub fn netns(&self, node: &str) -> String {
        format!("{NETNS_PREFIX}{self}-{node}")
    }

    /// Name of the laboratory's cgroup.
    pub fn cgroup(&self) -> String {
        format!("{CGROUP_PREFIX}{self}")
    }

    /// A number that tells laboratories apart in addresses: unlike for neighbouring pids and numbers.
    pub(super) const fn subnet(&self) -> u16 {
        (self.pid.wrapping_add(self.number.wrapping_mul(101)) % 0xffff) as u16
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            0 => write!(f, "{}", self.pid),
            number => write!(f, "{}.{number}", self.pid),
        }
    }
}

/// The process that made a namespace (`nw123-a`, `nw123.1-a`). `None`: not one of ours.
fn netns_owner(name: &str) -> Option<u32> {
    let (owner, _node) = name.strip_prefix(NETNS_PREFIX)?.split_once('-')?;
    owner_pid(owner)
}

/// The process that made a cgroup (`netwhy-lab-123`). `None`: not one of ours.
fn cgroup_owner(name: &str) -> Option<u32> {
    owner_pid(name.strip_prefix(CGROUP_PREFIX)?)
}

fn owner_pid(owner: &str) -> Option<u32> {
    let (pid, number) = owner.split_once('.').unwrap_or((owner, "0"));
    number.parse::<u32>().ok()?;
    pid.parse().ok()
}

/// Removes laboratories of processes that no longer live; returns the names of what went.
pub fn sweep() -> Vec<String> {
    let dead = |pid: u32| !Path::new("/proc").join(pid.to_string()).exists();
    let mut swept = Vec::new();
    for mount in cgroups::mounts() {
        for name in names(&mount) {
            if cgroup_owner(&name).is_some_and(dead) {
                cgroups::remove(&mount.join(&name));
                swept.push(name);
            }
        }
    }
    for name in names(Path::new(NETNS_DIR)) {
        // A failure means that another laboratory swept it meanwhile.
        if netns_owner(&name).is_some_and(dead) && run(&["ip", "netns", "del", &name]).is_ok() {
            swept.push(name);
        }
    }
    swept
}

fn names(dir: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
}

#[cfg(test)]
mod tests;

//! The memory that a cgroup is charged for, and its parts.
//!
//! Whoever looks a name up first in cgroupfs or procfs is charged for the kernel's cache of that name, also when the name is
//! gone. Under churn of cgroups that cache grows without an end until the kernel needs the memory. It is in
//! `slab_reclaimable`, like the inodes, and goes before the kernel ends a process. So do pages of files. Neither is growth.
//! Elements of BPF maps and storage of sockets are charged to the cgroup that made the map: they are in `slab_unreclaimable`,
//! `percpu` and `vmalloc`.

use std::{fs, path::Path};

#[cfg(test)]
mod tests;

/// Lines of version 2's `memory.stat`. Some are parts of others: `kernel` and `file` are sums. Older kernels have fewer.
const V2: [&str; 14] = [
    "anon",
    "file",
    "shmem",
    "file_mapped",
    "active_file",
    "inactive_file",
    "kernel",
    "kernel_stack",
    "pagetables",
    "percpu",
    "vmalloc",
    "slab_unreclaimable",
    "slab_reclaimable",
    "sock",
];
/// The same of version 1, with all descendants. It does not divide the kernel's memory.
const V1: [&str; 6] =
    ["total_rss", "total_cache", "total_shmem", "total_mapped_file", "total_active_file", "total_inactive_file"];
/// Version 1's file with the kernel's memory.
const V1_KERNEL: &str = "memory.kmem.usage_in_bytes";
/// Parts that stay until their owner gives them back. None is a part of another.
const HELD: [&str; 11] = [
    "anon",
    "shmem",
    "kernel_stack",
    "pagetables",
    "percpu",
    "vmalloc",
    "slab_unreclaimable",
    "sock",
    "total_rss",
    "total_shmem",
    V1_KERNEL,
];
/// Requests to take memory back. The first leaves a tenth and more.
const PASSES: usize = 4;

/// A cgroup's charge at one moment, bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Charge {
    /// All of it without page cache and, in version 2, without reclaimable slab.
    pub(super) held: f64,
    /// Its parts by the kernel's names.
    pub(super) parts: Vec<(&'static str, f64)>,
}

impl Charge {
    /// One part. `None`: this kernel does not state it.
    pub(super) fn part(&self, name: &str) -> Option<f64> {
        self.parts.iter().find(|(part, _)| *part == name).map(|(_, bytes)| *bytes)
    }
}

/// The charge of a cgroup of either version. `None`: it has no memory controller.
pub(super) fn read(cgroup: &Path) -> Option<Charge> {
    let statistics = fs::read_to_string(cgroup.join("memory.stat")).ok()?;
    match number(cgroup, "memory.current") {
        Some(charged) => v2(charged, &statistics),
        None => v1(number(cgroup, "memory.usage_in_bytes")?, number(cgroup, V1_KERNEL), &statistics),
    }
}

/// Whether memory of this part stays until its owner gives it back.
pub(super) fn is_held(part: &str) -> bool {
    HELD.contains(&part)
}

/// Kernel memory that the kernel takes back from a cgroup of version 1 when it must, bytes: `memory.stat` does not state it
/// there. The cgroup also loses its page cache by this. 0 in version 2.
pub(super) fn take_back(cgroup: &Path) -> f64 {
    let Some(before) = number(cgroup, V1_KERNEL) else { return 0.0 };
    let mut after = before;
    for _ in 0..PASSES {
        if fs::write(cgroup.join("memory.force_empty"), "0").is_err() {
            break;
        }
        after = number(cgroup, V1_KERNEL).unwrap_or(after).min(after);
    }
    before - after
}

/// Which of its two lists a page is on says little: the multi-generational LRU counts cache that was used once as active
/// too. Files of a tmpfs are on neither.
fn v2(charged: f64, statistics: &str) -> Option<Charge> {
    let pages = line(statistics, "active_file")? + line(statistics, "inactive_file")?;
    let slab = line(statistics, "slab_reclaimable").unwrap_or(0.0);
    Some(Charge { held: charged - pages - slab, parts: parts(&V2, statistics) })
}

fn v1(charged: f64, kernel: Option<f64>, statistics: &str) -> Option<Charge> {
    let pages = line(statistics, "total_active_file")? + line(statistics, "total_inactive_file")?;
    let mut parts = parts(&V1, statistics);
    parts.extend(kernel.map(|bytes| (V1_KERNEL, bytes)));
    Some(Charge { held: charged - pages, parts })
}

fn parts(names: &[&'static str], statistics: &str) -> Vec<(&'static str, f64)> {
    names.iter().filter_map(|name| Some((*name, line(statistics, name)?))).collect()
}

fn line(statistics: &str, name: &str) -> Option<f64> {
    statistics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

fn number(cgroup: &Path, file: &str) -> Option<f64> {
    fs::read_to_string(cgroup.join(file)).ok()?.trim().parse().ok()
}

//! Where the agent's memory limit and use stand: in the files of its own cgroup, else the machine's memory.

use crate::{api::LimitSource, cgroup::own_dirs};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Use below this share of the limit is not refined: reading `memory.stat` takes tens of microseconds.
const REFINE_SHARE: f64 = 0.6;

/// Names of the files of one cgroup version.
struct Names {
    used: &'static str,
    limits: &'static [&'static str],
    /// Lines of `memory.stat`: page cache on the inactive and on the active list, and pages of files that a process maps.
    /// Shared memory, such as files of a tmpfs, is on neither list.
    cache: [&'static str; 3],
    /// Line of `memory.stat`: kernel objects that the kernel frees when it needs their memory. `None`: not stated.
    slab: Option<&'static str>,
}

const V2: Names = Names {
    used: "memory.current",
    limits: &["memory.max", "memory.high"],
    cache: ["inactive_file", "active_file", "file_mapped"],
    slab: Some("slab_reclaimable"),
};
const V1: Names = Names {
    used: "memory.usage_in_bytes",
    limits: &["memory.limit_in_bytes"],
    cache: ["total_inactive_file", "total_active_file", "total_mapped_file"],
    slab: None,
};

/// The files that tell the limit and the use.
pub struct Limit {
    source: LimitSource,
    names: Option<&'static Names>,
    /// The agent's own cgroup. `None`: only the machine's memory is known.
    own: Option<PathBuf>,
    /// Its own and its ancestors' limits.
    limits: Vec<PathBuf>,
    machine: Option<u64>,
}

/// Limit and use at one moment, bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The lowest limit that holds. `None`: unknown.
    pub limit: Option<u64>,
    /// Memory in use, kernel memory included; near the limit, without the part that the kernel can take back. `None`:
    /// unknown.
    pub used: Option<u64>,
}

impl Limit {
    /// Finds the files. `procfs` is a procfs of the agent's own PID namespace or of one above.
    pub fn find(procfs: &Path) -> Self {
        let text = |file: &str| fs::read_to_string(procfs.join(file)).unwrap_or_default();
        let machine = text("meminfo").lines().find_map(|line| kib(line.strip_prefix("MemTotal:")?));
        for dirs in own_dirs(&text("self/mountinfo"), &text("self/cgroup")) {
            let (names, source) = if dirs.is_v2 { (&V2, LimitSource::CgroupV2) } else { (&V1, LimitSource::CgroupV1) };
            let Some(own) = dirs.dirs.first().filter(|dir| dir.join(names.used).is_file()).cloned() else { continue };
            let files = dirs.dirs.iter().flat_map(|dir| names.limits.iter().map(|name| dir.join(name)));
            let limits = files.filter(|file| file.is_file()).collect();
            return Self { source, names: Some(names), own: Some(own), limits, machine };
        }
        Self { source: LimitSource::Machine, names: None, own: None, limits: Vec::new(), machine }
    }

    /// Limit and use of now. `resident`: the process's own memory, for where no cgroup tells the use.
    pub fn read(&self, resident: Option<u64>) -> Reading {
        let limits = self.limits.iter().filter_map(|file| number(&fs::read_to_string(file).ok()?));
        let limit = limits.chain(self.machine).min();
        let Some((own, names)) = self.own.as_ref().zip(self.names) else {
            return Reading { limit, used: resident };
        };
        let used = fs::read_to_string(own.join(names.used)).ok().and_then(|text| number(&text));
        let is_low = |used: u64| limit.is_none_or(|limit| (used as f64) < limit as f64 * REFINE_SHARE);
        let used = used.map(|used| if is_low(used) { used } else { used.saturating_sub(reclaimable(own, names)) });
        Reading { limit, used }
    }

    /// Where the limit of this reading comes from.
    pub fn source(&self, reading: Reading) -> LimitSource {
        if reading.limit == self.machine { LimitSource::Machine } else { self.source }
    }
}

/// Memory of a cgroup that the kernel takes back before it ends a process, bytes.
///
/// Page cache: the multi-generational LRU counts cache that was used once as active too, and reading a file twice makes it
/// so everywhere. Mapped pages, such as those of the program, would come back at once.
///
/// Slab: names and inodes that the kernel keeps. Whoever looks a name up first is charged for it, also when the name is
/// gone. So it grows with every cgroup that comes and goes, until the kernel needs the memory. Inodes of cgroups that the
/// agent watches are in it too, and stay: 816 bytes each (`/proc/slabinfo`, Linux 6.18).
fn reclaimable(own: &Path, names: &Names) -> u64 {
    let text = fs::read_to_string(own.join("memory.stat")).unwrap_or_default();
    let line = |name: &str| text.lines().find_map(|line| number(line.strip_prefix(name)?.strip_prefix(' ')?));
    let [inactive, active, mapped] = names.cache.map(|name| line(name).unwrap_or(0));
    let slab = names.slab.and_then(line).unwrap_or(0);
    inactive + active.saturating_sub(mapped) + slab
}

/// The number in a file. `None` for `max` and for anything else.
fn number(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

fn kib(text: &str) -> Option<u64> {
    Some(number(text.trim().strip_suffix("kB")?)? * 1024)
}

#[cfg(test)]
mod tests;

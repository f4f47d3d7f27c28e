//! Cgroups as Pods.

use super::tag::{CGROUP_PREFIX, Tag};
use anyhow::{Context as _, Result, bail, ensure};
use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Period of CPU bandwidth control; the kernel's default.
const CPU_PERIOD: Duration = Duration::from_millis(100);
/// How long killed processes may take to leave their cgroup.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where cgroups are mounted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Mounts {
    /// The version 2 hierarchy.
    v2: Option<PathBuf>,
    /// Version 1's `cpu` controller.
    v1_cpu: Option<PathBuf>,
    /// Version 1's `memory` controller.
    v1_memory: Option<PathBuf>,
    /// Version 1's `blkio` controller.
    v1_blkio: Option<PathBuf>,
}

impl Mounts {
    /// From the text of `/proc/self/mounts`; the first mount of a kind counts.
    fn parse(mounts: &str) -> Self {
        let mut found = Self::default();
        for line in mounts.lines() {
            let mut fields = line.split(' ');
            let (Some(_), Some(path), Some(kind), Some(options)) =
                (fields.next(), fields.next(), fields.next(), fields.next())
            else {
                continue;
            };
            let place = match kind {
                "cgroup2" => &mut found.v2,
                "cgroup" => match options.split(',').find(|option| ["cpu", "memory", "blkio"].contains(option)) {
                    Some("cpu") => &mut found.v1_cpu,
                    Some("memory") => &mut found.v1_memory,
                    Some(_) => &mut found.v1_blkio,
                    None => continue,
                },
                _ => continue,
            };
            place.get_or_insert_with(|| PathBuf::from(path));
        }
        found
    }

    fn read() -> Result<Self> {
        let path = "/proc/self/mounts";
        Ok(Self::parse(&fs::read_to_string(path).with_context(|| format!("read {path}"))?))
    }
}

/// All mounts that a laboratory may have made cgroups in.
pub(super) fn mounts() -> Vec<PathBuf> {
    let Mounts { v2, v1_cpu, v1_memory, v1_blkio } = Mounts::read().unwrap_or_default();
    [v2, v1_cpu, v1_memory, v1_blkio].into_iter().flatten().collect()
}

/// A Pod: a cgroup on a Node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Name within the laboratory.
    pub name: String,
    /// Its Node's name.
    pub node: String,
    /// Its cgroup.
    pub cgroup: PathBuf,
    /// Its cgroup in version 1's `cpu` hierarchy. `None`: CPU quotas are set in `cgroup`.
    pub cgroup_v1: Option<PathBuf>,
    /// Its cgroup in version 1's `memory` hierarchy. `None`: memory limits are set in `cgroup`.
    pub memory_v1: Option<PathBuf>,
    /// Its cgroup in version 1's `blkio` hierarchy. `None`: IO limits are set in `cgroup`.
    pub blkio_v1: Option<PathBuf>,
}

impl Pod {
    /// Limits its CPU time to this share of one CPU (0.05 = 5 %); `None`: no limit. Returns the file and its new text.
    pub fn set_cpu_quota(&self, cpus: Option<f64>) -> Result<(PathBuf, String)> {
        set_cpu_quota(self.cgroup_v1.as_deref(), &self.cgroup, cpus)
    }

    /// Sets its CPU weight, as a Kubernetes request of this many thousandths of a CPU does (0: none). `None`: the
    /// initial weight.
    pub fn set_cpu_request(&self, millicpus: Option<u64>) -> Result<()> {
        // https://github.com/kubernetes/enhancements, KEP-2254: shares 2 … 262144 are weights 1 … 10000.
        let shares = millicpus.map(|milli| (milli * 1024 / 1000).clamp(2, 262_144));
        let (file, value) = match &self.cgroup_v1 {
            Some(v1) => (v1.join("cpu.shares"), shares.unwrap_or(1024)),
            None => (self.cgroup.join("cpu.weight"), shares.map_or(100, |shares| 1 + (shares - 2) * 9999 / 262_142)),
        };
        write(&file, &value.to_string())
    }

    /// Limits its memory, page cache included, bytes; `None` lifts the limit.
    pub fn set_memory_limit(&self, bytes: Option<u64>) -> Result<()> {
        let (file, none) = match &self.memory_v1 {
            Some(v1) => (v1.join("memory.limit_in_bytes"), "-1"),
            None => (self.cgroup.join("memory.max"), "max"),
        };
        write(&file, &bytes.map_or_else(|| none.to_owned(), |bytes| bytes.to_string()))
    }

    /// Limits what it reads from a block device (`254:0`), bytes per second; `None` lifts the limit.
    pub fn set_read_limit(&self, device: &str, bytes_per_second: Option<u64>) -> Result<()> {
        match &self.blkio_v1 {
            Some(v1) => write(
                &v1.join("blkio.throttle.read_bps_device"),
                &format!("{device} {}", bytes_per_second.unwrap_or(0)),
            ),
            None => {
                let limit = bytes_per_second.map_or_else(|| "max".to_owned(), |bytes| bytes.to_string());
                write(&self.cgroup.join("io.max"), &format!("{device} rbps={limit}"))
            }
        }
    }

    /// Its cgroups in version 1 hierarchies.
    pub fn v1(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.cgroup_v1, &self.memory_v1, &self.blkio_v1].into_iter().flatten()
    }

    /// Processes in it.
    pub fn processes(&self) -> Result<Vec<u32>> {
        let file = self.cgroup.join("cgroup.procs");
        let text = fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
        Ok(text.lines().filter_map(|line| line.parse().ok()).collect())
    }

    /// Kills what runs in it and removes it.
    pub fn remove(&self) -> Result<()> {
        for dir in self.v1().chain([&self.cgroup]) {
            ensure!(remove(dir), "{} can't be removed: processes in it don't end", dir.display());
        }
        Ok(())
    }
}

/// A laboratory's cgroups: `<mount>/netwhy-lab-<pid>/<node>/<pod>`.
#[derive(Debug)]
pub struct Cgroups {
    root: PathBuf,
    root_v1: Option<PathBuf>,
    memory_v1: Option<PathBuf>,
    blkio_v1: Option<PathBuf>,
}

impl Cgroups {
    /// Makes the laboratory's root cgroup.
    pub fn new(tag: &Tag) -> Result<Self> {
        let Mounts { v2, v1_cpu, v1_memory, v1_blkio } = Mounts::read()?;
        let Some(v2) = v2 else {
            bail!("no cgroup v2 is mounted: mount it with `mount -t cgroup2 none /sys/fs/cgroup/unified`");
        };
        let root = v2.join(tag.cgroup());
        let in_v1 = |controller: &str, mount: Option<PathBuf>| {
            let in_v2 = listed(&v2.join("cgroup.controllers"), controller);
            if in_v2 { None } else { mount.map(|mount| mount.join(tag.cgroup())) }
        };
        let root_v1 = in_v1("cpu", v1_cpu);
        let (memory_v1, blkio_v1) = (in_v1("memory", v1_memory), in_v1("io", v1_blkio));
        enable(&v2)?;
        let cgroups = Self { root, root_v1, memory_v1, blkio_v1 };
        for dir in cgroups.roots() {
            make(dir)?;
        }
        enable(&cgroups.root)?;
        Ok(cgroups)
    }

    fn roots(&self) -> impl Iterator<Item = &PathBuf> {
        [Some(&self.root), self.root_v1.as_ref(), self.memory_v1.as_ref(), self.blkio_v1.as_ref()].into_iter().flatten()
    }

    /// The subtree that holds all Pods: what an agent's `--cgroup-root` names.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Limits the CPU time of all Pods together, in CPUs; `None` lifts the limit.
    pub fn set_cpu_quota(&self, cpus: Option<f64>) -> Result<()> {
        set_cpu_quota(self.root_v1.as_deref(), &self.root, cpus).map(drop)
    }

    /// Makes a Pod's cgroup.
    pub fn pod(&self, node: &str, name: &str) -> Result<Pod> {
        for part in [node, name] {
            ensure!(!part.is_empty() && !part.contains(['/', '.']), "{part:?} is no name for a cgroup");
        }
        let below = |root: &PathBuf| root.join(node).join(name);
        let pod = Pod {
            name: name.to_owned(),
            node: node.to_owned(),
            cgroup: below(&self.root),
            cgroup_v1: self.root_v1.as_ref().map(below),
            memory_v1: self.memory_v1.as_ref().map(below),
            blkio_v1: self.blkio_v1.as_ref().map(below),
        };
        let node_dir = self.root.join(node);
        make(&node_dir)?;
        enable(&node_dir)?;
        for dir in pod.v1().chain([&pod.cgroup]) {
            make(dir)?;
        }
        Ok(pod)
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        for dir in self.roots() {
            remove(dir);
        }
    }
}

/// Writes a quota, in CPUs, where the machine has it: version 1's `cpu` hierarchy, or version 2. Returns file and text.
fn set_cpu_quota(v1: Option<&Path>, v2: &Path, cpus: Option<f64>) -> Result<(PathBuf, String)> {
    let period_us = CPU_PERIOD.as_micros();
    let quota_us = cpus.map(|cpus| (cpus * period_us as f64).round() as u128);
    let (file, text) = match (v1, quota_us) {
        // The period stays at its default, which is CPU_PERIOD.
        (Some(v1), Some(quota_us)) => (v1.join("cpu.cfs_quota_us"), quota_us.to_string()),
        (Some(v1), None) => (v1.join("cpu.cfs_quota_us"), "-1".to_owned()),
        (None, Some(quota_us)) => (v2.join("cpu.max"), format!("{quota_us} {period_us}")),
        (None, None) => (v2.join("cpu.max"), format!("max {period_us}")),
    };
    write(&file, &text)?;
    Ok((file, text))
}

fn make(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("make the cgroup {} (is it writable here?)", dir.display()))
}

fn write(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).with_context(|| format!("write {text:?} to {}", file.display()))
}

/// Whether a space-separated list in a file has this entry.
fn listed(file: &Path, entry: &str) -> bool {
    fs::read_to_string(file).is_ok_and(|text| text.split_whitespace().any(|word| word == entry))
}

/// Lets children of `dir` have limits on what version 2 controls here, unless they can already.
fn enable(dir: &Path) -> Result<()> {
    let file = dir.join("cgroup.subtree_control");
    for controller in ["cpu", "memory", "io"] {
        if listed(&dir.join("cgroup.controllers"), controller) && !listed(&file, controller) {
            write(&file, &format!("+{controller}"))?;
        }
    }
    Ok(())
}

/// Kills what runs in a cgroup and below, and removes it; false when something stays. Absent is removed.
pub(super) fn remove(dir: &Path) -> bool {
    // Never anything but a laboratory's own.
    if !dir.components().any(|part| part.as_os_str().to_string_lossy().starts_with(CGROUP_PREFIX)) {
        return false;
    }
    let end = Instant::now() + PATIENCE;
    loop {
        kill(dir);
        let gone = remove_tree(dir);
        if gone || Instant::now() > end {
            return gone;
        }
        // Nothing announces on every kernel that an exiting process has left its cgroup: look again.
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn kill(dir: &Path) {
    for child in subdirectories(dir) {
        kill(&child);
    }
    for line in fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default().lines() {
        if let Some(pid) = line.parse().ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

fn remove_tree(dir: &Path) -> bool {
    subdirectories(dir).iter().for_each(|child| {
        remove_tree(child);
    });
    match fs::remove_dir(dir) {
        Ok(()) => true,
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

fn subdirectories(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

#[cfg(test)]
mod tests;

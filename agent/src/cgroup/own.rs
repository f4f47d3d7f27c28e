//! The cgroup that the agent itself is in.

use super::mount::Line;
use std::path::{Path, PathBuf};

/// The agent's own cgroup in one hierarchy that may have the memory controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnDirs {
    /// Whether the hierarchy is cgroup v2.
    pub(crate) is_v2: bool,
    /// Its directory and its ancestors' up to the mount, the own one first.
    pub(crate) dirs: Vec<PathBuf>,
}

/// The agent's own cgroup by the texts of `/proc/self/mountinfo` and `/proc/self/cgroup`: with the memory controller of
/// v1 first, then v2. The directories may not exist: a later mount may hide one, so ask the file system.
pub(crate) fn own_dirs(mountinfo: &str, cgroup: &str) -> Vec<OwnDirs> {
    let lines: Vec<Line<'_>> = mountinfo.lines().filter_map(Line::parse).collect();
    let mut found = Vec::new();
    for is_v2 in [false, true] {
        let Some(path) = cgroup.lines().find_map(|line| own_path(line, is_v2)) else { continue };
        let is_mount = |line: &&Line<'_>| match line.fs_type {
            "cgroup2" => is_v2,
            "cgroup" => !is_v2 && line.super_options.split(',').any(|option| option == "memory"),
            _ => false,
        };
        let mounts = lines.iter().filter(is_mount);
        found.extend(mounts.filter_map(|line| Some(OwnDirs { is_v2, dirs: dirs(line, path)? })));
    }
    found
}

/// The path in a line of `/proc/self/cgroup` (cgroups(7): `id:controllers:path`).
fn own_path(line: &str, is_v2: bool) -> Option<&str> {
    let (id, rest) = line.split_once(':')?;
    let (controllers, path) = rest.split_once(':')?;
    let is_wanted = if is_v2 { id == "0" } else { controllers.split(',').any(|name| name == "memory") };
    is_wanted.then_some(path)
}

/// Directories of a cgroup on a mount. `None`: it is not below the mount's root, or the root lies above the cgroup
/// namespace (`/..`), so that the names in between are unknown.
fn dirs(mount: &Line<'_>, path: &str) -> Option<Vec<PathBuf>> {
    let point = PathBuf::from(&mount.point);
    let below = Path::new(path).strip_prefix(&mount.root).ok()?;
    if below.components().any(|part| part.as_os_str() == "..") {
        return None;
    }
    let own = if below.as_os_str().is_empty() { point.clone() } else { point.join(below) };
    Some(own.ancestors().take_while(|dir| dir.starts_with(&point)).map(Path::to_owned).collect())
}

#[cfg(test)]
mod tests;

//! Mounts of the cgroup hierarchies.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs, io,
    os::unix::{ffi::OsStringExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

/// `CGROUP2_SUPER_MAGIC` of include/uapi/linux/magic.h.
const CGROUP2_MAGIC: u64 = 0x6367_7270;

/// Inode number of the cgroup v2 hierarchy's root directory (kernfs numbers from 1).
const ROOT_INO: u64 = 1;

/// v1 controllers whose files the agent reads.
const V1_CONTROLLERS: [&str; 3] = ["cpu", "cpuacct", "memory"];

/// Mount points of the cgroup hierarchies, and the subtree of v2 that this agent observes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mounts {
    /// Mount point of cgroup v2: `/sys/fs/cgroup`, or `/sys/fs/cgroup/unified` in hybrid mode.
    pub unified: PathBuf,
    /// The observed subtree, below `unified`; `/` for all. Begins with `/`, does not end with `/`.
    pub subtree: String,
    /// Mount points of the v1 controllers `cpu`, `cpuacct` and `memory`, in v1 and hybrid mode; else empty.
    pub v1: BTreeMap<String, PathBuf>,
}

/// Why there is no usable cgroup v2 mount.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// The mount table can't be read.
    #[error("read {}: {source}; mount procfs there, or pass its path as --procfs", path.display())]
    Mountinfo {
        /// The file.
        path: PathBuf,
        /// The kernel's refusal.
        source: io::Error,
    },
    /// No cgroup v2 anywhere.
    #[error(
        "find cgroup v2: {} lists no reachable cgroup2 mount; boot with \
         systemd.unified_cgroup_hierarchy=1, or `mount -t cgroup2 none DIR` and pass --cgroup-root DIR",
        mountinfo.display()
    )]
    NoUnified {
        /// The mount table.
        mountinfo: PathBuf,
    },
    /// The given directory can't be used.
    #[error(
        "use cgroup root {}: {source}; --cgroup-root takes an existing directory of a cgroup2 mount",
        path.display()
    )]
    Root {
        /// The directory.
        path: PathBuf,
        /// The kernel's refusal.
        source: io::Error,
    },
    /// The given directory is on another file system.
    #[error(
        "use cgroup root {}: it is not on cgroup v2; --cgroup-root takes a directory of a cgroup2 mount \
         (`findmnt -t cgroup2` lists them)",
        path.display()
    )]
    NotCgroup2 {
        /// The directory.
        path: PathBuf,
    },
}

impl Mounts {
    /// Picks the mounts from the text of `/proc/self/mountinfo`. `None`: no cgroup v2 mount.
    ///
    /// Of several mounts of one hierarchy it takes the one with the highest root, and the first of equal ones: `/../..`
    /// (the host's mount in a private cgroup namespace) before `/`, and `/` before a bind mount of `/some/directory`.
    pub fn parse(mountinfo: &str) -> Option<Self> {
        Self::candidates(mountinfo).into_iter().next()
    }

    /// Finds the mounts of the running system. `procfs` is where proc is mounted. `override_root` is a cgroup v2 mount
    /// point or a directory below one; it becomes the observed subtree.
    ///
    /// # Errors
    /// When there is no cgroup v2, or `override_root` is not a directory of it.
    pub fn discover(procfs: &Path, override_root: Option<&Path>) -> Result<Self, MountError> {
        let path = procfs.join("self/mountinfo");
        let text = fs::read(&path).map_err(|source| MountError::Mountinfo { path: path.clone(), source })?;
        let text = String::from_utf8_lossy(&text);
        match override_root {
            Some(dir) => {
                let (unified, subtree) = locate(dir)?;
                Ok(Self { unified, subtree, v1: v1_mounts(&text) })
            }
            // A later mount may hide this one: ask the file system.
            None => Self::candidates(&text)
                .into_iter()
                .find(|m| is_cgroup2(&m.unified).unwrap_or(false))
                .ok_or(MountError::NoUnified { mountinfo: path }),
        }
    }

    /// Directory of a cgroup in the v2 hierarchy; `cgroup` is its path below the mount.
    pub fn dir(&self, cgroup: &str) -> PathBuf {
        self.unified.join(cgroup.trim_start_matches('/'))
    }

    /// Directory of the observed subtree.
    pub fn subtree_dir(&self) -> PathBuf {
        self.dir(&self.subtree)
    }

    /// cgroup id of the observed subtree.
    ///
    /// # Errors
    /// When the directory is gone.
    pub fn subtree_id(&self) -> io::Result<u64> {
        Ok(fs::metadata(self.subtree_dir())?.ino())
    }

    /// Whether the mount shows the machine's whole hierarchy. False in a private cgroup namespace without the host's
    /// mount: cgroups outside the namespace then have no names.
    ///
    /// # Errors
    /// When the mount can't be read.
    pub fn is_whole(&self) -> io::Result<bool> {
        Ok(fs::metadata(&self.unified)?.ino() == ROOT_INO)
    }

    fn candidates(mountinfo: &str) -> Vec<Self> {
        let v1 = v1_mounts(mountinfo);
        let mut found: Vec<_> = mountinfo.lines().filter_map(Line::parse).filter(|l| l.fs_type == "cgroup2").collect();
        found.sort_by_key(|l| height(&l.root));
        found.into_iter().map(|l| Self { unified: l.point.into(), subtree: "/".into(), v1: v1.clone() }).collect()
    }
}

/// Splits a directory of cgroup v2 into its mount point and the path below.
fn locate(dir: &Path) -> Result<(PathBuf, String), MountError> {
    let root_error = |source| MountError::Root { path: dir.to_owned(), source };
    let full = fs::canonicalize(dir).map_err(root_error)?;
    let device = fs::metadata(&full).map_err(root_error)?;
    if !is_cgroup2(&full).map_err(root_error)? {
        return Err(MountError::NotCgroup2 { path: dir.to_owned() });
    }
    if !device.is_dir() {
        return Err(root_error(io::ErrorKind::NotADirectory.into()));
    }
    let same = |p: &&Path| is_cgroup2(p).unwrap_or(false) && fs::metadata(p).is_ok_and(|m| m.dev() == device.dev());
    let mount = full.ancestors().take_while(same).last().unwrap_or(&full);
    let below = full.strip_prefix(mount).unwrap_or(Path::new(""));
    Ok((mount.to_owned(), format!("/{}", below.to_string_lossy())))
}

fn is_cgroup2(path: &Path) -> io::Result<bool> {
    Ok(u64::try_from(rustix::fs::statfs(path)?.f_type).is_ok_and(|t| t == CGROUP2_MAGIC))
}

fn v1_mounts(mountinfo: &str) -> BTreeMap<String, PathBuf> {
    let mut best: BTreeMap<&str, (isize, OsString)> = BTreeMap::new();
    for line in mountinfo.lines().filter_map(Line::parse).filter(|l| l.fs_type == "cgroup") {
        for controller in line.super_options.split(',').filter(|o| V1_CONTROLLERS.contains(o)) {
            let height = height(&line.root);
            if best.get(controller).is_none_or(|(h, _)| height < *h) {
                best.insert(controller, (height, line.point.clone()));
            }
        }
    }
    best.into_iter().map(|(controller, (_, point))| (controller.to_owned(), point.into())).collect()
}

/// Depth below the cgroup namespace's root; negative above it (`/../..` is −2).
fn height(root: &str) -> isize {
    root.split('/').filter(|c| !c.is_empty()).map(|c| if c == ".." { -1 } else { 1 }).sum()
}

/// The used fields of one mountinfo line (proc_pid_mountinfo(5)).
pub(super) struct Line<'a> {
    pub(super) root: String,
    pub(super) point: OsString,
    pub(super) fs_type: &'a str,
    pub(super) super_options: &'a str,
}

impl<'a> Line<'a> {
    /// `36 35 98:0 /root /point options [optional fields] - type source super-options`
    pub(super) fn parse(line: &'a str) -> Option<Self> {
        let (mount, fs) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(3);
        let (root, point) = (mount.next()?, mount.next()?);
        let mut fs = fs.split(' ');
        let (fs_type, _source, super_options) = (fs.next()?, fs.next()?, fs.next()?);
        let root = unescape(root).to_string_lossy().into_owned();
        Some(Self { root, point: unescape(point), fs_type, super_options })
    }
}

/// Replaces the kernel's `\ooo` escapes of space, tab, newline and backslash.
fn unescape(field: &str) -> OsString {
    let bytes = field.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let code = (bytes[i] == b'\\').then(|| bytes.get(i + 1..i + 4)).flatten().and_then(octal);
        match code {
            Some(byte) => {
                out.push(byte);
                i += 4;
            }
            None => {
                out.push(bytes[i]);
                i += 1;
            }
        }
    }
    OsString::from_vec(out)
}

fn octal(digits: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(digits).ok().filter(|d| d.bytes().all(|b| b.is_ascii_digit()))?;
    u8::from_str_radix(digits, 8).ok()
}

#[cfg(test)]
mod tests;

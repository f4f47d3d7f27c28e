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
struct Line<'a> {
    root: String,
    point: OsString,
    fs_type: &'a str,
    super_options: &'a str,
}

impl<'a> Line<'a> {
    /// `36 35 98:0 /root /point options [optional fields] - type source super-options`
    fn parse(line: &'a str) -> Option<Self> {
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
mod tests {
    use super::*;
    use crate::cgroup::testing::{TestCgroup, real_mounts};

    const V2: &str = "\
25 30 0:23 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw
35 25 0:30 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot
";
    const HYBRID: &str = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:1 master:2 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";

    #[test]
    fn unified_mode_has_no_v1_mounts() {
        let mounts = Mounts::parse(V2).unwrap();
        assert_eq!((mounts.unified.to_str(), mounts.subtree.as_str()), (Some("/sys/fs/cgroup"), "/"));
        assert!(mounts.v1.is_empty());
    }

    #[test]
    fn hybrid_mode_has_v2_beside_the_v1_controllers() {
        let mounts = Mounts::parse(HYBRID).unwrap();
        assert_eq!(mounts.unified, Path::new("/sys/fs/cgroup/unified"));
        let v1: Vec<_> = mounts.v1.iter().map(|(c, p)| (c.as_str(), p.to_str().unwrap())).collect();
        let both = "/sys/fs/cgroup/cpu,cpuacct";
        assert_eq!(v1, [("cpu", both), ("cpuacct", both), ("memory", "/sys/fs/cgroup/memory")]);
    }

    #[test]
    fn without_v2_there_are_no_mounts() {
        let v1_only: String = HYBRID.lines().filter(|l| !l.contains("cgroup2")).map(|l| format!("{l}\n")).collect();
        assert_eq!(Mounts::parse(&v1_only), None);
        assert_eq!(Mounts::parse("not a mount table\n"), None);
    }

    #[test]
    fn mount_with_the_highest_root_wins() {
        let line = |root: &str, at: &str| format!("41 31 0:38 {root} {at} rw - cgroup2 cgroup2 rw\n");
        let part = line("/kubelet/pod1", "/part");
        let whole = line("/", "/whole");
        let above = line("/../../..", "/host/sys/fs/cgroup");
        assert_eq!(Mounts::parse(&format!("{part}{whole}")).unwrap().unified, Path::new("/whole"));
        assert_eq!(Mounts::parse(&format!("{part}{whole}{above}")).unwrap().unified, Path::new("/host/sys/fs/cgroup"));
        let twice = format!("{whole}{}", line("/", "/second"));
        assert_eq!(Mounts::parse(&twice).unwrap().unified, Path::new("/whole"));
    }

    #[test]
    fn octal_escapes_are_undone() {
        let text = r"41 31 0:38 / /a\040b\134c\011 rw - cgroup2 none rw";
        assert_eq!(Mounts::parse(text).unwrap().unified, Path::new("/a b\\c\t"));
        assert_eq!(unescape(r"x\04"), r"x\04");
        assert_eq!(unescape(r"x\999"), r"x\999");
    }

    #[test]
    fn running_system_is_discovered_and_a_subdirectory_becomes_the_subtree() {
        let Some(mounts) = real_mounts("running_system_is_discovered_and_a_subdirectory_becomes_the_subtree") else {
            return;
        };
        let group = TestCgroup::new(&mounts, "mount");
        let child = group.child("inner");
        let found = Mounts::discover(Path::new("/proc"), Some(child.dir())).unwrap();
        assert_eq!(found.unified, mounts.unified);
        assert_eq!(found.subtree, child.path());
        assert_eq!(found.subtree_id().unwrap(), child.id());
        assert_eq!(found.v1, mounts.v1);
        let whole = Mounts::discover(Path::new("/proc"), Some(&mounts.unified)).unwrap();
        assert_eq!(whole.subtree, "/");
        let gone = child.dir().join("absent");
        assert!(matches!(Mounts::discover(Path::new("/proc"), Some(&gone)), Err(MountError::Root { .. })));
        let file = child.dir().join("cgroup.procs");
        assert!(matches!(Mounts::discover(Path::new("/proc"), Some(&file)), Err(MountError::Root { .. })));
    }

    #[test]
    fn directory_of_another_file_system_is_refused() {
        let wrong = Mounts::discover(Path::new("/proc"), Some(Path::new("/proc")));
        assert!(matches!(wrong, Err(MountError::NotCgroup2 { .. })));
        let absent = Mounts::discover(Path::new("/no/such/proc"), None);
        assert!(matches!(absent, Err(MountError::Mountinfo { .. })));
    }
}

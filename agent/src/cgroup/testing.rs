//! cgroups of the running kernel for this room's tests.

use super::Mounts;
use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process,
};

/// The mounts of this machine. `None`, with a line on stderr, when cgroups can't be made here; with `CI=true` and root
/// rights that is a failure.
pub(crate) fn real_mounts(test: &str) -> Option<Mounts> {
    let root = rustix::process::geteuid().is_root();
    let reason = match Mounts::discover(Path::new("/proc"), None) {
        Err(e) => e.to_string(),
        Ok(_) if !root => "needs root".to_owned(),
        Ok(mounts) => match probe(&mounts) {
            Ok(()) => return Some(mounts),
            Err(e) => format!("make a cgroup in {}: {e}", mounts.unified.display()),
        },
    };
    assert!(!root || std::env::var_os("CI").is_none_or(|v| v != "true"), "{test}: {reason}");
    eprintln!("SKIP {test}: {reason}");
    None
}

fn probe(mounts: &Mounts) -> io::Result<()> {
    let dir = mounts.unified.join(format!("netwhy-test-probe-{}-{:?}", process::id(), std::thread::current().id()));
    fs::create_dir(&dir)?;
    fs::remove_dir(&dir)
}

/// A cgroup of this test; removed with everything below it on drop.
pub(crate) struct TestCgroup {
    path: String,
    dir: PathBuf,
    id: u64,
}

impl TestCgroup {
    /// Makes `/netwhy-test-<name>-<pid>`.
    pub(crate) fn new(mounts: &Mounts, name: &str) -> Self {
        Self::make(mounts.unified.clone(), format!("/netwhy-test-{name}-{}", process::id()))
    }

    /// Makes a cgroup below this one.
    pub(crate) fn child(&self, name: &str) -> Self {
        let mount = self.dir.ancestors().nth(self.path.matches('/').count()).unwrap();
        Self::make(mount.to_owned(), format!("{}/{name}", self.path))
    }

    fn make(mount: PathBuf, path: String) -> Self {
        let dir = mount.join(path.trim_start_matches('/'));
        fs::create_dir(&dir).unwrap_or_else(|e| panic!("make {}: {e}", dir.display()));
        let id = fs::metadata(&dir).unwrap().ino();
        Self { path, dir, id }
    }

    /// Path below the mount.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Its directory.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its cgroup id.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }
}

impl Drop for TestCgroup {
    fn drop(&mut self) {
        remove_tree(&self.dir);
    }
}

/// Removes a cgroup and its descendants; what is already gone is fine.
pub(crate) fn remove_tree(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            remove_tree(&entry.path());
        }
    }
    // A process that was just reaped may keep the cgroup busy for a moment.
    for _ in 0..1_000 {
        match fs::remove_dir(dir) {
            Err(e) if e.kind() == io::ErrorKind::ResourceBusy => std::thread::yield_now(),
            _ => return,
        }
    }
}

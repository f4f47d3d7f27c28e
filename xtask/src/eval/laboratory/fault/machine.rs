//! Settings of the machine that faults change, and how they are restored.

use anyhow::{Context as _, Result, bail};
use std::{
    fs,
    io::Write as _,
    os::unix::fs::MetadataExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

/// Where files that load the disk are made.
const SCRATCH: &str = "/var/tmp";
const LIMIT: &str = "/proc/sys/net/netfilter/nf_conntrack_max";
const COUNT: &str = "/proc/sys/net/netfilter/nf_conntrack_count";

/// A name for a file that does not exist yet.
pub(super) fn scratch(what: &str) -> Result<String> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    Ok(format!("{SCRATCH}/netwhy-lab-{}.{number}.{what}", std::process::id()))
}

/// The disk below those files, as cgroups name it: `254:0`.
pub(super) fn scratch_device() -> Result<String> {
    let device = fs::metadata(SCRATCH).with_context(|| format!("look at {SCRATCH}"))?.dev();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    // A limit is set on the whole disk, not on a partition.
    let block = format!("/sys/dev/block/{major}:{minor}");
    let whole = Path::new(&block).join("partition").exists();
    let file = if whole { format!("{block}/../dev") } else { format!("{block}/dev") };
    match fs::read_to_string(&file) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(_) => bail!("{SCRATCH} is on no disk whose IO can be limited ({major}:{minor}): mount a disk there"),
    }
}

/// The machine's limit on tracked connections, lowered; restored when this is dropped, and by a process of its own when
/// this one is killed.
pub(super) struct ConntrackLimit {
    before: String,
    guard: Child,
}

impl ConntrackLimit {
    /// Lowers it, unless that would turn away connections of the machine itself.
    pub(super) fn lower_to(limit: u64) -> Result<Self> {
        let read =
            |file: &str| fs::read_to_string(file).with_context(|| format!("read {file} (is nf_conntrack loaded?)"));
        let before = read(LIMIT)?.trim().to_owned();
        let own: u64 = read(COUNT)?.trim().parse().context("read the number of tracked connections")?;
        if own > 0 {
            bail!("this machine tracks {own} connections of its own: a lower limit would harm them");
        }
        // It waits until we release it or end.
        let guard = Command::new("sh")
            .args(["-c", "trap '' INT TERM HUP; read -r _; echo \"$1\" > \"$2\"", "sh", &before, LIMIT])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .context("start the process that restores nf_conntrack_max")?;
        let this = Self { before, guard };
        fs::write(LIMIT, limit.to_string()).with_context(|| format!("write {LIMIT}"))?;
        Ok(this)
    }

    /// Restores it, and makes sure.
    pub(super) fn restore(self) -> Result<()> {
        let before = self.before.clone();
        drop(self);
        let now = fs::read_to_string(LIMIT).with_context(|| format!("read {LIMIT}"))?;
        if now.trim() == before { Ok(()) } else { bail!("{LIMIT} is {} and was {before}: write it back", now.trim()) }
    }
}

impl Drop for ConntrackLimit {
    fn drop(&mut self) {
        let _ = fs::write(LIMIT, &self.before);
        if let Some(mut stdin) = self.guard.stdin.take() {
            let _ = stdin.write_all(b"\n");
        }
        let _ = self.guard.wait();
    }
}

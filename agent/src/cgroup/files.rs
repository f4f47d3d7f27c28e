//! Control files of cgroups: CPU use and bandwidth, pressure, memory limits, OOM kills.

use super::{
    Mounts,
    parse::{self, Malformed},
};
use crate::sample::{CpuStat, Pressure};
use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};
use std::{ffi::CStr, io, os::unix::ffi::OsStrExt, path::Path, str};

/// Maximum length of a file, bytes. The longest, `cpu.stat`, has about 300.
const MAX_BYTES: usize = 4096;

/// Why an existing control file has no value.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The kernel refused to read it.
    #[error("read {path}: {source}; the agent needs root, or read access to the cgroup file system")]
    Read {
        /// The file.
        path: String,
        /// The kernel's refusal.
        source: io::Error,
    },
    /// Its contents differ from the kernel's documentation.
    #[error("parse {path}: {reason}; please report this with the file's contents and the kernel's version")]
    Parse {
        /// The file.
        path: String,
        /// The difference.
        reason: String,
    },
}

/// Reads control files. It reuses its buffers, so a file costs three system calls and no allocation.
///
/// `Ok(None)` always means that there is no such file: the controller is off for this cgroup, the kernel lacks the
/// feature, or the cgroup was removed.
#[derive(Debug)]
pub struct Reader {
    unified: Vec<u8>,
    cpu_v1: Option<Vec<u8>>,
    cpuacct_v1: Option<Vec<u8>>,
    memory_v1: Option<Vec<u8>>,
    scratch: Scratch,
}

/// Buffers that every read reuses.
#[derive(Debug)]
struct Scratch {
    path: Vec<u8>,
    text: Box<[u8; MAX_BYTES]>,
}

impl Reader {
    /// A reader over these mounts.
    pub fn new(mounts: &Mounts) -> Self {
        let bytes = |p: &Path| p.as_os_str().as_bytes().to_vec();
        let v1 = |controller| mounts.v1.get(controller).map(|p| bytes(p));
        Self {
            unified: bytes(&mounts.unified),
            cpu_v1: v1("cpu"),
            cpuacct_v1: v1("cpuacct"),
            memory_v1: v1("memory"),
            scratch: Scratch { path: Vec::new(), text: Box::new([0; MAX_BYTES]) },
        }
    }

    /// CPU bandwidth control of the cgroup at `path` (below the v2 mount). Throttling counts only the cgroup's quota,
    /// not those of its descendants; CPU time includes descendants. In v1 and hybrid mode the values are those of the
    /// cgroup with the same path in the v1 hierarchy.
    ///
    /// # Errors
    /// When an existing file can't be read or parsed.
    pub fn cpu(&mut self, path: &str) -> Result<Option<CpuStat>, FileError> {
        if self.cpu_v1.is_some() { self.cpu_v1(path) } else { self.cpu_v2(path) }
    }

    /// Pressure totals of the cgroup at `path` and its descendants. `None` also on kernels without PSI, with `psi=0`,
    /// with `cgroup.pressure` off, and on v1.
    ///
    /// # Errors
    /// When an existing file can't be read or parsed.
    pub fn pressure(&mut self, path: &str) -> Result<Option<Pressure>, FileError> {
        let Some(cpu) = self.stall(path, "cpu.pressure")? else { return Ok(None) };
        let Some(memory) = self.stall(path, "memory.pressure")? else { return Ok(None) };
        let Some(io) = self.stall(path, "io.pressure")? else { return Ok(None) };
        Ok(Some(Pressure {
            cpu_some_us: cpu.some_us,
            cpu_full_us: cpu.full_us,
            memory_some_us: memory.some_us,
            memory_full_us: memory.full_us,
            io_some_us: io.some_us,
            io_full_us: io.full_us,
        }))
    }

    /// OOM kills in the cgroup at `path`. They include those of its descendants, also of removed ones, if
    /// [`Self::oom_kills_include_descendants`].
    ///
    /// # Errors
    /// When an existing file can't be read or parsed.
    pub fn oom_kills(&mut self, path: &str) -> Result<Option<u64>, FileError> {
        let (base, file) = match &self.memory_v1 {
            Some(base) => (base, "memory.oom_control"),
            None => (&self.unified, "memory.events"),
        };
        self.scratch.read(base, path, file, parse::oom_kills)
    }

    /// CPU time used by the cgroup at `path` and its descendants, µs. For cgroups without [`Self::cpu`].
    ///
    /// # Errors
    /// When an existing file can't be read or parsed.
    pub fn usage_us(&mut self, path: &str) -> Result<Option<u64>, FileError> {
        let Self { unified, scratch, .. } = self;
        // v2 accounts for every cgroup, with and without a controller.
        Ok(scratch.read(unified, path, "cpu.stat", parse::cpu_stat_v2)?.map(|(us, _)| us))
    }

    /// CPU weight of the cgroup at `path`: 1 … 10,000, by default 100.
    ///
    /// # Errors
    /// When an existing file can't be read or parsed.
    pub fn cpu_weight(&mut self, path: &str) -> Result<Option<u64>, FileError> {
        let Self { unified, cpu_v1, scratch, .. } = self;
        match cpu_v1 {
            // 1024 shares are a weight of 100.
            Some(base) => {
                let shares = scratch.read(base, path, "cpu.shares", parse::single)?;
                Ok(shares.map(|shares| (shares.saturating_mul(100) / 1024).clamp(1, 10_000)))
            }
            None => scratch.read(unified, path, "cpu.weight", parse::single),
        }
    }

    /// Number of times that the cgroup at `path` hit its own memory limits: memory was reclaimed or refused.
    ///
    /// # Errors
    /// When an existing file can't be read or parsed.
    pub fn memory_limit_hits(&mut self, path: &str) -> Result<Option<u64>, FileError> {
        let Self { unified, memory_v1, scratch, .. } = self;
        match memory_v1 {
            Some(base) => scratch.read(base, path, "memory.failcnt", parse::single),
            None => scratch.read(unified, path, "memory.events", parse::memory_limit_hits),
        }
    }

    /// True with the v2 memory controller. v1 counts each cgroup separately.
    pub fn oom_kills_include_descendants(&self) -> bool {
        self.memory_v1.is_none()
    }

    fn cpu_v2(&mut self, path: &str) -> Result<Option<CpuStat>, FileError> {
        let Self { unified, scratch, .. } = self;
        let stat = scratch.read(unified, path, "cpu.stat", parse::cpu_stat_v2)?;
        let Some((usage_us, Some(bandwidth))) = stat else { return Ok(None) };
        let limit = scratch.read(unified, path, "cpu.max", parse::cpu_max)?;
        Ok(Some(cpu_stat(bandwidth, usage_us, limit.flatten())))
    }

    fn cpu_v1(&mut self, path: &str) -> Result<Option<CpuStat>, FileError> {
        let Self { unified, cpu_v1, cpuacct_v1, scratch, .. } = self;
        let Some(base) = cpu_v1 else { return Ok(None) };
        let Some(bandwidth) = scratch.read(base, path, "cpu.stat", parse::cpu_stat_v1)? else {
            return Ok(None);
        };
        let quota = scratch.read(base, path, "cpu.cfs_quota_us", |t| Ok(t.to_owned()))?;
        let limit = match quota {
            Some(quota) if !quota.starts_with('-') => {
                scratch.read(base, path, "cpu.cfs_period_us", |period| parse::cfs_quota(&quota, period))?.flatten()
            }
            _ => None,
        };
        // The v1 accounting controller may be mounted separately and lack this cgroup; v2 accounts for every cgroup.
        let accounted = match cpuacct_v1 {
            Some(base) => scratch.read(base, path, "cpuacct.usage", parse::single)?.map(|ns| ns / 1_000),
            None => None,
        };
        let usage_us = match accounted {
            Some(us) => Some(us),
            None => scratch.read(unified, path, "cpu.stat", parse::cpu_stat_v2)?.map(|(us, _)| us),
        };
        // Removed between two reads.
        let Some(usage_us) = usage_us else { return Ok(None) };
        Ok(Some(cpu_stat(bandwidth, usage_us, limit)))
    }

    fn stall(&mut self, path: &str, file: &str) -> Result<Option<parse::Stall>, FileError> {
        self.scratch.read(&self.unified, path, file, parse::pressure)
    }
}

fn cpu_stat(bandwidth: parse::Bandwidth, usage_us: u64, limit_millicores: Option<u64>) -> CpuStat {
    let parse::Bandwidth { periods, throttled_periods, throttled_us } = bandwidth;
    CpuStat { periods, throttled_periods, throttled_us, usage_us, limit_millicores }
}

impl Scratch {
    /// Reads and parses `base` + `cgroup` + `/` + `file`.
    fn read<T>(
        &mut self,
        base: &[u8],
        cgroup: &str,
        file: &str,
        parse: impl FnOnce(&str) -> Result<T, Malformed>,
    ) -> Result<Option<T>, FileError> {
        let Self { path, text } = self;
        path.clear();
        for segment in [base, cgroup.trim_end_matches('/').as_bytes(), b"/", file.as_bytes(), b"\0"] {
            path.extend_from_slice(segment);
        }
        let name = || String::from_utf8_lossy(&path[..path.len() - 1]).into_owned();
        let length = match read_once(path, &mut text[..]) {
            Ok(length) => length,
            // ENOENT: no such file or cgroup. ENODEV: the cgroup was removed while its file was open. EOPNOTSUPP: PSI
            // is off.
            Err(Errno::NOENT | Errno::NODEV | Errno::OPNOTSUPP) => return Ok(None),
            Err(e) => return Err(FileError::Read { path: name(), source: e.into() }),
        };
        let malformed = |reason: String| FileError::Parse { path: name(), reason };
        if length == MAX_BYTES {
            return Err(malformed(format!("longer than {MAX_BYTES} bytes")));
        }
        let text = str::from_utf8(&text[..length]).map_err(|e| malformed(e.to_string()))?;
        parse(text).map(Some).map_err(|e| malformed(e.to_string()))
    }
}

/// Reads the whole file with one call, which kernfs fills from one rendering of the file.
fn read_once(path: &[u8], text: &mut [u8]) -> Result<usize, Errno> {
    let path = CStr::from_bytes_with_nul(path).map_err(|_| Errno::INVAL)?;
    let file = rustix::io::retry_on_intr(|| rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()))?;
    rustix::io::retry_on_intr(|| rustix::io::read(&file, &mut *text))
}

#[cfg(test)]
mod tests;

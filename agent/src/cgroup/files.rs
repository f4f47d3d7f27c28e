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

/// Bytes read of a file at most; the longest of these files, `cpu.stat`, has some 300.
const MAX_BYTES: usize = 4096;

/// Why a control file that exists gave no value.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The kernel refused.
    #[error("read {path}: {source}; the agent needs root, or read access to the cgroup file system")]
    Read {
        /// The file.
        path: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// Not the text that the kernel documents.
    #[error("parse {path}: {reason}; please report this with the file's text and the kernel's version")]
    Parse {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
}

/// Reads control files; keeps its buffers, so that a file costs three system calls and no allocation.
///
/// `Ok(None)` always means that the file isn't there: the controller is off for this cgroup, the kernel lacks the
/// feature, or the cgroup is gone.
#[derive(Debug)]
pub struct Reader {
    unified: Vec<u8>,
    cpu_v1: Option<Vec<u8>>,
    cpuacct_v1: Option<Vec<u8>>,
    memory_v1: Option<Vec<u8>>,
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
            path: Vec::new(),
            text: Box::new([0; MAX_BYTES]),
        }
    }

    /// CPU bandwidth control of the cgroup at `path` (below the v2 mount). Throttling is that of the cgroup's own
    /// quota, without its descendants'; CPU time includes them. In v1 and hybrid mode the figures are those of the
    /// cgroup with the same path in the v1 hierarchy.
    ///
    /// # Errors
    /// When a file that exists can't be read or understood.
    pub fn cpu(&mut self, path: &str) -> Result<Option<CpuStat>, FileError> {
        if self.cpu_v1.is_some() { self.cpu_v1(path) } else { self.cpu_v2(path) }
    }

    /// Pressure totals of the cgroup at `path`, its descendants included. `None` also on kernels without PSI, with
    /// `psi=0`, and with `cgroup.pressure` off; v1 has none.
    ///
    /// # Errors
    /// When a file that exists can't be read or understood.
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

    /// Processes of the cgroup at `path` that were killed for memory; with its descendants' (also those that are gone)
    /// where [`Self::oom_kills_include_descendants`], else without.
    ///
    /// # Errors
    /// When a file that exists can't be read or understood.
    pub fn oom_kills(&mut self, path: &str) -> Result<Option<u64>, FileError> {
        let (base, file) = match &self.memory_v1 {
            Some(base) => (base, "memory.oom_control"),
            None => (&self.unified, "memory.events"),
        };
        read(&mut self.path, &mut self.text, base, path, file, parse::oom_kills)
    }

    /// CPU time used by the cgroup at `path` and its descendants, µs: for cgroups that [`Self::cpu`] has nothing on.
    ///
    /// # Errors
    /// When a file that exists can't be read or understood.
    pub fn usage_us(&mut self, path: &str) -> Result<Option<u64>, FileError> {
        let Self { unified, path: buffer, text, .. } = self;
        // v2 accounts for every cgroup, with and without a controller.
        Ok(read(buffer, text, unified, path, "cpu.stat", parse::cpu_stat_v2)?.map(|(us, _)| us))
    }

    /// Weight of the cgroup at `path` in the competition for CPUs: 1 … 10,000, usually 100.
    ///
    /// # Errors
    /// When a file that exists can't be read or understood.
    pub fn cpu_weight(&mut self, path: &str) -> Result<Option<u64>, FileError> {
        let Self { unified, cpu_v1, path: buffer, text, .. } = self;
        match cpu_v1 {
            // 1024 shares are a weight of 100.
            Some(base) => {
                let shares = read(buffer, text, base, path, "cpu.shares", parse::single)?;
                Ok(shares.map(|shares| (shares * 100 / 1024).clamp(1, 10_000)))
            }
            None => read(buffer, text, unified, path, "cpu.weight", parse::single),
        }
    }

    /// Times that memory of the cgroup at `path` was reclaimed or refused because of its own limits.
    ///
    /// # Errors
    /// When a file that exists can't be read or understood.
    pub fn memory_limit_hits(&mut self, path: &str) -> Result<Option<u64>, FileError> {
        let Self { unified, memory_v1, path: buffer, text, .. } = self;
        match memory_v1 {
            Some(base) => read(buffer, text, base, path, "memory.failcnt", parse::single),
            None => read(buffer, text, unified, path, "memory.events", parse::memory_limit_hits),
        }
    }

    /// True with the v2 memory controller, whose counts include descendants; v1 counts each cgroup for itself.
    pub fn oom_kills_include_descendants(&self) -> bool {
        self.memory_v1.is_none()
    }

    fn cpu_v2(&mut self, path: &str) -> Result<Option<CpuStat>, FileError> {
        let Self { unified, path: buffer, text, .. } = self;
        let stat = read(buffer, text, unified, path, "cpu.stat", parse::cpu_stat_v2)?;
        let Some((usage_us, Some(bandwidth))) = stat else { return Ok(None) };
        let limit = read(buffer, text, unified, path, "cpu.max", parse::cpu_max)?;
        Ok(Some(cpu_stat(bandwidth, usage_us, limit.flatten())))
    }

    fn cpu_v1(&mut self, path: &str) -> Result<Option<CpuStat>, FileError> {
        let Self { unified, cpu_v1, cpuacct_v1, path: buffer, text, .. } = self;
        let Some(base) = cpu_v1 else { return Ok(None) };
        let Some(bandwidth) = read(buffer, text, base, path, "cpu.stat", parse::cpu_stat_v1)? else {
            return Ok(None);
        };
        let quota = read(buffer, text, base, path, "cpu.cfs_quota_us", |t| Ok(t.to_owned()))?;
        let limit = match quota {
            Some(quota) if !quota.starts_with('-') => {
                read(buffer, text, base, path, "cpu.cfs_period_us", |period| parse::cfs_quota(&quota, period))?
                    .flatten()
            }
            _ => None,
        };
        // The accounting controller may be mounted apart and lack this cgroup; v2 accounts for every cgroup.
        let accounted = match cpuacct_v1 {
            Some(base) => read(buffer, text, base, path, "cpuacct.usage", parse::single)?.map(|ns| ns / 1_000),
            None => None,
        };
        let usage_us = match accounted {
            Some(us) => Some(us),
            None => read(buffer, text, unified, path, "cpu.stat", parse::cpu_stat_v2)?.map(|(us, _)| us),
        };
        // Gone between two reads.
        let Some(usage_us) = usage_us else { return Ok(None) };
        Ok(Some(cpu_stat(bandwidth, usage_us, limit)))
    }

    fn stall(&mut self, path: &str, file: &str) -> Result<Option<parse::Stall>, FileError> {
        read(&mut self.path, &mut self.text, &self.unified, path, file, parse::pressure)
    }
}

fn cpu_stat(bandwidth: parse::Bandwidth, usage_us: u64, limit_millicores: Option<u64>) -> CpuStat {
    let parse::Bandwidth { periods, throttled_periods, throttled_us } = bandwidth;
    CpuStat { periods, throttled_periods, throttled_us, usage_us, limit_millicores }
}

/// Reads and parses `base` + `cgroup` + `/` + `file`. `buffer` and `text` are scratch space.
fn read<T>(
    buffer: &mut Vec<u8>,
    text: &mut [u8; MAX_BYTES],
    base: &[u8],
    cgroup: &str,
    file: &str,
    parse: impl FnOnce(&str) -> Result<T, Malformed>,
) -> Result<Option<T>, FileError> {
    buffer.clear();
    for part in [base, cgroup.trim_end_matches('/').as_bytes(), b"/", file.as_bytes(), b"\0"] {
        buffer.extend_from_slice(part);
    }
    let name = || String::from_utf8_lossy(&buffer[..buffer.len() - 1]).into_owned();
    let length = match read_once(buffer, text) {
        Ok(length) => length,
        // ENOENT: no such file or cgroup. ENODEV: the cgroup went while its file was open. EOPNOTSUPP: PSI is off.
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

/// One read is the whole file: kernfs fills the buffer from one rendering of it.
fn read_once(path: &[u8], text: &mut [u8]) -> Result<usize, Errno> {
    let path = CStr::from_bytes_with_nul(path).map_err(|_| Errno::INVAL)?;
    let file = rustix::io::retry_on_intr(|| rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()))?;
    rustix::io::retry_on_intr(|| rustix::io::read(&file, &mut *text))
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;

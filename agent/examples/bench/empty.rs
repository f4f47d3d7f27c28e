//! The cost of calling and measuring a kernel program: one that does nothing, on tracepoints that fire under the same
//! load.
//!
//! The kernel's program statistics include the time of reading the clock. The time of an empty program is that alone,
//! so that it can be taken off the other programs' figures.

use anyhow::Context as _;
use std::{
    ffi::CStr,
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
};

const BPF_PROG_LOAD: libc::c_int = 5;
const BPF_OBJ_GET_INFO_BY_FD: libc::c_int = 15;
const BPF_RAW_TRACEPOINT_OPEN: libc::c_int = 17;
const BPF_PROG_TYPE_RAW_TRACEPOINT: u32 = 17;

/// Every incoming TCP segment.
pub(crate) const SEGMENTS: &[&CStr] = &[c"tcp_probe"];
/// Every context switch: also where no TCP flows.
pub(crate) const ANYTIME: &[&CStr] = &[c"sched_switch"];
/// Tracepoints that fire at the start of every connection and at the end of every socket. An exact count of connections
/// and of their traffic needs both.
pub(crate) const CONNECTIONS: &[&CStr] = &[c"inet_sock_set_state", c"tcp_destroy_sock"];

/// `r0 = 0; exit`, as `struct bpf_insn`.
const CODE: [u64; 2] = [0xb7, 0x95];

/// The beginning of `union bpf_attr` for `BPF_PROG_LOAD`.
#[repr(C)]
struct LoadAttr {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; 16],
}

/// The same for `BPF_RAW_TRACEPOINT_OPEN`.
#[repr(C)]
struct OpenAttr {
    name: u64,
    prog_fd: u32,
    pad: u32,
}

/// The same for `BPF_OBJ_GET_INFO_BY_FD`.
#[repr(C)]
struct InfoAttr {
    fd: u32,
    len: u32,
    info: u64,
}

fn bpf<T>(command: libc::c_int, attr: &mut T) -> io::Result<i32> {
    // SAFETY: `attr` is the command's own structure without padding, and what it points to lives through the call.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attr), size_of::<T>()) };
    i32::try_from(result).ok().filter(|fd| *fd >= 0).ok_or_else(io::Error::last_os_error)
}

fn descriptor<T>(command: libc::c_int, attr: &mut T) -> io::Result<OwnedFd> {
    // SAFETY: the kernel just made this descriptor for us.
    bpf(command, attr).map(|fd| unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A program that does nothing.
pub(crate) struct Empty {
    program: OwnedFd,
    attached: Vec<OwnedFd>,
}

impl Empty {
    /// Loads it.
    pub(crate) fn load() -> anyhow::Result<Self> {
        let mut attr = LoadAttr {
            prog_type: BPF_PROG_TYPE_RAW_TRACEPOINT,
            insn_cnt: CODE.len() as u32,
            insns: CODE.as_ptr() as u64,
            license: c"GPL".as_ptr() as u64,
            log_level: 0,
            log_size: 0,
            log_buf: 0,
            kern_version: 0,
            prog_flags: 0,
            prog_name: *b"nw_empty\0\0\0\0\0\0\0\0",
        };
        let program = descriptor(BPF_PROG_LOAD, &mut attr).context("load an empty kernel program")?;
        Ok(Self { program, attached: Vec::new() })
    }

    /// Puts it on tracepoints.
    pub(crate) fn attach(&mut self, tracepoints: &[&CStr]) -> anyhow::Result<()> {
        for name in tracepoints {
            let mut attr = OpenAttr { name: name.as_ptr() as u64, prog_fd: self.program.as_raw_fd() as u32, pad: 0 };
            let link = descriptor(BPF_RAW_TRACEPOINT_OPEN, &mut attr);
            self.attached.push(link.with_context(|| format!("attach an empty program to {}", name.to_string_lossy()))?);
        }
        Ok(())
    }

    /// Takes it off.
    pub(crate) fn detach(&mut self) {
        self.attached.clear();
    }

    /// Time, ns, and runs, while statistics were on.
    pub(crate) fn runs(&self) -> anyhow::Result<(u64, u64)> {
        // `struct bpf_prog_info`: run_time_ns is its 25th and run_cnt its 26th word.
        let mut info = [0u64; 32];
        let fd = self.program.as_raw_fd() as u32;
        let mut attr = InfoAttr { fd, len: size_of_val(&info) as u32, info: info.as_mut_ptr() as u64 };
        bpf(BPF_OBJ_GET_INFO_BY_FD, &mut attr).context("read an empty program's statistics")?;
        Ok((info[24], info[25]))
    }
}

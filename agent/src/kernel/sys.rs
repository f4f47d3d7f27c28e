//! `bpf(2)` commands that aya lacks: batched reads of maps, removing a row, program statistics, iterators over maps,
//! links without a program object, and trials of instructions. Numbers and layouts are the kernel's UAPI
//! (`include/uapi/linux/bpf.h`).

use netwhy_abi::Plain;
use std::{
    fs::File,
    io,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

const BPF_MAP_UPDATE_ELEM: libc::c_int = 2;
const BPF_MAP_DELETE_ELEM: libc::c_int = 3;
const BPF_PROG_LOAD: libc::c_int = 5;
const BPF_OBJ_GET_INFO_BY_FD: libc::c_int = 15;
const BPF_RAW_TRACEPOINT_OPEN: libc::c_int = 17;
const BPF_MAP_LOOKUP_AND_DELETE_ELEM: libc::c_int = 21;
const BPF_MAP_LOOKUP_BATCH: libc::c_int = 24;
const BPF_LINK_CREATE: libc::c_int = 28;
const BPF_ENABLE_STATS: libc::c_int = 32;
const BPF_ITER_CREATE: libc::c_int = 33;

/// `BPF_PROG_TYPE_SOCKET_FILTER` of `enum bpf_prog_type`.
const BPF_PROG_TYPE_SOCKET_FILTER: u32 = 1;
/// `BPF_PROG_TYPE_TRACING`.
const BPF_PROG_TYPE_TRACING: u32 = 26;
/// `BPF_TRACE_ITER` of `enum bpf_attach_type`.
const BPF_TRACE_ITER: u32 = 28;

#[repr(C)]
struct BatchAttr {
    in_batch: u64,
    out_batch: u64,
    keys: u64,
    values: u64,
    count: u32,
    map_fd: u32,
    elem_flags: u64,
    flags: u64,
}

#[repr(C)]
struct ElemAttr {
    map_fd: u32,
    pad: u32,
    key: u64,
    value: u64,
    flags: u64,
}

#[repr(C)]
struct InfoAttr {
    fd: u32,
    len: u32,
    info: u64,
}

#[repr(C)]
struct ProgramAttr {
    kind: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
}

/// The same with what an iterator attaches to.
#[repr(C)]
struct IterProgramAttr {
    program: ProgramAttr,
    /// Version, flags, name and interface.
    unused: [u32; 7],
    attach_type: u32,
    /// Types and lines of the program.
    untyped: [u32; 9],
    attach_btf_id: u32,
}

#[repr(C)]
struct TracepointAttr {
    name: u64,
    prog_fd: u32,
    pad: u32,
    cookie: u64,
}

#[repr(C)]
struct IterLinkAttr {
    prog_fd: u32,
    target_fd: u32,
    attach_type: u32,
    flags: u32,
    info: u64,
    info_len: u32,
    pad: u32,
}

#[repr(C)]
struct IterAttr {
    link_fd: u32,
    flags: u32,
}

// Sizes of these parts of `union bpf_attr`: the kernel reads as many bytes, hidden padding included.
const _: () = assert!(size_of::<BatchAttr>() == 56);
const _: () = assert!(size_of::<ElemAttr>() == 32);
const _: () = assert!(size_of::<InfoAttr>() == 16);
const _: () = assert!(size_of::<ProgramAttr>() == 40);
const _: () = assert!(size_of::<IterProgramAttr>() == 112);
const _: () = assert!(std::mem::offset_of!(IterProgramAttr, attach_type) == 68);
const _: () = assert!(size_of::<TracepointAttr>() == 24);
const _: () = assert!(size_of::<IterLinkAttr>() == 32);
const _: () = assert!(size_of::<IterAttr>() == 8);

fn bpf<T>(command: libc::c_int, attr: &mut T) -> io::Result<libc::c_long> {
    // SAFETY: `attr` is the command's own structure, and its pointers are live for the call.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attr), size_of::<T>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Reads all rows of a hash map. Rows that are added or removed meanwhile may be missing or present.
///
/// # Errors
/// The kernel's refusal; hash maps support this since 5.6.
pub(super) fn read_all<K: Plain, V: Plain>(map: BorrowedFd<'_>, rows: &mut Vec<(K, V)>) -> io::Result<()> {
    if rows.capacity() / 4 > rows.len() {
        rows.shrink_to(rows.len() * 2);
    }
    rows.clear();
    // More than any bucket holds: a batch never splits a bucket.
    let mut room = 512usize;
    let mut keys: Vec<std::mem::MaybeUninit<K>> = Vec::new();
    let mut values: Vec<std::mem::MaybeUninit<V>> = Vec::new();
    let mut cursor = 0u64;
    let mut first = true;
    loop {
        keys.resize(room, std::mem::MaybeUninit::uninit());
        values.resize(room, std::mem::MaybeUninit::uninit());
        let mut next = 0u64;
        let mut attr = BatchAttr {
            in_batch: if first { 0 } else { std::ptr::from_mut(&mut cursor) as u64 },
            out_batch: std::ptr::from_mut(&mut next) as u64,
            keys: keys.as_mut_ptr() as u64,
            values: values.as_mut_ptr() as u64,
            count: room as u32,
            map_fd: map.as_raw_fd() as u32,
            elem_flags: 0,
            flags: 0,
        };
        let result = bpf(BPF_MAP_LOOKUP_BATCH, &mut attr);
        let last = match result {
            Ok(_) => false,
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => true,
            Err(error) if error.raw_os_error() == Some(libc::ENOSPC) && room < 1 << 20 => {
                room *= 2;
                continue;
            }
            Err(error) => return Err(error),
        };
        for i in 0..(attr.count as usize).min(room) {
            // SAFETY: the kernel wrote `count` keys and values, and any bytes make a valid `Plain`.
            rows.push(unsafe { (keys[i].assume_init(), values[i].assume_init()) });
        }
        if last {
            return Ok(());
        }
        cursor = next;
        first = false;
    }
}

/// Removes one row of a hash map and returns its last value. `None`: there was no row. Before 5.14 a row can't be read
/// and deleted at once, so the value is `read`, that of the last reading.
///
/// # Errors
/// The kernel's refusal.
pub(super) fn take<K: Plain, V: Plain>(map: BorrowedFd<'_>, key: &K, read: &V) -> io::Result<Option<V>> {
    let mut value = *read;
    let mut attr = ElemAttr {
        map_fd: map.as_raw_fd() as u32,
        pad: 0,
        key: std::ptr::from_ref(key) as u64,
        value: std::ptr::from_mut(&mut value) as u64,
        flags: 0,
    };
    let result = bpf(BPF_MAP_LOOKUP_AND_DELETE_ELEM, &mut attr).or_else(|error| match error.raw_os_error() {
        // ENOTSUPP has no name in user space.
        Some(libc::EINVAL | libc::EOPNOTSUPP | 524) => {
            attr.value = 0;
            bpf(BPF_MAP_DELETE_ELEM, &mut attr)
        }
        _ => Err(error),
    });
    match result {
        Ok(_) => Ok(Some(value)),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Sets a value of a map of descriptors.
///
/// # Errors
/// The kernel's refusal.
pub(super) fn set_fd(map: BorrowedFd<'_>, key: u32, value: BorrowedFd<'_>) -> io::Result<()> {
    let value = value.as_raw_fd() as u32;
    let mut attr = ElemAttr {
        map_fd: map.as_raw_fd() as u32,
        pad: 0,
        key: std::ptr::from_ref(&key) as u64,
        value: std::ptr::from_ref(&value) as u64,
        flags: 0,
    };
    bpf(BPF_MAP_UPDATE_ELEM, &mut attr).map(drop)
}

/// Run statistics of a program, while they are on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RunStats {
    /// Run time, ns.
    pub(super) run_ns: u64,
    /// Number of runs.
    pub(super) run_count: u64,
    /// Runs that the kernel skipped because the program was already running on that CPU; always counted. `None`: before
    /// 5.12.
    pub(super) missed: Option<u64>,
}

/// Run statistics of a program (`struct bpf_prog_info`, `run_time_ns` and `run_cnt`, 5.1 and later;
/// `recursion_misses`).
///
/// # Errors
/// The kernel's refusal.
pub(super) fn run_stats(program: BorrowedFd<'_>) -> io::Result<RunStats> {
    let mut info = [0u64; 32];
    let mut attr =
        InfoAttr { fd: program.as_raw_fd() as u32, len: size_of_val(&info) as u32, info: info.as_mut_ptr() as u64 };
    bpf(BPF_OBJ_GET_INFO_BY_FD, &mut attr)?;
    // The kernel returns the length that it filled.
    let missed = (attr.len as usize >= 27 * size_of::<u64>()).then_some(info[26]);
    Ok(RunStats { run_ns: info[24], run_count: info[25], missed })
}

/// Turns run statistics on until the returned descriptor is closed; 5.8 and later, with CAP_SYS_ADMIN.
///
/// # Errors
/// The kernel's refusal.
pub(super) fn enable_stats() -> io::Result<OwnedFd> {
    // `type` 0 is BPF_STATS_RUN_TIME.
    let mut attr = 0u64;
    let fd = bpf(BPF_ENABLE_STATS, &mut attr)?;
    // SAFETY: the kernel just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Loads a socket filter, which nothing runs, and unloads it again.
///
/// # Errors
/// The kernel's refusal.
pub(super) fn try_filter(instructions: &[[u8; 8]]) -> io::Result<()> {
    let mut attr = program(BPF_PROG_TYPE_SOCKET_FILTER, instructions);
    unload(bpf(BPF_PROG_LOAD, &mut attr)?);
    Ok(())
}

/// Loads an iterator, which nothing runs, and unloads it again. `attach_btf_id`: type id of the iterator's function.
///
/// # Errors
/// The kernel's refusal.
pub(super) fn try_walk(instructions: &[[u8; 8]], attach_btf_id: u32) -> io::Result<()> {
    let program = program(BPF_PROG_TYPE_TRACING, instructions);
    let (attach_type, untyped) = (BPF_TRACE_ITER, [0; 9]);
    let mut attr = IterProgramAttr { program, unused: [0; 7], attach_type, untyped, attach_btf_id };
    unload(bpf(BPF_PROG_LOAD, &mut attr)?);
    Ok(())
}

fn program(kind: u32, instructions: &[[u8; 8]]) -> ProgramAttr {
    ProgramAttr {
        kind,
        count: instructions.len() as u32,
        instructions: instructions.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log: 0,
    }
}

fn unload(fd: libc::c_long) {
    // SAFETY: the kernel just made this descriptor for us.
    drop(unsafe { OwnedFd::from_raw_fd(fd as i32) });
}

/// Makes a file that runs a loaded iterator over the elements of a map when it is read.
///
/// # Errors
/// The kernel's refusal.
pub(super) fn iterate(program: BorrowedFd<'_>, map: BorrowedFd<'_>) -> io::Result<File> {
    // `union bpf_iter_link_info`: the map's descriptor comes first.
    let info = map.as_raw_fd() as u32;
    let mut attr = IterLinkAttr {
        prog_fd: program.as_raw_fd() as u32,
        target_fd: 0,
        attach_type: BPF_TRACE_ITER,
        flags: 0,
        info: std::ptr::from_ref(&info) as u64,
        info_len: size_of_val(&info) as u32,
        pad: 0,
    };
    let link = bpf(BPF_LINK_CREATE, &mut attr)?;
    // SAFETY: the kernel just made this descriptor for us.
    let link = unsafe { OwnedFd::from_raw_fd(link as i32) };
    let file = bpf(BPF_ITER_CREATE, &mut IterAttr { link_fd: link.as_raw_fd() as u32, flags: 0 })?;
    // SAFETY: as above. The file keeps the link.
    Ok(unsafe { OwnedFd::from_raw_fd(file as i32) }.into())
}

/// Attaches a loaded `BPF_TRACE_RAW_TP` program to its tracepoint until the returned descriptor is closed.
///
/// # Errors
/// The kernel's refusal. EEXIST: it is attached already (before 6.10).
pub(super) fn attach_tracing(program: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let mut attr = TracepointAttr { name: 0, prog_fd: program.as_raw_fd() as u32, pad: 0, cookie: 0 };
    let fd = bpf(BPF_RAW_TRACEPOINT_OPEN, &mut attr)?;
    // SAFETY: the kernel just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

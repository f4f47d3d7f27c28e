//! A perf buffer of one CPU, which wakes nobody: the tick reads it. aya's wakes its reader at each event.
//!
//! Numbers and layouts are the kernel's UAPI (`include/uapi/linux/perf_event.h`).

use std::{
    io,
    os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd},
    ptr::NonNull,
    sync::atomic::{AtomicU64, Ordering},
};

/// `PERF_TYPE_SOFTWARE`, `PERF_COUNT_SW_BPF_OUTPUT`, `PERF_SAMPLE_RAW`.
const SOFTWARE: u32 = 1;
const BPF_OUTPUT: u64 = 10;
const RAW: u64 = 1 << 10;
/// The bit `watermark` of the attributes.
const WATERMARK: u64 = 1 << 14;
/// `PERF_FLAG_FD_CLOEXEC`.
const CLOEXEC: libc::c_ulong = 8;
/// `data_head` and `data_tail` in the first page.
const HEAD: usize = 1024;
const TAIL: usize = 1032;
/// `PERF_RECORD_SAMPLE`.
const SAMPLE: u32 = 9;
/// A record's type, misc and size.
const HEADER: usize = 8;

/// `struct perf_event_attr` in its first version.
#[repr(C)]
struct Attr {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_watermark: u32,
    bp_type: u32,
    config1: u64,
}

const _: () = assert!(size_of::<Attr>() == 64);

/// The buffer.
pub(super) struct Ring {
    event: OwnedFd,
    /// A page of positions, and the data.
    pages: NonNull<u8>,
    page: usize,
    /// Bytes of data: a power of two.
    size: usize,
    record: Vec<u8>,
}

// SAFETY: the mapping belongs to the ring alone, and the kernel writes it from any CPU.
unsafe impl Send for Ring {}

impl Ring {
    /// A buffer for one CPU, of `size` bytes: a power of two and whole pages.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub(super) fn open(cpu: u32, size: usize) -> io::Result<Self> {
        let attr = Attr {
            kind: SOFTWARE,
            size: size_of::<Attr>() as u32,
            config: BPF_OUTPUT,
            sample_period: 1,
            sample_type: RAW,
            read_format: 0,
            flags: WATERMARK,
            wakeup_watermark: u32::MAX,
            bp_type: 0,
            config1: 0,
        };
        // SAFETY: the attributes are live for the call. All processes of one CPU, no group.
        let event =
            unsafe { libc::syscall(libc::SYS_perf_event_open, &raw const attr, -1, cpu as libc::c_int, -1, CLOEXEC) };
        if event < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel just made this descriptor for us.
        let event = unsafe { OwnedFd::from_raw_fd(event as i32) };
        let page = rustix::param::page_size();
        let (length, access) = (page + size, libc::PROT_READ | libc::PROT_WRITE);
        // SAFETY: a new mapping of the event.
        let pages = unsafe { libc::mmap(std::ptr::null_mut(), length, access, libc::MAP_SHARED, event.as_raw_fd(), 0) };
        if pages == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let pages = NonNull::new(pages.cast()).ok_or_else(|| io::Error::other("an empty mapping"))?;
        Ok(Self { event, pages, page, size, record: Vec::new() })
    }

    /// The event, for the map.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }

    /// Hands over what came since the last call: the raw data of each sample. The programs count those that found no
    /// room.
    pub(super) fn read(&mut self, mut each: impl FnMut(&[u8])) {
        let head = self.position(HEAD).load(Ordering::Acquire);
        let mut tail = self.position(TAIL).load(Ordering::Relaxed);
        while head.wrapping_sub(tail) >= HEADER as u64 {
            self.copy(tail, HEADER);
            let kind = number(&self.record, 0);
            let length = usize::from(u16::from_ne_bytes([self.record[6], self.record[7]]));
            if length < HEADER || length as u64 > head.wrapping_sub(tail) {
                break;
            }
            self.copy(tail, length);
            if kind == SAMPLE && length >= HEADER + 4 {
                let size = number(&self.record, HEADER) as usize;
                let raw = &self.record[HEADER + 4..];
                each(&raw[..size.min(raw.len())]);
            }
            tail = tail.wrapping_add(length as u64);
        }
        self.position(TAIL).store(head, Ordering::Release);
        // The bytes may be anything that was sent.
        self.record.fill(0);
    }

    /// A position in the first page.
    fn position(&self, at: usize) -> &AtomicU64 {
        // SAFETY: an aligned word of the mapping, which lives as long as the ring.
        unsafe { self.pages.add(at).cast::<AtomicU64>().as_ref() }
    }

    /// Copies bytes out of the ring.
    fn copy(&mut self, from: u64, length: usize) {
        let at = from as usize & (self.size - 1);
        let first = length.min(self.size - at);
        self.record.clear();
        // SAFETY: both parts are within the data, and the kernel does not write what was not given back.
        unsafe {
            let data = self.pages.add(self.page);
            self.record.extend_from_slice(std::slice::from_raw_parts(data.add(at).as_ptr(), first));
            self.record.extend_from_slice(std::slice::from_raw_parts(data.as_ptr(), length - first));
        }
    }
}

fn number(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_ne_bytes)
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: the mapping is the ring's own.
        unsafe { libc::munmap(self.pages.as_ptr().cast(), self.page + self.size) };
    }
}

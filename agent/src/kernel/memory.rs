//! Freed memory that the C library keeps. By default glibc keeps more than the agent uses, to save system calls. An
//! agent on every Node returns it to the kernel instead.

/// Allocations of at least this size, bytes, return to the kernel when freed: scrapes and tables of many cgroups.
#[cfg(target_env = "gnu")]
const LARGE: std::ffi::c_int = 256 << 10;

/// Makes glibc keep little freed memory. By default each thread has an arena that keeps its peak size, and allocations
/// of up to 32 MiB count as small once one of that size is freed. Call it before other threads start.
pub(crate) fn keep_little() {
    #[cfg(target_env = "gnu")]
    for (parameter, value) in [(libc::M_ARENA_MAX, 1), (libc::M_MMAP_THRESHOLD, LARGE)] {
        // SAFETY: takes no pointer, and the allocator's own lock.
        let taken = unsafe { libc::mallopt(parameter, value) };
        if taken == 0 {
            tracing::debug!(parameter, value, "the C library refused a setting of its allocator");
        }
    }
}

/// Memory that the process has allocated and not freed, bytes. `None`: the C library doesn't tell.
pub(crate) fn allocated() -> Option<u64> {
    #[cfg(target_env = "gnu")]
    {
        // SAFETY: takes no pointer, and the allocator's own lock.
        let info = unsafe { libc::mallinfo2() };
        Some((info.uordblks + info.hblkhd) as u64)
    }
    #[cfg(not(target_env = "gnu"))]
    None
}

/// Returns freed memory to the kernel, also if used memory lies behind it.
pub(crate) fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes no pointer, and the allocator's own lock.
    unsafe {
        libc::malloc_trim(0);
    }
}

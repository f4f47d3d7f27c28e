//! What the C library keeps of the memory that was freed. glibc keeps more than the agent uses, so that it need not ask the
//! kernel again; an agent that stays on everywhere would rather ask.

/// Size from which a piece of memory is the kernel's again once it is freed, bytes: scrapes and tables of many cgroups.
#[cfg(target_env = "gnu")]
const LARGE: std::ffi::c_int = 256 << 10;

/// Makes glibc keep little. By itself it has an arena for every thread, of which each keeps what its largest moment took, and
/// counts pieces of up to 32 MiB as small once one of that size was freed. Call it before there are threads.
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

/// Gives memory that was freed back to the kernel, where it would be kept because something behind it is in use.
pub(crate) fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes no pointer, and the allocator's own lock.
    unsafe {
        libc::malloc_trim(0);
    }
}

//! Atomic instructions on map memory. `core::sync::atomic` offers none of them on this target.

use core::arch::asm;

/// Adds to a counter that several CPUs share (`BPF_STX | BPF_ATOMIC | BPF_ADD`, any kernel).
///
/// # Safety
/// `counter` points into a map value.
#[inline(always)]
pub(crate) unsafe fn add(counter: *mut u64, n: u64) {
    // SAFETY: the caller vouches for the address; the verifier checks it.
    unsafe { asm!("lock *(u64 *)({p} + 0) += {n}", p = in(reg) counter, n = in(reg) n) }
}

/// As [`add`], for the 32-bit counts of histograms.
///
/// # Safety
/// `counter` points into a map value.
#[inline(always)]
pub(crate) unsafe fn add32(counter: *mut u32, n: u64) {
    // SAFETY: the caller vouches for the address; the verifier checks it.
    unsafe { asm!("lock *(u32 *)({p} + 0) += {n}", p = in(reg) counter, n = in(reg) n) }
}

/// Puts `new` into a cell and returns what was there (`BPF_XCHG`, 5.12 and later).
///
/// User space takes the instruction out for kernels that lack it. There `new` is returned and the cell stays as it is.
/// So exchange only what programs keep of sockets: without the instruction they keep nothing (`NW_HAS_STORAGE`).
///
/// # Safety
/// `cell` points into a map value.
#[inline(always)]
pub(crate) unsafe fn swap(cell: *mut u64, new: u64) -> u64 {
    let mut value = new;
    // SAFETY: the caller vouches for the address; the verifier checks it.
    unsafe { asm!("{v} = xchg_64({p} + 0, {v})", p = in(reg) cell, v = inout(reg) value) }
    value
}

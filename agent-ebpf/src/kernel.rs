//! Reading kernel structures.

use aya_ebpf::helpers::generated::bpf_probe_read_kernel;
use core::{arch::asm, ffi::c_void, mem::MaybeUninit};

/// A kernel object.
pub(crate) type Ptr = *const c_void;

/// Direct load through a pointer whose type the verifier knows; a fault reads as zero.
///
/// # Safety
/// `object` comes from a tracepoint argument, an iterator or a load through one; `offset` comes from BTF.
#[inline(always)]
pub(crate) unsafe fn load<T: Copy>(object: Ptr, offset: u32) -> T {
    // SAFETY: the verifier rejects the program when this is not a member of `object`'s type.
    unsafe { core::ptr::read_volatile(object.cast::<u8>().add(offset as usize).cast::<T>()) }
}

/// Copying load from an address of unknown type. `None` when the address faults.
///
/// # Safety
/// No requirement on the address: the helper refuses a bad one.
#[inline(always)]
pub(crate) unsafe fn probe<T: Copy>(object: Ptr, offset: u32) -> Option<T> {
    let mut value = MaybeUninit::<T>::uninit();
    let from = object.cast::<u8>().wrapping_add(offset as usize);
    // SAFETY: `value` has room for T; the helper writes all of it, or zeroes it and fails.
    unsafe {
        let result = bpf_probe_read_kernel(value.as_mut_ptr().cast(), size_of::<T>() as u32, from.cast());
        if result == 0 { Some(value.assume_init()) } else { None }
    }
}

/// Returns `value`, but the verifier no longer knows it. It follows each path with its own constants to the end of the
/// program; paths that differ in nothing that it knows become one. `noise`: any number that was read from the kernel.
#[inline(always)]
pub(crate) fn forget(value: u64, noise: u32) -> u64 {
    let mut forgotten = value;
    // SAFETY: arithmetic on a register.
    unsafe {
        asm!(
            "{value} ^= {noise}",
            "{value} ^= {noise}",
            value = inout(reg) forgotten,
            noise = in(reg) u64::from(noise),
            options(pure, nomem, nostack)
        );
    }
    forgotten
}

/// A kernel object whose members are read.
pub(crate) trait Object {
    /// A member; a fault reads as zero.
    ///
    /// # Safety
    /// As [`load`] and [`probe`].
    unsafe fn get<T: Copy + Default>(&self, offset: u32) -> T;
}

/// One whose type the verifier knows.
pub(crate) struct Typed(pub(crate) Ptr);

/// One of which the address alone is known.
pub(crate) struct Probed(pub(crate) Ptr);

impl Object for Typed {
    #[inline(always)]
    unsafe fn get<T: Copy + Default>(&self, offset: u32) -> T {
        // SAFETY: as the caller says.
        unsafe { load(self.0, offset) }
    }
}

impl Object for Probed {
    #[inline(always)]
    unsafe fn get<T: Copy + Default>(&self, offset: u32) -> T {
        // SAFETY: as the caller says.
        unsafe { probe(self.0, offset) }.unwrap_or_default()
    }
}

//! Calls of kernel functions, which the compiler can't make: their number is of the running kernel's BTF.
//!
//! User space writes the number into the instruction before it loads the object, or makes the instruction a failure
//! where the kernel lacks the function.

use aya_ebpf::{bindings::bpf_dynptr, helpers::generated::bpf_dynptr_read};
use core::{arch::asm, mem::MaybeUninit};
use netwhy_abi::{Head, heads::Start};

use crate::{
    kernel::{Ptr, load, probe},
    offsets::*,
};

/// `bpf_dynptr_from_skb(struct __sk_buff *s, u64 flags, struct bpf_dynptr *ptr)`; in tracing programs 6.12 and later.
#[inline(always)]
unsafe fn dynptr_from_skb(skb: Ptr, dynptr: *mut bpf_dynptr) -> i64 {
    let result: i64;
    // SAFETY: `BPF_CALL` with `BPF_PSEUDO_KFUNC_CALL`; its arguments and results are those of any call. The last four
    // bytes are `netwhy_abi::content::KFUNC`, for which user space looks.
    unsafe {
        asm!(
            ".byte 0x85, 0x20, 0, 0, 0x4e, 0x57, 0x4b, 0x46",
            inlateout("r1") skb => _,
            inlateout("r2") 0_u64 => _,
            inlateout("r3") dynptr => _,
            lateout("r4") _,
            lateout("r5") _,
            lateout("r0") result,
        );
    }
    result
}

/// `bpf_rdonly_cast(const void *obj, u32 btf_id)`: members may be read of what it gives, but no helper takes it; 6.2
/// and later.
#[inline(always)]
pub(crate) unsafe fn readable(object: Ptr, type_id: u32) -> Ptr {
    let result: Ptr;
    // SAFETY: as above; the last four bytes are `netwhy_abi::content::CAST_KFUNC`.
    unsafe {
        asm!(
            ".byte 0x85, 0x20, 0, 0, 0x4e, 0x57, 0x4b, 0x43",
            inlateout("r1") object => _,
            inlateout("r2") u64::from(type_id) => _,
            lateout("r3") _,
            lateout("r4") _,
            lateout("r5") _,
            lateout("r0") result,
        );
    }
    result
}

/// First bytes of a received segment's data; zeros when there are fewer. `None`: they can't be read. `bytes`: of data.
#[inline(always)]
pub(crate) unsafe fn head(skb: Ptr, bytes: u32) -> Option<Head> {
    // SAFETY: the packet of a tracepoint; it begins with the TCP header.
    unsafe {
        let length: u32 = load(skb, NW_SKB_LEN.load());
        let at = length.wrapping_sub(bytes);
        if bytes < size_of::<Head>() as u32 {
            return Some(Head::SHORT);
        }
        if bytes > length {
            return None;
        }
        if NW_HAS_DYNPTR.load() != 0 {
            let mut head = MaybeUninit::<Head>::uninit();
            return if read(skb, at, head.as_mut_ptr()) { Some(head.assume_init()) } else { None };
        }
        let beside = length.wrapping_sub(load(skb, NW_SKB_DATA_LEN.load()));
        if at.wrapping_add(size_of::<Head>() as u32) > beside {
            return None;
        }
        probe(load(skb, NW_SKB_DATA.load()), at)
    }
}

/// The start of a received message; zeros when it is shorter, or can't be read (before 6.12). `bytes`: of data.
#[inline(always)]
pub(crate) unsafe fn start(skb: Ptr, bytes: u32) -> Start {
    let mut start = Start::SHORT;
    // SAFETY: as above.
    unsafe {
        let length: u32 = load(skb, NW_SKB_LEN.load());
        let is_long = bytes >= size_of::<Start>() as u32 && bytes <= length;
        if NW_HAS_DYNPTR.load() == 0 || !is_long || !read(skb, length.wrapping_sub(bytes), &raw mut start) {
            return Start::SHORT;
        }
    }
    start
}

/// Reads bytes of a packet. False: there are fewer.
#[inline(always)]
unsafe fn read<T>(skb: Ptr, at: u32, to: *mut T) -> bool {
    let mut dynptr = MaybeUninit::<bpf_dynptr>::uninit();
    // SAFETY: the packet of a tracepoint, and room for the bytes.
    unsafe {
        let made = dynptr_from_skb(skb, dynptr.as_mut_ptr());
        made == 0 && bpf_dynptr_read(to.cast(), size_of::<T>() as u32, dynptr.as_ptr(), at as _, 0) == 0
    }
}

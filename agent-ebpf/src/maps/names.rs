//! DNS answers on their way to user space.

use aya_ebpf::{
    bindings::BPF_RB_NO_WAKEUP,
    helpers::generated::{bpf_probe_read_kernel, bpf_ringbuf_discard, bpf_ringbuf_reserve, bpf_ringbuf_submit},
    macros::map,
    maps::RingBuf,
};
use netwhy_abi::{ANSWER_BYTES, AnswerEvent, Counter};

use super::count;
use crate::kernel::{Ptr, forget};

/// One page where names are not read. The tick reads it, so that nobody is woken up.
#[map]
static ANSWERS: RingBuf = RingBuf::with_byte_size(4096, 0);

/// Adds the first bytes of an answer: at most [`ANSWER_BYTES`]. `noise`: any number that was read from the kernel.
#[inline(always)]
pub(crate) unsafe fn add_answer(cgroup: u64, data: Ptr, length: u32, noise: u32) {
    let flags = u64::from(BPF_RB_NO_WAKEUP);
    // SAFETY: the map, room in it that is given back on each path, and a probing read.
    unsafe {
        let ring = (&raw const ANSWERS).cast_mut().cast();
        let event = bpf_ringbuf_reserve(ring, size_of::<AnswerEvent>() as u64, 0).cast::<AnswerEvent>();
        if event.is_null() {
            count(Counter::NamesLost);
            return;
        }
        // The verifier takes the bound from the mask, which the compiler would leave out if it knew the length.
        let length = (forget(u64::from(length), noise) & ANSWER_BYTES as u64) as u32;
        (*event).cgroup = cgroup;
        (*event).length = length;
        (*event).padding = 0;
        if bpf_probe_read_kernel((&raw mut (*event).bytes).cast(), length, data.cast()) == 0 {
            bpf_ringbuf_submit(event.cast(), flags);
        } else {
            bpf_ringbuf_discard(event.cast(), flags);
        }
    }
}

//! Settings of the running programs, and the state of walks.

use aya_ebpf::{btf_maps::Array, macros::btf_map};
use netwhy_abi::{Control, Duty};

/// User space's hand on the running programs.
#[btf_map]
static CONTROL: Array<Control, 1> = Array::new();
/// Sockets and listeners seen by the walk in progress.
#[btf_map]
static WALK: Array<[u64; 2], 1> = Array::new();
/// `jiffies` at the end of the first walk.
#[btf_map]
static STARTED: Array<u64, 1> = Array::new();

/// User space's current settings.
#[inline(always)]
pub(crate) fn control() -> Control {
    match CONTROL.get(0) {
        Some(control) => *control,
        None => Control {
            baseline: 0,
            walk: 0,
            edges_full: 0,
            rtt_duty: 0,
            handshake_duty: 0,
            ports_folded: 0,
            dns_share: 1,
            dns_mixed: 0,
            rtt_threshold: 0,
            rtt_sparse: 0,
            unseen_segments: u32::MAX,
            pad: 0,
        },
    }
}

/// Whether churn is high: handshakes are observed on a duty cycle and short sockets are sampled.
#[inline(always)]
pub(crate) fn is_churn_high() -> bool {
    control().handshake_duty == Duty::Reduced as u32
}

/// Whether a socket may connect without being seen: the program on states is not always attached, or was not.
#[inline(always)]
pub(crate) fn may_restart() -> bool {
    control().handshake_duty != Duty::Continuous as u32
}

/// The walk's running totals.
#[inline(always)]
pub(crate) fn walk() -> Option<*mut [u64; 2]> {
    WALK.get_ptr_mut(0)
}

/// `jiffies` at the end of the first walk; 0 before.
#[inline(always)]
pub(crate) fn started() -> u64 {
    STARTED.get(0).copied().unwrap_or(0)
}

/// Remembers when the first walk ended.
#[inline(always)]
pub(crate) fn start(jiffies: u64) {
    if let Some(started) = STARTED.get_ptr_mut(0) {
        // SAFETY: a live map value that one walk alone writes.
        unsafe { *started = jiffies };
    }
}

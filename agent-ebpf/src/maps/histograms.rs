//! Histograms and minima in rows.

use netwhy_abi::{Durations, EdgeStats, bucket_index, min_slot_epoch, min_slot_pack, min_slot_unpack};

use crate::atomic;

/// Adds one duration to a histogram.
///
/// # Safety
/// `durations` is a field of a live map value.
#[inline(always)]
pub(crate) unsafe fn add_duration(durations: *mut Durations, us: u32) {
    // SAFETY: as the caller says.
    unsafe { add_durations(durations, us, 1) }
}

/// Adds a duration that this many events had.
///
/// # Safety
/// As above.
#[inline(always)]
pub(crate) unsafe fn add_durations(durations: *mut Durations, us: u32, times: u64) {
    // SAFETY: as the caller says; the index is below BUCKETS.
    unsafe {
        atomic::add32((&raw mut (*durations).buckets).cast::<u32>().add(bucket_index(us)), times);
        atomic::add(&raw mut (*durations).sum, u64::from(us) * times);
    }
}

/// Adds one RTT sample to an edge.
///
/// # Safety
/// `row` is a live value of an edge map.
#[inline(always)]
pub(crate) unsafe fn add_rtt(row: *mut EdgeStats, us: u32, now_ns: u64) {
    // SAFETY: as the caller says; the index is below BUCKETS.
    unsafe {
        add_duration(&raw mut (*row).rtt, us);
        let epoch = min_slot_epoch(now_ns);
        let slot = (&raw mut (*row).min_rtt_us).cast::<u64>().add((epoch & 3) as usize);
        // A plain read and write: two CPUs in one slot at once may keep the higher of two minima.
        let (seen, low) = min_slot_unpack(core::ptr::read_volatile(slot));
        if seen != epoch || us < low {
            core::ptr::write_volatile(slot, min_slot_pack(epoch, us));
        }
    }
}

/// Adds one smoothed RTT to an edge: to the histogram, not to the minimum.
///
/// # Safety
/// `row` is a live value of an edge map.
#[inline(always)]
pub(crate) unsafe fn add_smoothed_rtt(row: *mut EdgeStats, us: u32) {
    // SAFETY: as the caller says.
    unsafe {
        add_duration(&raw mut (*row).rtt, us);
        atomic::add(&raw mut (*row).smoothed_rtts, 1);
    }
}

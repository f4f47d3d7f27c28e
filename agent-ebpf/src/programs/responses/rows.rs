//! The maps of response times.

use aya_ebpf::{
    EbpfContext,
    bindings::{BPF_F_NO_PREALLOC, BPF_NOEXIST},
    btf_maps::{Array, HashMap, LruHashMap, SkStorage},
    macros::btf_map,
};
use aya_log_ebpf::warn;
use netwhy_abi::{BUCKETS, Choice, Counter, Durations, EdgeKey, Pick, ResponseStats, Turn, bucket_index};

use crate::{atomic, maps};

/// One row where response times are not observed.
#[btf_map]
static RESPONSES: HashMap<EdgeKey, ResponseStats, 1, { BPF_F_NO_PREALLOC as usize }> = HashMap::new();
/// The turns of each observed connection; live and die with its socket.
#[btf_map]
static TURNS: SkStorage<Turn> = SkStorage::new();
/// Which connections are observed.
#[btf_map]
static CHOICE: Array<Choice, 1> = Array::new();
/// Active connections of each edge on a busy machine. Evicts the edge that was quiet for longest.
#[btf_map]
static PICKS: LruHashMap<EdgeKey, Pick, 1> = LruHashMap::new();
/// Hashes of the connections that walks keep.
#[btf_map]
static KEPT: Array<Kept, 1> = Array::new();
/// A row of zeros to insert from: too large for the stack.
#[btf_map]
static ZERO_RESPONSES: Array<ResponseStats, 1> = Array::new();

/// A filter before the look into a socket's storage: bits by hash, of an even and of an odd walk. Each walk begins with
/// none and sets those of the connections that it keeps.
#[derive(Clone, Copy)]
#[repr(C)]
struct Kept {
    bits: [[u64; WORDS]; 2],
    walk: u64,
}

/// Words of a filter: 4,096 bits.
const WORDS: usize = 64;

/// Word and bit of a hash. The mask's bits are below.
#[inline(always)]
const fn bit(hash: u32) -> (usize, u64) {
    ((hash >> 10) as usize & (WORDS - 1), 1 << ((hash >> 4) & 63))
}

/// Whether walks may keep the connection with this hash.
#[inline(always)]
pub(super) fn may_be_kept(hash: u32) -> bool {
    let (word, bit) = bit(hash);
    KEPT.get(0).is_some_and(|kept| (kept.bits[0][word] | kept.bits[1][word]) & bit != 0)
}

/// Notes that a walk keeps the connection with this hash.
#[inline(always)]
pub(super) fn keep(hash: u32, walk: u32) {
    let (word, bit) = bit(hash);
    if let Some(kept) = KEPT.get_ptr_mut(0) {
        // SAFETY: a live map value that one walk alone writes; the word is below WORDS.
        unsafe {
            let bits = (&raw mut (*kept).bits).cast::<[u64; WORDS]>().add((walk & 1) as usize);
            if (*kept).walk != u64::from(walk) {
                (*kept).walk = u64::from(walk);
                *bits = [0; WORDS];
            }
            *bits.cast::<u64>().add(word) |= bit;
        }
    }
}

/// The active connections of an edge. `None`: no room.
#[inline(always)]
pub(super) fn pick(key: &EdgeKey) -> Option<*mut Pick> {
    if let Some(pick) = PICKS.get_ptr_mut(key) {
        return Some(pick);
    }
    let _ = PICKS.insert(key, Pick::ZERO, u64::from(BPF_NOEXIST));
    PICKS.get_ptr_mut(key)
}

/// Which connections are observed now.
#[inline(always)]
pub(super) fn choice() -> Choice {
    CHOICE.get(0).copied().unwrap_or(Choice { mask: 0, generation: 0 })
}

/// Address of the socket storage map, for the helper.
#[inline(always)]
pub(super) fn turns() -> *mut core::ffi::c_void {
    (&raw const TURNS).cast_mut().cast()
}

/// The row of an edge. `None`: there is none.
#[inline(always)]
pub(super) fn known(key: &EdgeKey) -> Option<*mut ResponseStats> {
    RESPONSES.get_ptr_mut(key)
}

/// The row of an edge, made when missing.
#[inline(always)]
pub(super) fn row<C: EbpfContext>(ctx: &C, key: &EdgeKey) -> Option<*mut ResponseStats> {
    if let Some(row) = known(key) {
        return Some(row);
    }
    let _ = RESPONSES.insert(key, ZERO_RESPONSES.get(0)?, u64::from(BPF_NOEXIST));
    let row = known(key);
    if row.is_none() && maps::count(Counter::ResponsesFull) {
        warn!(ctx, "response map full: response times of cgroup {} are lost", key.cgroup);
    }
    row
}

/// A duration as histograms take it, µs.
#[inline(always)]
pub(super) fn micros(us: u64) -> u32 {
    if us > u64::from(u32::MAX) { u32::MAX } else { us as u32 }
}

/// Adds a response time for this many exchanges.
///
/// # Safety
/// A live map value.
#[inline(always)]
pub(super) unsafe fn add_duration(row: *mut ResponseStats, us: u32, times: u64) {
    // SAFETY: as the caller says; the index is below BUCKETS.
    unsafe { add_to(&raw mut (*row).durations, bucket_index(us), u64::from(us), times) }
}

/// Adds requests that were never answered: to the last bucket, with their age.
///
/// # Safety
/// A live map value.
#[inline(always)]
pub(super) unsafe fn add_unanswered(row: *mut ResponseStats, age_us: u64, times: u64) {
    // SAFETY: as the caller says.
    unsafe {
        add_to(&raw mut (*row).durations, BUCKETS - 1, age_us, times);
        atomic::add(&raw mut (*row).unanswered, times);
    }
}

#[inline(always)]
unsafe fn add_to(durations: *mut Durations, bucket: usize, us: u64, times: u64) {
    // SAFETY: a field of a live map value; the index is below BUCKETS.
    unsafe {
        atomic::add32((&raw mut (*durations).buckets).cast::<u32>().add(bucket), times);
        atomic::add(&raw mut (*durations).sum, us * times);
    }
}

/// Adds a part of a response time for this many exchanges.
///
/// # Safety
/// A field of a live map value.
#[inline(always)]
pub(super) unsafe fn add(part: *mut u64, us: u64, times: u64) {
    if us != 0 {
        // SAFETY: as the caller says.
        unsafe { atomic::add(part, us * times) }
    }
}

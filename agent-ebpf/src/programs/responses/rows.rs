//! The maps of response times.

use aya_ebpf::{
    EbpfContext,
    bindings::{BPF_F_NO_PREALLOC, BPF_NOEXIST},
    btf_maps::{Array, HashMap, LruHashMap, PerfEventByteArray, SkStorage},
    macros::btf_map,
};
use aya_log_ebpf::warn;
use core::{cell::UnsafeCell, hint::cold_path, ptr::NonNull};
use netwhy_abi::{
    Choice, Counter, EdgeKey, FINE_BUCKETS, Pick, ResponseStats, Shares, Turn, fine_bucket_index,
    heads::{EXCHANGES_PER_PERIOD, FOLLOWED_BYTES_PER_PERIOD, FOLLOWED_ROOM, PERIOD_SHIFT},
};

use crate::{atomic, maps};

/// One row where response times are not observed.
#[btf_map]
static RESPONSES: HashMap<EdgeKey, ResponseStats, 1, { BPF_F_NO_PREALLOC as usize }> = HashMap::new();
/// The turns of each observed connection; live and die with its socket.
#[btf_map]
static TURNS: SkStorage<Turn> = SkStorage::new();
/// The same by the socket's address, where walks can't come to storage; one row elsewhere. `nw_destroy` takes it out.
#[btf_map]
static TURNS_BY_ADDR: HashMap<u64, Turn, 1, { BPF_F_NO_PREALLOC as usize }> = HashMap::new();
/// Active connections of each edge on a busy machine. Evicts the edge that was quiet for longest.
#[btf_map]
static PICKS: LruHashMap<EdgeKey, Pick, 1> = LruHashMap::new();
/// A row of zeros to insert from: too large for the stack.
#[btf_map]
static ZERO_RESPONSES: Array<ResponseStats, 1> = Array::new();

/// First bytes of sampled exchanges, per CPU.
#[btf_map]
static HEADS: PerfEventByteArray = PerfEventByteArray::new();
/// Sampled exchanges per cgroup in the newest period, and bytes of its followed connections: the period's number is in
/// the upper half.
#[btf_map]
static HEAD_ROOMS: LruHashMap<u64, u64, 1> = LruHashMap::new();
/// Ports whose answers to a cgroup were HTTP, and its version.
#[btf_map]
static SPEAKERS: LruHashMap<EdgeKey, u64, 1> = LruHashMap::new();

/// A section of the object's data, which programs read and write without a look-up. It is a map of one value for user
/// space, by the section's name.
#[repr(transparent)]
struct Data<T>(UnsafeCell<T>);

// SAFETY: programs on several CPUs read it word by word; one writes.
unsafe impl<T> Sync for Data<T> {}

/// Which connections are observed.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".data.choice")]
static NW_CHOICE: Data<Choice> =
    Data(UnsafeCell::new(Choice { mask: 0, generation: 0, read_weight: 1, close_ups: 0, pace_us: 0 }));
/// Exchanges and connections that are sampled for HTTP.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".data.shares")]
static NW_SHARES: Data<Shares> = Data(UnsafeCell::new(Shares { http: 0, grpc: 0 }));
/// Hashes of the connections that walks keep.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".data.kept")]
static NW_KEPT: Data<Kept> = Data(UnsafeCell::new(Kept { bits: [[0; 2]; WORDS], walk: 0 }));

/// A filter before the look into a socket's storage: bits by hash, of even and of odd walks side by side. Each walk
/// begins with none and sets those of the connections that it keeps.
#[repr(C)]
struct Kept {
    bits: [[u64; 2]; WORDS],
    walk: u64,
}

/// Words of a filter: 4,096 bits.
const WORDS: usize = 64;

/// Word and bit of a hash. The mask's bits are below.
#[inline(always)]
const fn bit(hash: u32) -> (usize, u64) {
    ((hash >> 10) as usize & (WORDS - 1), 1 << ((hash >> 4) & 63))
}

/// The bits of one word, of even or of odd walks.
#[inline(always)]
fn bits(word: usize, parity: usize) -> *mut u64 {
    // SAFETY: the word is below WORDS, and there are two of each.
    unsafe { (&raw mut (*NW_KEPT.0.get()).bits).cast::<u64>().add((word & (WORDS - 1)) * 2 + (parity & 1)) }
}

/// Whether walks may keep the connection with this hash.
#[inline(always)]
pub(super) fn may_be_kept(hash: u32) -> bool {
    let (word, bit) = bit(hash);
    // SAFETY: words of live data.
    unsafe { (bits(word, 0).read_volatile() | bits(word, 1).read_volatile()) & bit != 0 }
}

/// Notes that a walk keeps the connection with this hash.
#[inline(always)]
pub(super) fn keep(hash: u32, walk: u32) {
    let ((word, bit), parity) = (bit(hash), walk as usize);
    // SAFETY: words of live data that one walk alone writes.
    unsafe {
        let last = &raw mut (*NW_KEPT.0.get()).walk;
        if last.read_volatile() != u64::from(walk) {
            last.write_volatile(u64::from(walk));
            for word in 0..WORDS {
                bits(word, parity).write_volatile(0);
            }
        }
        let bits = bits(word, parity);
        bits.write_volatile(bits.read_volatile() | bit);
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

/// Connections whose hash has these bits clear are observed.
#[inline(always)]
pub(super) fn mask() -> u32 {
    // SAFETY: a word of live data.
    unsafe { (&raw const (*NW_CHOICE.0.get()).mask).read_volatile() }
}

/// Number of the period of observation; 0: no connection is observed.
#[inline(always)]
pub(super) fn generation() -> u32 {
    // SAFETY: a word of live data.
    unsafe { (&raw const (*NW_CHOICE.0.get()).generation).read_volatile() }
}

/// Whether any connection is observed.
#[inline(always)]
pub(super) fn is_on() -> bool {
    generation() != 0
}

/// Reads that one observed read stands for.
#[inline(always)]
pub(super) fn read_weight() -> u32 {
    // SAFETY: a word of live data.
    unsafe { (&raw const (*NW_CHOICE.0.get()).read_weight).read_volatile() }
}

/// Which connections are observed now.
#[inline(always)]
pub(super) fn choice() -> Choice {
    Choice {
        mask: mask(),
        generation: generation(),
        read_weight: read_weight(),
        close_ups: has_close_ups().into(),
        pace_us: pace_us(),
    }
}

/// Pace at which exchanges of one connection are counted, µs; 0: each is.
#[inline(always)]
pub(super) fn pace_us() -> u32 {
    // SAFETY: a word of live data.
    unsafe { (&raw const (*NW_CHOICE.0.get()).pace_us).read_volatile() }
}

/// Whether any cgroup is under a close-up.
#[inline(always)]
pub(super) fn has_close_ups() -> bool {
    // SAFETY: a word of live data.
    unsafe { (&raw const (*NW_CHOICE.0.get()).close_ups).read_volatile() != 0 }
}

/// Share of exchanges that are sampled for HTTP.
#[inline(always)]
pub(super) fn http_share() -> u32 {
    // SAFETY: a word of live data.
    unsafe { (&raw const (*NW_SHARES.0.get()).http).read_volatile() }
}

/// Share of connections that are followed for HTTP/2.
#[inline(always)]
pub(super) fn grpc_share() -> u32 {
    // SAFETY: a word of live data.
    unsafe { (&raw const (*NW_SHARES.0.get()).grpc).read_volatile() }
}

/// Address of the socket storage map, for the helper.
#[inline(always)]
pub(super) fn turns() -> *mut core::ffi::c_void {
    (&raw const TURNS).cast_mut().cast()
}

/// Turns of the socket at an address.
#[inline(always)]
pub(super) fn turn_at(address: u64) -> Option<NonNull<Turn>> {
    NonNull::new(TURNS_BY_ADDR.get_ptr_mut(address).unwrap_or_default())
}

/// Turns of the socket at an address, made when missing. `None`: no room.
#[inline(always)]
pub(super) fn add_turn(address: u64, first: &Turn) -> Option<NonNull<Turn>> {
    // Fails when there is no room, or another CPU was faster.
    let _ = TURNS_BY_ADDR.insert(address, first, u64::from(BPF_NOEXIST));
    turn_at(address)
}

/// Takes out the turns of a socket that ends.
#[inline(always)]
pub(super) fn remove_turn(address: u64) {
    // Fails when they are not there.
    let _ = TURNS_BY_ADDR.remove(address);
}

/// Address of the buffers for first bytes, for the helper.
#[inline(always)]
pub(super) fn heads() -> *mut core::ffi::c_void {
    (&raw const HEADS).cast_mut().cast()
}

/// Whether answers of the edge's port were of this version of HTTP.
#[inline(always)]
pub(super) fn speaks(key: &EdgeKey, version: u64) -> bool {
    // SAFETY: a live map value.
    SPEAKERS.get_ptr(key).is_some_and(|known| unsafe { known.read_volatile() } == version)
}

/// Notes that they were. A port that speaks both keeps the first.
#[inline(always)]
pub(super) fn note_speaker(key: &EdgeKey, version: u64) {
    if SPEAKERS.get_ptr(key).is_none() {
        let _ = SPEAKERS.insert(key, version, u64::from(BPF_NOEXIST));
    }
}

/// Takes room for one sampled exchange of a cgroup. False: there is none in this period.
#[inline(always)]
pub(super) fn take_head_room(cgroup: u64, now_ns: u64) -> bool {
    take_room(cgroup, 1, EXCHANGES_PER_PERIOD, now_ns)
}

/// Takes room for bytes of a cgroup's followed connections. False: there is none in this period.
#[inline(always)]
pub(super) fn take_segment_room(cgroup: u64, bytes: u32, now_ns: u64) -> bool {
    take_room(cgroup | FOLLOWED_ROOM, bytes, FOLLOWED_BYTES_PER_PERIOD, now_ns)
}

/// Takes a part of what one key may have in a period.
#[inline(always)]
fn take_room(key: u64, part: u32, most: u32, now_ns: u64) -> bool {
    let part = u64::from(part);
    let Some(room) = HEAD_ROOMS.get_ptr_mut(key) else {
        let _ = HEAD_ROOMS.insert(key, (now_ns >> PERIOD_SHIFT) << 32 | part, u64::from(BPF_NOEXIST));
        return true;
    };
    // SAFETY: a live map value. Two CPUs at once may take one place too many.
    unsafe {
        let (period, taken) = (now_ns >> PERIOD_SHIFT & 0xffff_ffff, room.read_volatile());
        if taken >> 32 != period {
            room.write_volatile(period << 32 | part);
            return true;
        }
        if taken as u32 >= most {
            return false;
        }
        room.write_volatile(taken + part);
        true
    }
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
    cold_path();
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
    // SAFETY: as the caller says; the index is below FINE_BUCKETS.
    unsafe { add_to(row, fine_bucket_index(us), u64::from(us), times) }
}

/// Adds requests that were never answered: to the last bucket, with their age.
///
/// # Safety
/// A live map value.
#[inline(always)]
pub(super) unsafe fn add_unanswered(row: *mut ResponseStats, age_us: u64, times: u64) {
    // SAFETY: as the caller says.
    unsafe {
        add_to(row, FINE_BUCKETS - 1, age_us, times);
        atomic::add(&raw mut (*row).unanswered, times);
    }
}

#[inline(always)]
unsafe fn add_to(row: *mut ResponseStats, bucket: usize, us: u64, times: u64) {
    // SAFETY: a live map value; the index is below FINE_BUCKETS.
    unsafe {
        atomic::add32((&raw mut (*row).durations.buckets).cast::<u32>().add(bucket), times);
        atomic::add(&raw mut (*row).durations.sum, us * times);
        atomic::add(&raw mut (*row).squares, times * times);
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

/// Divides a server's response time for this many exchanges at the first read.
///
/// # Safety
/// A live map value.
#[inline(always)]
pub(super) unsafe fn add_division(row: *mut ResponseStats, us: u64, unread_us: u64, times: u64) {
    let unread_us = if unread_us < us { unread_us } else { us };
    // SAFETY: as the caller says.
    unsafe {
        add(&raw mut (*row).unread_us, unread_us, times);
        add(&raw mut (*row).application_us, us - unread_us, times);
    }
}

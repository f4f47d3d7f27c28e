//! Where counts are kept. Sizes are defaults that the configuration overrides at load time.
//!
//! All hash maps are shared between CPUs (rows are added to atomically), so memory does not grow with the CPU count,
//! and allocate rows as they appear. None evicts: a row that does not fit is counted and goes elsewhere, because an
//! evicted row would make counters fall.

use aya_ebpf::{
    EbpfContext,
    bindings::{BPF_F_NO_PREALLOC, BPF_NOEXIST},
    btf_maps::{Array, HashMap, LpmTrie, LruHashMap, PerCpuArray, SkStorage, lpm_trie::Key},
    macros::btf_map,
    programs::BtfTracePointContext,
};
use aya_log_ebpf::warn;
use core::ptr::NonNull;
use netwhy_abi::{
    CgroupStats, Cgroups, Control, Counter, Dns, DnsStats, DropKey, Drops, Durations, Duty, EdgeKey, EdgeStats, Edges,
    Exchange, Family, MAX_PORTS, Outcome, Overflow, OverflowKey, PeerClass, bucket_index, min_slot_epoch,
    min_slot_pack, min_slot_unpack,
};

use crate::{atomic, storage::SocketState};

const ON_DEMAND: usize = BPF_F_NO_PREALLOC as usize;

/// The hash map of a family. The agent sets the number of rows when it loads the object.
type Table<F, const ROWS: usize> = HashMap<<F as Family>::Key, <F as Family>::Row, ROWS, ON_DEMAND>;

#[btf_map]
static EDGES: Table<Edges, 16384> = HashMap::new();
/// By address ([`EdgeKey::of_ports`]) the number of ports that have edges of their own. The agent takes back those
/// whose edges it takes out.
#[btf_map]
static PORTS: HashMap<EdgeKey, u64, 16384, ON_DEMAND> = HashMap::new();
/// Events of ports that have no edges of their own, by the edge that they would have. Evicts the port that was silent
/// for longest: the agent looks for the busiest, and a scanner's thousands must not crowd them out.
#[btf_map]
static FOLDED: LruHashMap<EdgeKey, u64, { netwhy_abi::memory::FOLDED_PORTS }> = LruHashMap::new();
#[btf_map]
static OVERFLOW: Table<Overflow, 4096> = HashMap::new();
#[btf_map]
static CGROUPS: Table<Cgroups, 4096> = HashMap::new();
#[btf_map]
static DROPS: Table<Drops, 4096> = HashMap::new();
/// One row where lookups are not observed.
#[btf_map]
static DNS: Table<Dns, 1> = HashMap::new();
/// Address prefix → peer class; several per Node of a large cluster.
#[btf_map]
static PEERS: LpmTrie<[u8; 16], u32, 16384> = LpmTrie::new();
/// The state of each socket; lives and dies with the socket.
#[btf_map]
static SOCKETS: SkStorage<SocketState> = SkStorage::new();
/// The state of listeners that are subflows of MPTCP sockets, by the subflow's address: a walk can't reach their
/// storage. Taken out when they end. One that does not fit counts when it closes.
#[btf_map]
static SUBFLOWS: HashMap<u64, SocketState, { netwhy_abi::memory::SUBFLOWS }, ON_DEMAND> = HashMap::new();
/// Subflows of MPTCP connections, for walks to come to them.
#[btf_map]
static SUBFLOW_MARKS: SkStorage<u64> = SkStorage::new();
/// Base of subflows that are older than the agent, by the subflow's address, until a program comes to them that can
/// store it with the socket. Those that do not fit count from then on.
#[btf_map]
static OLDER_SUBFLOWS: HashMap<u64, SocketState, { netwhy_abi::memory::OLDER_SUBFLOWS }, ON_DEMAND> = HashMap::new();
/// DNS lookups under way, by socket cookie; taken out when the socket ends. A hash that refuses, not one that evicts:
/// lookups that do not fit are counted.
#[btf_map]
static LOOKUPS: HashMap<u64, Lookup, 1, ON_DEMAND> = HashMap::new();
/// The programs' own counters.
#[btf_map]
static COUNTERS: PerCpuArray<u64, { Counter::COUNT as usize }> = PerCpuArray::new();
/// User space's hand on the running programs.
#[btf_map]
static CONTROL: Array<Control, 1> = Array::new();
/// Sockets and listeners seen by the walk in progress.
#[btf_map]
static WALK: Array<[u64; 2], 1> = Array::new();
/// `jiffies` at the end of the first walk.
#[btf_map]
static STARTED: Array<u64, 1> = Array::new();
/// When the first SYN-ACK was sent, ns, of handshakes that took more than one. Evicts the oldest: most handshakes of a
/// flood never end, and one whose row is gone counts as untimed.
#[btf_map]
static HANDSHAKES: LruHashMap<Handshake, u64, { netwhy_abi::memory::HANDSHAKES }> = LruHashMap::new();
/// Sockets that may still get storage, by [`Need`], and whether storage was ever refused. The agent sets it once a
/// tick, so that storage stays within its memory limit also when a tick is late.
#[btf_map]
static STORAGE_ROOM: Array<[u64; 3], 1> = Array::new();
/// Sockets that the walk in progress found without storage, and the highest cookie of those that the first walk found.
#[btf_map]
static STORAGE_SHED: Array<[u64; 2], 1> = Array::new();
/// Listeners with TCP_DEFER_ACCEPT that a walk visited, by cgroup and port. One that does not fit counts the time to
/// think.
#[btf_map]
static DEFERRED: HashMap<[u64; 2], u64, 256, ON_DEMAND> = HashMap::new();
/// 1 when there ever was such a listener: spares the look-up on most machines.
#[btf_map]
static HAS_DEFERRED: Array<u64, 1> = Array::new();
/// Rows of zeros to insert from: too large for the stack.
#[btf_map]
static ZERO_EDGE: Array<EdgeStats, 1> = Array::new();
#[btf_map]
static ZERO_CGROUP: Array<CgroupStats, 1> = Array::new();
#[btf_map]
static ZERO_DNS: Array<DnsStats, 1> = Array::new();

/// The context of a program that counts for edges.
pub(crate) trait Caller: EbpfContext {
    /// Whether it visits sockets whether or not anything happens there.
    const IS_WALK: bool;
}

impl Caller for BtfTracePointContext {
    const IS_WALK: bool = false;
}

/// One handshake at a server.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Handshake {
    pub(crate) edge: EdgeKey,
    /// Local and remote port, as the socket holds them.
    pub(crate) ports: [u16; 2],
    /// Zero.
    pub(crate) pad: u32,
}

/// One socket's DNS lookup.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Lookup {
    /// Whose it is, and which server was asked.
    pub(crate) key: EdgeKey,
    pub(crate) exchange: Exchange,
}

/// Bumps one of the programs' own counters; true when this was its first time on this CPU, so that the caller can
/// log it without flooding.
#[inline(always)]
pub(crate) fn count(counter: Counter) -> bool {
    count_slot(counter as u32, 1)
}

/// Counts a sampled segment.
#[inline(always)]
pub(crate) fn count_won() {
    count_slot(Counter::WON_SLOT, 1);
}

/// Counts TCP sockets that ended.
#[inline(always)]
pub(crate) fn count_ended(sockets: u64) {
    count_slot(Counter::ENDED_SLOT, sockets);
}

#[inline(always)]
fn count_slot(slot: u32, n: u64) -> bool {
    match COUNTERS.get_ptr_mut(slot) {
        Some(slot) => {
            // SAFETY: a per-CPU slot; a lost race with an interrupting program costs one count of a diagnostic.
            unsafe {
                *slot += n;
                *slot == n
            }
        }
        None => false,
    }
}

/// User space's current settings.
#[inline(always)]
pub(crate) fn control() -> Control {
    match CONTROL.get(0) {
        Some(control) => *control,
        None => Control { baseline: 0, walk: 0, edges_full: 0, rtt_duty: 0, handshake_duty: 0, ports_folded: 0 },
    }
}

/// How much a socket needs storage. The discriminants are indices of `STORAGE_ROOM`.
#[derive(Clone, Copy)]
pub(crate) enum Need {
    /// Without it the socket's counts arrive when it closes.
    Timely = 0,
    /// Without it the socket's counts are wrong: it listens, failed, or sent something again.
    Exact = 1,
}

/// Takes room for one socket's storage. False: there is none.
#[inline(always)]
pub(crate) fn take_storage(need: Need) -> bool {
    let Some(room) = STORAGE_ROOM.get_ptr_mut(0) else { return true };
    let room = room.cast::<u64>();
    // SAFETY: the index is below the array's length. Two CPUs at once may take one place too many.
    unsafe {
        let left = core::ptr::read_volatile(room.add(need as usize)) as i64;
        if left == netwhy_abi::memory::UNBOUNDED as i64 {
            return true;
        }
        if left <= 0 {
            return false;
        }
        atomic::add(room, u64::MAX);
        atomic::add(room.add(1), u64::MAX);
    }
    true
}

/// Whether any socket was ever refused storage.
#[inline(always)]
pub(crate) fn has_shed_storage() -> bool {
    STORAGE_ROOM.get(0).is_some_and(|room| room[2] != 0)
}

/// Counts a socket that the walk found without storage. `cookie`: of one older than the agent, else 0.
#[inline(always)]
pub(crate) fn add_shed(cookie: u64) {
    if let Some(shed) = STORAGE_SHED.get_ptr_mut(0) {
        // SAFETY: a live map value that one walk alone writes.
        unsafe {
            (*shed)[0] += 1;
            if cookie > (*shed)[1] {
                (*shed)[1] = cookie;
            }
        }
    }
}

/// The highest cookie of the sockets that the first walk found without room for storage; 0: there was room.
#[inline(always)]
pub(crate) fn highest_without_base() -> u64 {
    STORAGE_SHED.get(0).map_or(0, |shed| shed[1])
}

/// Address of the socket storage map, for the helper.
#[inline(always)]
pub(crate) fn sockets() -> *mut core::ffi::c_void {
    (&raw const SOCKETS).cast_mut().cast()
}

/// Address of the map of subflows' marks, for the helper.
#[inline(always)]
pub(crate) fn subflow_marks() -> *mut core::ffi::c_void {
    (&raw const SUBFLOW_MARKS).cast_mut().cast()
}

/// Whether churn is high: handshakes are observed on a duty cycle and short sockets are sampled.
#[inline(always)]
pub(crate) fn is_churn_high() -> bool {
    control().handshake_duty == Duty::Reduced as u32
}

/// The walk's running totals.
#[inline(always)]
pub(crate) fn walk() -> Option<*mut [u64; 2]> {
    WALK.get_ptr_mut(0)
}

/// Remembers when the first SYN-ACK of a handshake was sent.
#[inline(always)]
pub(crate) fn set_handshake(handshake: &Handshake, ns: u64) {
    // Fails only when the kernel is out of memory: then the handshake is untimed.
    let _ = HANDSHAKES.insert(handshake, ns, 0);
}

/// When the first SYN-ACK of a handshake was sent, ns; 0: unknown. Forgets it.
#[inline(always)]
pub(crate) fn take_handshake(handshake: &Handshake) -> u64 {
    // SAFETY: a copy is made at once; an evicted row may be another's by then, and its time is as recent.
    let ns = unsafe { HANDSHAKES.get(handshake) }.copied().unwrap_or(0);
    if ns != 0 {
        // Fails when it was evicted meanwhile.
        let _ = HANDSHAKES.remove(handshake);
    }
    ns
}

/// State of a listening subflow.
#[inline(always)]
pub(crate) fn subflow(address: u64) -> Option<NonNull<SocketState>> {
    NonNull::new(SUBFLOWS.get_ptr_mut(address).unwrap_or_default())
}

/// Adds a listening subflow. Replaces one that ended unseen.
#[inline(always)]
pub(crate) fn add_subflow(address: u64, state: &SocketState) {
    // Fails when there is no room.
    let _ = SUBFLOWS.insert(address, state, 0);
}

/// Takes a listening subflow out.
#[inline(always)]
pub(crate) fn remove_subflow(address: u64) {
    // Fails when it is not there.
    let _ = SUBFLOWS.remove(address);
}

/// Keeps the base of a subflow that is older than the agent.
#[inline(always)]
pub(crate) fn add_older_subflow(address: u64, base: &SocketState) {
    // Fails when there is no room.
    let _ = OLDER_SUBFLOWS.insert(address, base, 0);
}

/// Takes the base of a subflow that is older than the agent; false: there is none.
#[inline(always)]
pub(crate) fn take_older_subflow(address: u64, base: &mut SocketState) -> bool {
    // SAFETY: a copy is made at once.
    let Some(kept) = (unsafe { OLDER_SUBFLOWS.get(address) }) else { return false };
    *base = *kept;
    // Fails when another CPU was faster.
    let _ = OLDER_SUBFLOWS.remove(address);
    true
}

/// Whether the base of a subflow is kept.
#[inline(always)]
pub(crate) fn is_older_subflow(address: u64) -> bool {
    OLDER_SUBFLOWS.get_ptr(address).is_some()
}

/// Forgets the base of a subflow.
#[inline(always)]
pub(crate) fn remove_older_subflow(address: u64) {
    // Fails when it is not there.
    let _ = OLDER_SUBFLOWS.remove(address);
}

/// Remembers whether the listener of a cgroup and port waits for data.
#[inline(always)]
pub(crate) fn set_deferred(cgroup: u64, port: u16, is_deferred: bool) {
    let key = [cgroup, port.into()];
    if is_deferred {
        // Fails when there is no room.
        let _ = DEFERRED.insert(key, 1, 0);
        if let Some(any) = HAS_DEFERRED.get_ptr_mut(0) {
            // SAFETY: a live map value that one walk alone writes.
            unsafe { *any = 1 };
        }
    } else if has_deferred() {
        // Fails when it is not there.
        let _ = DEFERRED.remove(key);
    }
}

/// Whether the listener of a cgroup and port waits for data.
#[inline(always)]
pub(crate) fn is_deferred(cgroup: u64, port: u16) -> bool {
    has_deferred() && DEFERRED.get_ptr([cgroup, port.into()]).is_some()
}

#[inline(always)]
fn has_deferred() -> bool {
    HAS_DEFERRED.get(0).is_some_and(|any| *any != 0)
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

/// The row of an edge, made when missing; the class's row when the edge map is full.
#[inline(always)]
pub(crate) fn edge<C: Caller>(ctx: &C, key: &EdgeKey) -> Option<*mut EdgeStats> {
    if let Some(row) = EDGES.get_ptr_mut(key) {
        return Some(row);
    }
    new_edge(ctx, key)
}

/// Whether an edge has a row.
#[inline(always)]
pub(crate) fn has_edge(key: &EdgeKey) -> bool {
    EDGES.get_ptr(key).is_some()
}

/// Takes one of the places that an address has for ports. False: there is none left.
#[inline(always)]
fn take_port(key: &EdgeKey) -> bool {
    let ports = key.of_ports();
    // Two CPUs at once may take one place too many, which the agent's next count sets right.
    if PORTS.get_ptr_mut(ports).is_none() {
        let _ = PORTS.insert(ports, 0, u64::from(BPF_NOEXIST));
    }
    match PORTS.get_ptr_mut(ports) {
        // SAFETY: a live map value.
        Some(taken) => unsafe {
            let is_free = core::ptr::read_volatile(taken) < MAX_PORTS;
            if is_free {
                atomic::add(taken, 1);
            }
            is_free
        },
        None => false,
    }
}

/// Gives a place back that no edge got.
#[inline(always)]
fn give_port(key: &EdgeKey) {
    if key.port != 0
        && let Some(taken) = PORTS.get_ptr_mut(key.of_ports())
    {
        // SAFETY: a live map value.
        unsafe { atomic::add(taken, u64::MAX) };
    }
}

/// Counts an event of a port that has no edge of its own.
#[inline(always)]
fn note_folded(key: &EdgeKey) {
    match FOLDED.get_ptr_mut(key) {
        // SAFETY: a live map value; an evicted row may be another's by then, and its count is of no figure.
        Some(events) => unsafe { atomic::add(events, 1) },
        // Fails when another CPU was faster.
        None => drop(FOLDED.insert(key, 1, u64::from(BPF_NOEXIST))),
    }
}

#[inline(never)]
fn new_edge<C: Caller>(ctx: &C, key: &EdgeKey) -> Option<*mut EdgeStats> {
    let zero = ZERO_EDGE.get(0)?;
    let control = control();
    let mut key = *key;
    if key.port != 0 && (control.ports_folded | control.edges_full != 0 || !take_port(&key)) {
        count(Counter::PortsFolded);
        if !C::IS_WALK {
            note_folded(&key);
        }
        key.port = 0;
        if let Some(row) = EDGES.get_ptr_mut(key) {
            return Some(row);
        }
    }
    let key = &key;
    if control.edges_full == 0 {
        // A failed insert may mean that another CPU was faster: then the look-up finds its row.
        let _ = EDGES.insert(key, zero, u64::from(BPF_NOEXIST));
        if let Some(row) = EDGES.get_ptr_mut(key) {
            return Some(row);
        }
        give_port(key);
    }
    if count(Counter::EdgesFull) {
        warn!(ctx, "edge map full: peers of cgroup {} are counted by class only", key.cgroup);
    }
    let class = match PEERS.get(&Key::new(128, key.addr)) {
        _ if key.redirected != 0 => PeerClass::SameNode as u32,
        Some(class) => *class,
        None => PeerClass::External as u32,
    };
    let key = OverflowKey { cgroup: key.cgroup, class, pad: 0 };
    if let Some(row) = OVERFLOW.get_ptr_mut(key) {
        return Some(row);
    }
    let _ = OVERFLOW.insert(key, zero, u64::from(BPF_NOEXIST));
    let row = OVERFLOW.get_ptr_mut(key);
    if row.is_none() && count(Counter::OverflowFull) {
        warn!(ctx, "overflow map full: samples of cgroup {} are lost", key.cgroup);
    }
    row
}

/// The key of the row that counts an edge: its own, or that of all further ports of its address.
#[inline(always)]
pub(crate) fn folded(key: &EdgeKey) -> EdgeKey {
    let rest = EdgeKey { port: 0, ..*key };
    let control = control();
    if has_edge(key) || (control.ports_folded | control.edges_full == 0 && !has_edge(&rest)) { *key } else { rest }
}

/// The row of a cgroup, made when missing.
#[inline(always)]
pub(crate) fn cgroup<C: EbpfContext>(ctx: &C, id: u64) -> Option<*mut CgroupStats> {
    if let Some(row) = CGROUPS.get_ptr_mut(id) {
        return Some(row);
    }
    let _ = CGROUPS.insert(id, ZERO_CGROUP.get(0)?, u64::from(BPF_NOEXIST));
    let row = CGROUPS.get_ptr_mut(id);
    if row.is_none() && count(Counter::CgroupsFull) {
        warn!(ctx, "cgroup map full: samples of cgroup {} are lost", id);
    }
    row
}

/// Counts one dropped packet.
#[inline(always)]
pub(crate) fn dropped<C: EbpfContext>(ctx: &C, key: &DropKey) {
    if let Some(row) = DROPS.get_ptr_mut(key) {
        // SAFETY: a live map value.
        unsafe { atomic::add(row, 1) };
        return;
    }
    let _ = DROPS.insert(key, 0, u64::from(BPF_NOEXIST));
    match DROPS.get_ptr_mut(key) {
        // SAFETY: a live map value.
        Some(row) => unsafe { atomic::add(row, 1) },
        None => {
            if count(Counter::DropsFull) {
                warn!(ctx, "drop map full: drops of cgroup {} are lost", key.cgroup);
            }
        }
    }
}

/// Adds one duration to a histogram.
///
/// # Safety
/// `durations` is a field of a live map value.
#[inline(always)]
pub(crate) unsafe fn add_duration(durations: *mut Durations, us: u32) {
    // SAFETY: as the caller says; the index is below BUCKETS.
    unsafe {
        atomic::add32((&raw mut (*durations).buckets).cast::<u32>().add(bucket_index(us)), 1);
        atomic::add(&raw mut (*durations).sum, u64::from(us));
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

/// The lookup under way on a socket.
#[inline(always)]
pub(crate) fn lookup(cookie: u64) -> Option<*mut Lookup> {
    LOOKUPS.get_ptr_mut(cookie)
}

/// Begins a lookup.
#[inline(always)]
pub(crate) fn set_lookup<C: EbpfContext>(ctx: &C, cookie: u64, lookup: &Lookup) {
    if LOOKUPS.insert(cookie, lookup, 0).is_err() && count(Counter::DnsFull) {
        warn!(ctx, "lookup map full: DNS lookups of cgroup {} are lost", lookup.key.cgroup);
    }
}

/// Ends a lookup.
#[inline(always)]
pub(crate) fn forget_lookup(cookie: u64) {
    // Fails when another CPU was faster.
    let _ = LOOKUPS.remove(cookie);
}

/// Counts a lookup that ended.
#[inline(always)]
pub(crate) fn looked_up<C: EbpfContext>(ctx: &C, key: &EdgeKey, outcome: Outcome) {
    if outcome == Outcome::Unknown {
        count(Counter::DnsShared);
        return;
    }
    let mut row = DNS.get_ptr_mut(key);
    if row.is_none() {
        let Some(zero) = ZERO_DNS.get(0) else { return };
        let _ = DNS.insert(key, zero, u64::from(BPF_NOEXIST));
        row = DNS.get_ptr_mut(key);
    }
    let Some(row) = row else {
        if count(Counter::DnsFull) {
            warn!(ctx, "DNS map full: lookups of cgroup {} are lost", key.cgroup);
        }
        return;
    };
    // SAFETY: a live map value; the index is below BUCKETS.
    unsafe {
        match outcome {
            Outcome::Answered(ns) => {
                let us = if ns / 1_000 > u64::from(u32::MAX) { u32::MAX } else { (ns / 1_000) as u32 };
                add_duration(&raw mut (*row).durations, us);
                atomic::add(&raw mut (*row).answered, 1);
            }
            Outcome::Unanswered | Outcome::Unknown => atomic::add(&raw mut (*row).unanswered, 1),
        }
    }
}

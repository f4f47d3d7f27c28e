//! One row per edge, and one per peer class for edges that have none of their own.

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    btf_maps::{Array, HashMap, LpmTrie, lpm_trie::Key},
    macros::btf_map,
};
use aya_log_ebpf::warn;
use netwhy_abi::{Counter, EdgeKey, EdgeStats, Edges, Overflow, OverflowKey, PeerClass};

use super::{
    Caller, Table, control, count,
    ports::{give_port, note_folded, take_port},
};

#[btf_map]
static EDGES: Table<Edges, 16384> = HashMap::new();
#[btf_map]
static OVERFLOW: Table<Overflow, 4096> = HashMap::new();
/// Address prefix → peer class; several per Node of a large cluster.
#[btf_map]
static PEERS: LpmTrie<[u8; 16], u32, 16384> = LpmTrie::new();
/// Rows of zeros to insert from: too large for the stack.
#[btf_map]
static ZERO_EDGE: Array<EdgeStats, 1> = Array::new();

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

/// The key of the row that counts an edge: its own, or that of all further ports of its address.
#[inline(always)]
pub(crate) fn folded(key: &EdgeKey) -> EdgeKey {
    let rest = EdgeKey { port: 0, ..*key };
    let control = control();
    if has_edge(key) || (control.ports_folded | control.edges_full == 0 && !has_edge(&rest)) { *key } else { rest }
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

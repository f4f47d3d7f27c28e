//! DNS lookups: those under way by socket, those that ended by edge.

use aya_ebpf::{
    EbpfContext,
    bindings::BPF_NOEXIST,
    btf_maps::{Array, HashMap},
    macros::btf_map,
};
use aya_log_ebpf::warn;
use netwhy_abi::{Counter, Dns, DnsCode, DnsStats, EdgeKey, Exchange, Outcome, code_to_add, has_code};

use super::{ON_DEMAND, Table, add_durations, count_times};
use crate::atomic;

/// One row where lookups are not observed.
#[btf_map]
static DNS: Table<Dns, 1> = HashMap::new();
/// DNS lookups under way, by socket cookie; taken out when the socket ends. A hash that refuses, not one that evicts:
/// lookups that do not fit are counted.
#[btf_map]
static LOOKUPS: HashMap<u64, Lookup, 1, ON_DEMAND> = HashMap::new();
#[btf_map]
static ZERO_DNS: Array<DnsStats, 1> = Array::new();

/// One socket's DNS lookup.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Lookup {
    /// Whose it is, and which server was asked.
    pub(crate) key: EdgeKey,
    pub(crate) exchange: Exchange,
    /// Lookups that one of this socket stands for.
    pub(crate) weight: u32,
    /// [`DnsCode`]s of its answers, as [`code_to_add`] notes them. 0: none was seen.
    pub(crate) codes: u32,
}

/// Notes the code of an answer.
#[inline(always)]
pub(crate) unsafe fn answered_with(lookup: *mut Lookup, code: DnsCode) {
    // SAFETY: a live map value.
    unsafe {
        let more = code_to_add((*lookup).codes, code);
        if more != 0 {
            atomic::add32(&raw mut (*lookup).codes, u64::from(more));
        }
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
    if LOOKUPS.insert(cookie, lookup, 0).is_err() && count_times(Counter::DnsFull, lookup.weight.into()) {
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
pub(crate) unsafe fn looked_up<C: EbpfContext>(ctx: &C, lookup: *const Lookup, outcome: Outcome) {
    // SAFETY: a live map value.
    let (key, times, codes) = unsafe { (&(*lookup).key, u64::from((*lookup).weight), (*lookup).codes) };
    if outcome == Outcome::Unknown {
        count_times(Counter::DnsShared, times);
        return;
    }
    let mut row = DNS.get_ptr_mut(key);
    if row.is_none() {
        let Some(zero) = ZERO_DNS.get(0) else { return };
        let _ = DNS.insert(key, zero, u64::from(BPF_NOEXIST));
        row = DNS.get_ptr_mut(key);
    }
    let Some(row) = row else {
        if count_times(Counter::DnsFull, times) {
            warn!(ctx, "DNS map full: lookups of cgroup {} are lost", key.cgroup);
        }
        return;
    };
    // SAFETY: a live map value; the index is below BUCKETS.
    unsafe {
        atomic::add(&raw mut (*row).squares, times * times);
        if let Outcome::SecondLate(_) | Outcome::SecondMissing = outcome {
            atomic::add(&raw mut (*row).second_missing, times);
        }
        match outcome {
            Outcome::Answered(ns) | Outcome::SecondLate(ns) => {
                let us = if ns / 1_000 > u64::from(u32::MAX) { u32::MAX } else { (ns / 1_000) as u32 };
                add_durations(&raw mut (*row).durations, us, times);
                atomic::add(&raw mut (*row).answered, times);
                // The worst counts.
                let mut code = DnsCode::ALL.len();
                while code > 0 {
                    code -= 1;
                    if has_code(codes, code) {
                        atomic::add((&raw mut (*row).codes).cast::<u64>().add(code), times);
                        break;
                    }
                }
            }
            Outcome::Unanswered | Outcome::SecondMissing | Outcome::Unknown => {
                atomic::add(&raw mut (*row).unanswered, times);
            }
        }
    }
}

//! DNS answers with addresses, for user space: it reads the names that were asked for. A program of its own, loaded where
//! `signals.dns_names` is on only.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use netwhy_abi::{ANSWER_BYTES, DNS_PORT, has_records};

use super::{DNS_HEADER, IPPROTO_UDP, MAX_WAITING, PREVIOUS, UDP_HEADER, under_way};
use crate::{
    kernel::{Ptr, load, probe},
    maps,
    offsets::*,
};

/// `sk_data_ready(const struct sock *sk)`; 6.3 and later. It sees what [`nw_dns_answer`](super::nw_dns_answer) sees, of
/// the same lookups. An answer that waits beside a newer one is copied twice, which does no harm.
///
/// User space does not load it where it lacks an offset.
#[btf_tracepoint(function = "sk_data_ready")]
pub(crate) fn nw_dns_name(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: argument 0 is a full socket. What waits in its queue is read by copying alone.
    unsafe {
        let sk: Ptr = ctx.arg(0);
        if u32::from(load::<u16>(sk, NW_SK_PROTOCOL.load())) != IPPROTO_UDP {
            return 0;
        }
        let port: u16 = load(sk, NW_SK_DPORT.load());
        if port != 0 && port != DNS_PORT.to_be() {
            return 0;
        }
        let cookie: u64 = load(sk, NW_SK_COOKIE.load());
        if cookie == 0 {
            return 0;
        }
        let Some(lookup) = under_way(cookie) else { return 0 };
        let cgroup = (*lookup).key.cgroup;
        let queue = sk.cast::<u8>().wrapping_add(NW_SK_QUEUE.load() as usize).cast();
        let mut packet = probe::<Ptr>(queue, PREVIOUS).unwrap_or(queue);
        for _ in 0..MAX_WAITING {
            if packet == queue || packet.is_null() {
                break;
            }
            copy(cgroup, packet);
            packet = probe::<Ptr>(packet, PREVIOUS).unwrap_or(queue);
        }
    }
    0
}

/// Copies a received packet, as far as it is beside its UDP header, if it is a DNS answer with records.
#[inline(always)]
unsafe fn copy(cgroup: u64, skb: Ptr) -> Option<()> {
    // SAFETY: probing reads.
    unsafe {
        let data = probe::<Ptr>(skb, NW_SKB_DATA.load())?;
        let header = data.cast::<u8>().wrapping_sub(UDP_HEADER).cast();
        let (all, apart) = (probe::<u32>(skb, NW_SKB_LEN.load())?, probe::<u32>(skb, NW_SKB_DATA_LEN.load())?);
        let here = all.checked_sub(apart)?;
        let is_answer = here >= DNS_HEADER && probe::<u16>(header, 0)? == DNS_PORT.to_be();
        if is_answer && has_records(probe::<[u8; 8]>(data, 0)?) {
            let length = if here > ANSWER_BYTES as u32 { ANSWER_BYTES as u32 } else { here };
            maps::add_answer(cgroup, data, length, all);
        }
        Some(())
    }
}

//! RTT samples of busy sockets.

use aya_ebpf::{helpers::generated::bpf_ktime_get_ns, macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::{
    kernel::{Ptr, load},
    maps,
    offsets::*,
    socket::{Figures, SocketState, edge_of, state, tcp},
};

/// `tcp_probe(struct sock *sk, struct sk_buff *skb)`, called by `tcp_rcv_established` for every segment that an
/// established socket receives, before it is processed; 4.16 and later. Without it: samples at handshake, close and
/// walks only.
#[btf_tracepoint(function = "tcp_probe")]
pub(crate) fn nw_rtt(ctx: BtfTracePointContext) -> i32 {
    let every = NW_RTT_EVERY.load();
    if every > 1 && !maps::sample(every) {
        return 0;
    }
    // SAFETY: argument 0 is the socket.
    unsafe {
        let sk: Ptr = ctx.arg(0);
        let tp = tcp(sk);
        if tp.is_null() {
            return 0;
        }
        let Some(row) = edge_of(&ctx, sk) else { return 0 };
        let storage = state(&ctx, sk, tp, 0);
        if let Some(us) = newest_rtt(tp, storage) {
            maps::add_rtt(row, us, bpf_ktime_get_ns());
        }
        if let Some(storage) = storage {
            Figures::read(tp, false).harvest(storage, row, false);
        }
    }
    0
}

/// The newest RTT sample of a socket, µs, if it was not taken before. `None` also before the first ACK of data.
/// Without storage there is no memory of what was taken: the sample counts again.
#[inline(always)]
pub(crate) unsafe fn newest_rtt(tp: Ptr, storage: Option<*mut SocketState>) -> Option<u32> {
    // SAFETY: `tp` is a TCP socket; the storage is a live map value.
    unsafe {
        let us: u32 = load(tp, NW_TP_RACK_RTT.load());
        if us == 0 {
            return None;
        }
        if let Some(storage) = storage {
            let sent: u64 = load(tp, NW_TP_RACK_MSTAMP.load());
            if (*storage).rtt_mstamp == sent {
                return None;
            }
            (*storage).rtt_mstamp = sent;
        }
        Some(us)
    }
}

//! Load-time constants. User space resolves them from the running kernel's BTF before loading. The verifier knows the
//! values, removes code for members that a kernel lacks, and type-checks every access: it refuses a wrong offset.

use aya_ebpf::Global;

/// An offset that this kernel does not have.
pub(crate) const NONE: u32 = u32::MAX;

macro_rules! globals {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $value:expr;)*) => {
        $( $(#[$doc])* #[unsafe(no_mangle)] pub(crate) static $name: Global<$type> = Global::new($value); )*
    };
}

globals! {
    // sock
    /// `sock.sk_cgrp_data.cgroup` (or `.val` before 5.15).
    NW_SK_CGROUP: u32 = 0;
    /// 1 when `sk_cgrp_data.val` is a tagged integer: bit 0 set means no cgroup, bits 0 and 1 are not address.
    NW_SK_CGROUP_TAGGED: u32 = 0;
    /// `sock.__sk_common.skc_family`.
    NW_SK_FAMILY: u32 = 0;
    /// `sock.__sk_common.skc_state`.
    NW_SK_STATE: u32 = 0;
    /// `sock.__sk_common.skc_daddr`.
    NW_SK_DADDR: u32 = 0;
    /// `sock.__sk_common.skc_v6_daddr`; `NONE` without IPv6.
    NW_SK_DADDR6: u32 = 0;
    /// `sock.sk_dst_cache`: the route; `NONE`: not told.
    NW_SK_DST: u32 = u32::MAX;
    /// `inet_sock.cork.fl.u.ip4.daddr`: the IPv4 destination that was last looked up; `NONE`: not told.
    NW_TP_FLOW_DADDR: u32 = u32::MAX;
    /// `sock.sk_err`.
    NW_SK_ERR: u32 = 0;
    /// `sock.sk_err_soft`: an error that ended nothing.
    NW_SK_ERR_SOFT: u32 = 0;
    /// `sock.sk_error_queue`; `NONE`: not told.
    NW_SK_ERROR_QUEUE: u32 = u32::MAX;
    /// `sock.sk_drops`.
    NW_SK_DROPS: u32 = 0;
    /// `sock.sk_ack_backlog`.
    NW_SK_BACKLOG: u32 = 0;
    /// `sock.__sk_common.skc_net.net`; `NONE`: not told.
    NW_SK_NET: u32 = u32::MAX;
    /// `net.ipv4.sysctl_max_syn_backlog`; `NONE`: not told.
    NW_NET_SYN_BACKLOG: u32 = u32::MAX;
    /// `request_sock_queue.qlen` of a listener: handshakes under way; `NONE`: not told.
    NW_TP_SYN_QUEUE: u32 = u32::MAX;
    /// `SKB_DROP_REASON_TCP_LISTEN_OVERFLOW`; `NONE` where there is no such reason.
    NW_REASON_LISTEN_OVERFLOW: u32 = u32::MAX;
    /// `SKB_DROP_REASON_NOT_SPECIFIED`; `NONE` where there are no reasons.
    NW_REASON_NOT_SPECIFIED: u32 = u32::MAX;
    /// `sock.sk_max_ack_backlog`.
    NW_SK_MAX_BACKLOG: u32 = 0;
    /// `sock.sk_protocol`, u16.
    NW_SK_PROTOCOL: u32 = 0;
    /// `sock.__sk_common.skc_flags`.
    NW_SK_FLAGS: u32 = 0;
    /// `mptcp_sock.first`: the subflow that listens; `NONE` without MPTCP.
    NW_MSK_FIRST: u32 = u32::MAX;
    /// `mptcp_sock.conn_list`: all subflows.
    NW_MSK_CONN_LIST: u32 = 0;
    /// `mptcp_subflow_context.node`: a member of that list.
    NW_SUBFLOW_NODE: u32 = 0;
    /// `mptcp_subflow_context.tcp_sock`.
    NW_SUBFLOW_SOCK: u32 = 0;
    /// Word of `mptcp_subflow_context` that holds the bits below.
    NW_SUBFLOW_BITS: u32 = 0;
    /// Bits `request_join` and `mp_join` in that word: the subflow joined a connection; 0: not told.
    NW_SUBFLOW_JOINED: u32 = 0;
    /// `inet_connection_sock.icsk_ulp_data`: of a subflow its `mptcp_subflow_context`.
    NW_TP_ULP_DATA: u32 = 0;
    /// Byte that holds `sock.sk_kern_sock`; `NONE`: unknown.
    NW_SK_KERN: u32 = u32::MAX;
    /// Bit within that byte.
    NW_SK_KERN_SHIFT: u32 = 0;
    /// `sock.sk_stamp`: arrival time of the last packet read, if the socket records it; `NONE`: unknown.
    NW_SK_STAMP: u32 = u32::MAX;
    /// `sock.sk_receive_queue`; `NONE`: DNS answers have no codes.
    NW_SK_QUEUE: u32 = u32::MAX;
    /// `sock.__sk_common.skc_hash`: the kernel's hash of addresses and ports.
    NW_SK_HASH: u32 = 0;
    /// `sock.__sk_common.skc_cookie`: 0 until something asks for it; `NONE`: unknown.
    NW_SK_COOKIE: u32 = u32::MAX;
    /// `sock.sk_bpf_storage`: null when no program stores data for the socket; `NONE`: unknown.
    NW_SK_STORAGE: u32 = u32::MAX;
    /// `net.ns.inum`; `NONE`: unknown.
    NW_NET_INUM: u32 = u32::MAX;
    /// `net.ipv4.ip_local_ports.range`; `NONE`: unknown.
    NW_NET_PORT_RANGE: u32 = u32::MAX;
    /// 1 when that range is one word, its upper end in the upper half (6.8 and later), else two.
    NW_NET_PORT_RANGE_PACKED: u32 = 0;
    /// `sock.sk_rx_dst_ifindex`: the device that the socket's packets arrive on; `NONE`: unknown.
    NW_SK_RX_IFINDEX: u32 = u32::MAX;
    /// 1 when that is a member of `inet_sock`, behind `sock` (before 5.16).
    NW_RX_IFINDEX_BEHIND_SK: u32 = 0;
    /// `dst_entry.dev`; `NONE`: unknown.
    NW_DST_DEV: u32 = u32::MAX;
    /// `net_device.ifindex`; `NONE`: unknown.
    NW_DEV_IFINDEX: u32 = u32::MAX;
    /// `socket.sk`.
    NW_SOCKET_SK: u32 = 0;
    // cgroup
    /// `cgroup.kn`.
    NW_CGROUP_KN: u32 = 0;
    /// `kernfs_node.id`.
    NW_KERNFS_ID: u32 = 0;
    /// `cgroup.level`.
    NW_CGROUP_LEVEL: u32 = 0;
    /// `cgroup.ancestors` (pointers) or, before 6.1, `cgroup.ancestor_ids` (ids).
    NW_CGROUP_ANCESTORS: u32 = 0;
    /// 1 when the ancestors are ids.
    NW_CGROUP_ANCESTOR_IDS: u32 = 0;
    // tcp_sock
    /// `tcp_sock.srtt_us`, stored × 8.
    NW_TP_SRTT: u32 = 0;
    /// `tcp_sock.rack.rtt_us`: the newest sample, µs.
    NW_TP_RACK_RTT: u32 = 0;
    /// `tcp_sock.rack.mstamp`: when the segment of that sample was sent.
    NW_TP_RACK_MSTAMP: u32 = 0;
    /// Byte that holds `tcp_sock.rx_opt.sack_ok`; `NONE`: all peers are thought to acknowledge selectively.
    NW_TP_SACK: u32 = u32::MAX;
    /// Its lowest bit there.
    NW_TP_SACK_SHIFT: u32 = 0;
    /// `tcp_sock.data_segs_out`.
    NW_TP_DATA_SEGS_OUT: u32 = 0;
    /// `tcp_sock.segs_out`.
    NW_TP_SEGS_OUT: u32 = 0;
    /// `tcp_sock.segs_in`.
    NW_TP_SEGS_IN: u32 = 0;
    /// `tcp_sock.bytes_acked`.
    NW_TP_BYTES_ACKED: u32 = 0;
    /// `tcp_sock.bytes_received`.
    NW_TP_BYTES_RECEIVED: u32 = 0;
    /// `tcp_sock.total_retrans`.
    NW_TP_TOTAL_RETRANS: u32 = 0;
    /// `tcp_sock.dsack_dups`; `NONE` before 4.18.
    NW_TP_DSACK_DUPS: u32 = 0;
    /// `tcp_sock.reord_seen`; `NONE` before 4.19.
    NW_TP_REORD_SEEN: u32 = u32::MAX;
    /// `tcp_sock.chrono_stat`: jiffies busy, receiver-limited, send-buffer-limited.
    NW_TP_CHRONO_STAT: u32 = 0;
    /// `tcp_sock.chrono_start`, jiffies.
    NW_TP_CHRONO_START: u32 = 0;
    /// Byte that holds `tcp_sock.chrono_type`.
    NW_TP_CHRONO_TYPE: u32 = 0;
    /// Lowest bit within that byte.
    NW_TP_CHRONO_SHIFT: u32 = 0;
    /// `tcp_sock.retrans_stamp`: while it connects, when the first SYN was sent, ms; `NONE`: not told.
    NW_TP_RETRANS_STAMP: u32 = u32::MAX;
    /// `request_sock_queue.rskq_defer_accept` of a listener; `NONE`: not told.
    NW_TP_DEFER_ACCEPT: u32 = u32::MAX;
    /// `tcp_request_sock.snt_synack`: when the first SYN-ACK was sent, µs; `NONE`: not told.
    NW_REQUEST_SYNACK: u32 = u32::MAX;
    /// `tcp_sock.snd_wnd`.
    NW_TP_SND_WND: u32 = 0;
    /// `tcp_sock.write_seq`.
    NW_TP_WRITE_SEQ: u32 = 0;
    /// `tcp_sock.snd_una`.
    NW_TP_SND_UNA: u32 = 0;
    /// `tcp_sock.snd_nxt`: what was sent.
    NW_TP_SND_NXT: u32 = 0;
    /// `tcp_sock.first_tx_mstamp`: when what is on its way began to be sent, µs; `NONE`: no response times.
    NW_TP_FIRST_TX: u32 = u32::MAX;
    /// `tcp_sock.highest_sack`: the oldest packet without acknowledgement, while none is acknowledged selectively;
    /// `NONE`: no HTTP.
    NW_TP_HIGHEST_SACK: u32 = u32::MAX;
    /// `tcp_sock.rtt_min`: the lowest RTT of the last minutes, µs; `u32::MAX` before the first.
    NW_TP_MIN_RTT: u32 = 0;
    /// `tcp_sock.is_mptcp`: the socket is a subflow; `NONE` without MPTCP.
    NW_TP_MPTCP: u32 = u32::MAX;
    /// `tcp_sock.mss_cache`: payload of a full-size segment, bytes.
    NW_TP_MSS: u32 = 0;
    /// `inet_connection_sock.icsk_retransmits`: timeouts in a row without progress.
    NW_TP_TIMEOUTS: u32 = 0;
    /// `tcp_sock.rcv_nxt`.
    NW_TP_RCV_NXT: u32 = 0;
    /// `tcp_sock.copied_seq`: the application has read up to here.
    NW_TP_COPIED_SEQ: u32 = 0;
    /// `tcp_sock.rcv_wup`: start of the receive window last advertised.
    NW_TP_RCV_WUP: u32 = 0;
    /// `tcp_sock.rcv_wnd`: length of that receive window, bytes.
    NW_TP_RCV_WND: u32 = 0;
    /// Byte that holds `inet_connection_sock.icsk_ca_state` in its low five bits.
    NW_TP_CA_STATE: u32 = 0;
    /// `tcp_sock.lsndtime`: when the socket last sent data, jiffies; `NONE`: no reply times.
    NW_TP_LSNDTIME: u32 = 0;
    /// `inet_connection_sock.icsk_ack.lrcvtime`: when the socket last received data, jiffies.
    NW_TP_LRCVTIME: u32 = 0;
    /// `tcp_sock.rcv_tstamp`: when the socket last received an ACK, jiffies; `NONE`: samples of busy sockets are not
    /// thinned out.
    NW_TP_RCV_TSTAMP: u32 = 0;
    /// `sock.__sk_common.skc_num`: local port, host order.
    NW_SK_NUM: u32 = 0;
    /// `inet_sock.inet_sport`: local port, kept after the port is released; `NONE`: unknown.
    NW_TP_SPORT: u32 = 0;
    /// `sock.__sk_common.skc_dport`: remote port, network order.
    NW_SK_DPORT: u32 = 0;
    // skb
    /// `sk_buff.cb` + `tcp_skb_cb.seq`.
    NW_SKB_SEQ: u32 = 0;
    /// `sk_buff.cb` + `tcp_skb_cb.end_seq`.
    NW_SKB_END_SEQ: u32 = 0;
    /// `sk_buff.cb` + `tcp_skb_cb.tcp_gso_segs`.
    NW_SKB_GSO_SEGS: u32 = 0;
    /// `sk_buff.cb` + `tcp_skb_cb.tcp_flags`; the low byte has the flags that matter.
    NW_SKB_FLAGS: u32 = 0;
    /// `sk_buff.cb` + `tcp_skb_cb.ack_seq`.
    NW_SKB_ACK: u32 = 0;
    /// `sk_buff.skb_mstamp_ns`: when a packet was sent, ktime ns; `NONE`: HTTP/2 is not followed.
    NW_SKB_SENT: u32 = u32::MAX;
    /// `sk_buff.len`.
    NW_SKB_LEN: u32 = 0;
    /// `sk_buff.data_len`: bytes that are not beside the header.
    NW_SKB_DATA_LEN: u32 = 0;
    /// `sk_buff.data`.
    NW_SKB_DATA: u32 = 0;
    /// `sk_buff.head`; `NONE`: resets of listeners have no peer.
    NW_SKB_HEAD: u32 = u32::MAX;
    /// `sk_buff.network_header`: where the IP header begins after it.
    NW_SKB_NETWORK: u32 = u32::MAX;
    /// `sk_buff.cb` + `sock_exterr_skb.ee`: the error that a packet in the queue of errors brought; `NONE`: not told.
    NW_SKB_ERRNO: u32 = u32::MAX;
    /// `sk_buff.sk`.
    NW_SKB_SK: u32 = 0;
    // kernel features
    /// 1 when tracing programs may use socket storage and atomic exchange (5.12 and later).
    NW_HAS_STORAGE: u32 = 0;
    /// 1 when the states of sockets are kept by address, because a walk's sockets are no arguments of helpers.
    NW_BY_ADDRESS: u32 = 0;
    /// Type id of `struct tcp_sock`, where states are kept by address.
    NW_TCP_SOCK_TYPE: u32 = 0;
    /// `sock.sk_type`, where states are kept by address.
    NW_SK_TYPE: u32 = 0;
    /// 1 when tracing programs may read packets in whatever parts they are (6.12 and later).
    NW_HAS_DYNPTR: u32 = 0;
    /// 1 when `tcp_retransmit_skb` carries an error (6.18 and later).
    NW_RETRANSMIT_HAS_ERR: u32 = 0;
    /// 1 when `kfree_skb` carries the receiving socket (6.11 and later).
    NW_KFREE_HAS_SK: u32 = 0;
    /// `SKB_DROP_REASON_QUEUE_PURGE`: packets that a closing socket still held; not a loss. `NONE`: no such reason.
    NW_REASON_QUEUE_PURGE: u32 = u32::MAX;
    // settings
    /// Whether exchanges and connections may be sampled for HTTP.
    NW_HTTP: u32 = 0;
    /// Whether response times are wanted.
    NW_RESPONSES: u32 = 0;
    /// Whether listeners' accept queues are counted.
    NW_ACCEPT_QUEUES: u32 = 1;
    /// Level of the subtree's root below the mount; 0: all cgroups.
    NW_ROOT_LEVEL: u32 = 0;
    /// cgroup id of the subtree's root.
    NW_ROOT_ID: u64 = 0;
}

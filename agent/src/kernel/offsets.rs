//! Load-time constants of the kernel programs, from the running kernel's BTF.

use super::by_address::ByAddress;
use crate::btf::{KernelTypes, Member};

/// Constant for a member that this kernel lacks; the programs skip the signal.
const NONE: u32 = u32::MAX;

/// One constant: the programs' symbol, and the members that give its value.
struct Constant {
    symbol: &'static str,
    /// Lists of members. The value is the sum of the byte offsets of the first list whose members all exist.
    paths: &'static [&'static [&'static str]],
    /// Data that is missing without it. `None`: the agent can't work.
    degrades: Option<&'static str>,
}

const fn needed(symbol: &'static str, paths: &'static [&'static [&'static str]]) -> Constant {
    Constant { symbol, paths, degrades: None }
}

const fn optional(symbol: &'static str, paths: &'static [&'static [&'static str]], degrades: &'static str) -> Constant {
    Constant { symbol, paths, degrades: Some(degrades) }
}

/// Sampling needs to know which sockets are short, and which attempts fail.
const CHURN: &str = "sampling of short sockets under high churn";

/// The packet that a listener answers names the peer.
const LISTENER_RESETS: &str = "peers of the resets that listeners send";

/// An attempt without a route leaves its destination, and no route.
const UNROUTED: &str = "attempts to connect that find no route";

/// An owner that asks for the error of its attempt takes it from the socket, and leaves it in the queue.
const ICMP_ERRORS: &str = "reasons of attempts that an ICMP error ended at once (counted as other failures)";

/// When the first SYN or SYN-ACK was sent.
const RESENT: &str = "durations of handshakes that took a retransmission";

/// Handshakes under way, and how many there may be.
const SYN_QUEUE: &str = "telling full SYN queues from handshakes that clients reset";
/// Without the range of clients' ports a client is known by its handshake alone.
const ROLES: &str = "the role of sockets whose handshake was not seen";

/// The answers that wait for their reader.
const DNS_CODES: &str = "codes of DNS answers (6.3 and later)";
/// Whether a connection begins with a TLS handshake is read from its packets.
const HANDSHAKES: &str = "response times of a connection's first two exchanges, where packets can't be read";
/// First bytes of requests and answers.
const HTTP: &str = "methods, routes and statuses of HTTP";
/// Turns of a connection are read from these.
const RESPONSES: &str = "response times";

/// A redirected connection arrives over another device than its route leads to.
const REDIRECTS: &str = "redirected connections (sidecars; counted as if they left the Node)";

const CONSTANTS: &[Constant] = &[
    needed("NW_SK_CGROUP", &[&["sock.sk_cgrp_data.cgroup"], &["sock.sk_cgrp_data.val"]]),
    needed("NW_SK_FAMILY", &[&["sock.__sk_common.skc_family"]]),
    needed("NW_SK_STATE", &[&["sock.__sk_common.skc_state"]]),
    needed("NW_SK_DADDR", &[&["sock.__sk_common.skc_daddr"]]),
    optional("NW_SK_DADDR6", &[&["sock.__sk_common.skc_v6_daddr"]], "IPv6 peers (the kernel has no IPv6)"),
    optional("NW_SK_DST", &[&["sock.sk_dst_cache"]], UNROUTED),
    optional("NW_TP_FLOW_DADDR", &[&["tcp_sock.inet_conn.icsk_inet.cork.fl.u.ip4.daddr"]], UNROUTED),
    needed("NW_SK_ERR", &[&["sock.sk_err"]]),
    needed("NW_SK_ERR_SOFT", &[&["sock.sk_err_soft"]]),
    optional("NW_SK_ERROR_QUEUE", &[&["sock.sk_error_queue"]], ICMP_ERRORS),
    needed("NW_SK_DROPS", &[&["sock.sk_drops"]]),
    needed("NW_SK_BACKLOG", &[&["sock.sk_ack_backlog"]]),
    optional("NW_SK_NET", &[&["sock.__sk_common.skc_net.net"]], SYN_QUEUE),
    optional("NW_NET_SYN_BACKLOG", &[&["net.ipv4.sysctl_max_syn_backlog"]], SYN_QUEUE),
    optional("NW_TP_SYN_QUEUE", &[&["tcp_sock.inet_conn.icsk_accept_queue.qlen"]], SYN_QUEUE),
    needed("NW_SK_MAX_BACKLOG", &[&["sock.sk_max_ack_backlog"]]),
    optional(
        "NW_SK_KERN",
        &[&["sock.sk_kern_sock"]],
        "the distinction between old and new sockets of the kernel itself",
    ),
    optional("NW_SK_QUEUE", &[&["sock.sk_receive_queue"]], DNS_CODES),
    optional("NW_SK_STAMP", &[&["sock.sk_stamp"]], "DNS answers read without an address (counted as unanswered)"),
    needed("NW_SK_PROTOCOL", &[&["sock.sk_protocol"]]),
    needed("NW_SK_FLAGS", &[&["sock.__sk_common.skc_flags"]]),
    needed("NW_TP_ULP_DATA", &[&["tcp_sock.inet_conn.icsk_ulp_data"]]),
    needed("NW_SK_HASH", &[&["sock.__sk_common.skc_hash"]]),
    optional("NW_SK_STORAGE", &[&["sock.sk_bpf_storage"]], CHURN),
    optional("NW_SK_COOKIE", &[&["sock.__sk_common.skc_cookie"]], "telling older sockets when memory is short"),
    needed("NW_SOCKET_SK", &[&["socket.sk"]]),
    optional("NW_NET_PORT_RANGE", &[&["net.ipv4.ip_local_ports.range"]], ROLES),
    optional("NW_NET_INUM", &[&["net.ns.inum"]], "network namespaces of loopback addresses (one peer for all)"),
    optional(
        "NW_SK_RX_IFINDEX",
        &[&["sock.sk_rx_dst_ifindex"], &["tcp_sock.inet_conn.icsk_inet.rx_dst_ifindex"]],
        REDIRECTS,
    ),
    optional("NW_DST_DEV", &[&["dst_entry.dev"]], REDIRECTS),
    optional("NW_DEV_IFINDEX", &[&["net_device.ifindex"]], REDIRECTS),
    needed("NW_CGROUP_KN", &[&["cgroup.kn"]]),
    needed("NW_KERNFS_ID", &[&["kernfs_node.id"]]),
    needed("NW_CGROUP_LEVEL", &[&["cgroup.level"]]),
    needed("NW_CGROUP_ANCESTORS", &[&["cgroup.ancestors"], &["cgroup.ancestor_ids"]]),
    needed("NW_TP_SRTT", &[&["tcp_sock.srtt_us"]]),
    needed("NW_TP_RACK_RTT", &[&["tcp_sock.rack.rtt_us"]]),
    needed("NW_TP_RACK_MSTAMP", &[&["tcp_sock.rack.mstamp"]]),
    optional("NW_TP_SACK", &[&["tcp_sock.rx_opt.sack_ok"]], "RTT of peers that don't acknowledge selectively (SACK)"),
    needed("NW_TP_DATA_SEGS_OUT", &[&["tcp_sock.data_segs_out"]]),
    needed("NW_TP_SEGS_OUT", &[&["tcp_sock.segs_out"]]),
    needed("NW_TP_SEGS_IN", &[&["tcp_sock.segs_in"]]),
    needed("NW_TP_BYTES_ACKED", &[&["tcp_sock.bytes_acked"]]),
    needed("NW_TP_BYTES_RECEIVED", &[&["tcp_sock.bytes_received"]]),
    needed("NW_TP_TOTAL_RETRANS", &[&["tcp_sock.total_retrans"]]),
    optional("NW_TP_DSACK_DUPS", &[&["tcp_sock.dsack_dups"]], "spurious retransmissions"),
    optional("NW_TP_REORD_SEEN", &[&["tcp_sock.reord_seen"]], "reordered segments"),
    optional("NW_TP_CHRONO_STAT", &[&["tcp_sock.chrono_stat"]], "limited times"),
    optional("NW_TP_CHRONO_START", &[&["tcp_sock.chrono_start"]], "limited times"),
    optional("NW_TP_CHRONO_TYPE", &[&["tcp_sock.chrono_type"]], "limited times"),
    optional("NW_TP_RETRANS_STAMP", &[&["tcp_sock.retrans_stamp"]], RESENT),
    optional("NW_REQUEST_SYNACK", &[&["tcp_request_sock.snt_synack"]], RESENT),
    optional(
        "NW_TP_DEFER_ACCEPT",
        &[&["tcp_sock.inet_conn.icsk_accept_queue.rskq_defer_accept"]],
        "telling handshakes from think time at listeners that wait for data (TCP_DEFER_ACCEPT)",
    ),
    needed("NW_TP_SND_WND", &[&["tcp_sock.snd_wnd"]]),
    needed("NW_TP_WRITE_SEQ", &[&["tcp_sock.write_seq"]]),
    needed("NW_TP_SND_UNA", &[&["tcp_sock.snd_una"]]),
    optional("NW_TP_SND_NXT", &[&["tcp_sock.snd_nxt"]], RESPONSES),
    optional("NW_TP_FIRST_TX", &[&["tcp_sock.first_tx_mstamp"]], RESPONSES),
    optional("NW_TP_HIGHEST_SACK", &[&["tcp_sock.highest_sack"]], HTTP),
    optional("NW_TP_MIN_RTT", &[&["tcp_sock.rtt_min.s", "minmax_sample.v"]], RESPONSES),
    needed("NW_TP_MSS", &[&["tcp_sock.mss_cache"]]),
    needed("NW_TP_TIMEOUTS", &[&["tcp_sock.inet_conn.icsk_retransmits"]]),
    needed("NW_TP_RCV_NXT", &[&["tcp_sock.rcv_nxt"]]),
    needed("NW_TP_COPIED_SEQ", &[&["tcp_sock.copied_seq"]]),
    needed("NW_TP_RCV_WUP", &[&["tcp_sock.rcv_wup"]]),
    needed("NW_TP_RCV_WND", &[&["tcp_sock.rcv_wnd"]]),
    needed("NW_TP_CA_STATE", &[&["tcp_sock.inet_conn.icsk_ca_state"]]),
    optional("NW_TP_LSNDTIME", &[&["tcp_sock.lsndtime"]], "reply times"),
    optional("NW_TP_LRCVTIME", &[&["tcp_sock.inet_conn.icsk_ack.lrcvtime"]], "reply times"),
    optional("NW_TP_RCV_TSTAMP", &[&["tcp_sock.rcv_tstamp"]], "thinning out of samples of busy sockets"),
    optional(
        "NW_TP_SPORT",
        &[&["tcp_sock.inet_conn.icsk_inet.inet_sport"]],
        "attempts without a local port (counted as other failures)",
    ),
    needed("NW_SK_NUM", &[&["sock.__sk_common.skc_num"]]),
    needed("NW_SK_DPORT", &[&["sock.__sk_common.skc_dport"]]),
    needed("NW_SKB_SEQ", &[&["sk_buff.cb", "tcp_skb_cb.seq"]]),
    needed("NW_SKB_END_SEQ", &[&["sk_buff.cb", "tcp_skb_cb.end_seq"]]),
    needed("NW_SKB_GSO_SEGS", &[&["sk_buff.cb", "tcp_skb_cb.tcp_gso_segs"]]),
    optional("NW_SKB_FLAGS", &[&["sk_buff.cb", "tcp_skb_cb.tcp_flags"]], RESPONSES),
    optional("NW_SKB_ACK", &[&["sk_buff.cb", "tcp_skb_cb.ack_seq"]], RESPONSES),
    optional("NW_SKB_SENT", &[&["sk_buff.skb_mstamp_ns"]], HTTP),
    optional("NW_SKB_LEN", &[&["sk_buff.len"]], RESPONSES),
    optional("NW_SKB_DATA_LEN", &[&["sk_buff.data_len"]], RESPONSES),
    optional("NW_SKB_DATA", &[&["sk_buff.data"]], RESPONSES),
    optional("NW_SKB_HEAD", &[&["sk_buff.head"]], LISTENER_RESETS),
    optional("NW_SKB_NETWORK", &[&["sk_buff.network_header"]], LISTENER_RESETS),
    optional("NW_SKB_ERRNO", &[&["sk_buff.cb", "sock_exterr_skb.ee.ee_errno"]], ICMP_ERRORS),
    needed("NW_SKB_SK", &[&["sk_buff.sk"]]),
];

/// Those of the answers that wait for a resolver.
const OF_ANSWERS: [&str; 5] = ["NW_SK_COOKIE", "NW_SK_QUEUE", "NW_SKB_LEN", "NW_SKB_DATA_LEN", "NW_SKB_DATA"];

/// The constants of one kernel, and the features that it lacks.
#[derive(Debug, Default)]
pub struct Constants {
    /// Symbol → value.
    pub values: Vec<(&'static str, u32)>,
    /// Data that this kernel can't provide.
    pub lacks: Vec<&'static str>,
    /// Atomic exchange, which some kernels refuse even where it never runs.
    pub has_exchange: bool,
    /// `sk_storage` and atomic exchange in tracing programs (5.12 and later).
    pub has_storage: bool,
    /// Whether short sockets can be sampled without losing other counts (5.14 and later).
    pub can_sample_sockets: bool,
    /// The kernel has MPTCP.
    pub has_mptcp: bool,
    /// Whether response times can be measured (5.12 and later).
    pub can_time_responses: bool,
    /// Whether HTTP can be read (6.12 and later, where programs may give a socket's packets to helpers).
    pub can_read_http: bool,
    /// Whether names can be read from DNS answers (6.3 and later).
    pub can_read_names: bool,
    /// Type id of the kernel function that opens a packet for reading. `None`: tracing programs can't call it (6.12).
    pub dynptr_from_skb: Option<u32>,
    /// How sockets are read where their states are kept by address. `None`: they have storage.
    pub by_address: Option<ByAddress>,
}

/// Resolves all constants. `has_exchange`: of [`Constants`].
///
/// # Errors
/// The members that this kernel lacks and the agent can't work without.
pub fn resolve(types: &KernelTypes, release: (u32, u32), has_exchange: bool) -> Result<Constants, Vec<String>> {
    let mut found = Constants { has_exchange, ..Constants::default() };
    let mut missing = Vec::new();
    for constant in CONSTANTS {
        missing.extend(found.resolve(types, constant).err());
    }
    if !missing.is_empty() {
        return Err(missing);
    }
    found.add_features(types, release);
    Ok(found)
}

impl Constants {
    /// Resolves one constant.
    ///
    /// # Errors
    /// The members, if this kernel lacks them and the agent can't work without.
    fn resolve(&mut self, types: &KernelTypes, constant: &Constant) -> Result<(), String> {
        let Constant { symbol, paths, degrades } = constant;
        let sum = |members: &&[&str]| members.iter().map(|path| types.offset(path)).sum::<Option<Bits>>();
        match (paths.iter().find_map(sum), degrades) {
            (Some(Bits(bits)), _) => {
                self.values.push((symbol, bits / 8));
                match *symbol {
                    "NW_TP_CHRONO_TYPE" => self.values.push(("NW_TP_CHRONO_SHIFT", bits % 8)),
                    "NW_TP_SACK" => self.values.push(("NW_TP_SACK_SHIFT", bits % 8)),
                    "NW_SK_KERN" => self.values.push(("NW_SK_KERN_SHIFT", bits % 8)),
                    _ => {}
                }
            }
            (None, Some(data)) => {
                self.values.push((symbol, NONE));
                self.lack(data);
            }
            (None, None) => return Err(paths.iter().map(|p| p.join(" + ")).collect::<Vec<_>>().join(" or ")),
        }
        Ok(())
    }

    /// Adds the constants that tell how this kernel's structures and tracepoints differ from the newest.
    fn add_features(&mut self, types: &KernelTypes, release: (u32, u32)) {
        let has = |member: &str| types.offset(member).is_some();
        let args = |tracepoint| types.tracepoint_args(tracepoint).unwrap_or(0);
        let reasons = types.enum_values("skb_drop_reason");
        let reason = |wanted: &str| {
            reasons.iter().find(|(name, _)| name == wanted).map_or(NONE, |(_, value)| value.cast_unsigned())
        };
        self.add_mptcp(types);
        // Tracing programs got socket storage in 5.11, and the cookies of sockets in 5.12.
        self.has_storage = self.has_exchange && release >= (5, 12);
        self.values.extend([
            // Before 5.15 the cgroup is a tagged integer, before 6.1 ancestors are ids.
            ("NW_SK_CGROUP_TAGGED", u32::from(!has("sock.sk_cgrp_data.cgroup"))),
            ("NW_CGROUP_ANCESTOR_IDS", u32::from(!has("cgroup.ancestors"))),
            ("NW_RX_IFINDEX_BEHIND_SK", u32::from(!has("sock.sk_rx_dst_ifindex"))),
            ("NW_HAS_STORAGE", u32::from(self.has_storage)),
            ("NW_NET_PORT_RANGE_PACKED", u32::from(!has("net.ipv4.ip_local_ports.lock"))),
            ("NW_RETRANSMIT_HAS_ERR", u32::from(args("tcp_retransmit_skb") >= 3)),
            ("NW_KFREE_HAS_SK", u32::from(args("kfree_skb") >= 4)),
            ("NW_REASON_QUEUE_PURGE", reason("SKB_DROP_REASON_QUEUE_PURGE")),
            ("NW_REASON_NOT_SPECIFIED", reason("SKB_DROP_REASON_NOT_SPECIFIED")),
            ("NW_REASON_LISTEN_OVERFLOW", reason("SKB_DROP_REASON_TCP_LISTEN_OVERFLOW")),
        ]);
        if self.has_mptcp && !self.has_storage {
            self.lack("part of the segments and bytes of MPTCP connections");
        }
        if !self.has_storage {
            self.lack(
                "counters of living sockets (they arrive at close, older connections whole), exact loss episodes, \
                 durations of clients' handshakes after a lost SYN",
            );
        }
        self.can_sample_sockets = self.has_storage && args("inet_sk_error_report") >= 1 && !self.lacks.contains(&CHURN);
        if !self.can_sample_sockets {
            self.lack(CHURN);
        }
        self.can_time_responses = self.has_storage && !self.lacks.contains(&RESPONSES);
        self.dynptr_from_skb = (release >= (6, 12)).then(|| types.function("bpf_dynptr_from_skb")).flatten();
        self.values.push(("NW_HAS_DYNPTR", u32::from(self.dynptr_from_skb.is_some())));
        if self.dynptr_from_skb.is_none() {
            self.lack(HANDSHAKES);
            self.lack(HTTP);
        }
        self.can_read_http = self.can_time_responses && !self.lacks.contains(&HTTP);
        if args("kfree_skb") < 4 {
            self.lack("owners of dropped incoming packets");
        }
        let sees_answers = args("sk_data_ready") >= 1;
        if !sees_answers {
            self.lack(DNS_CODES);
        }
        self.can_read_names = sees_answers && OF_ANSWERS.iter().all(|symbol| !self.values.contains(&(*symbol, NONE)));
        if release < (6, 10) {
            self.lack("resets sent by a closed port (received resets are counted)");
        }
    }

    /// Goes without what this kernel refuses to do with a pointer that was read from another one. `keeps_states`: those
    /// of sockets are kept by address.
    pub(super) fn distrust(&mut self, found: ByAddress, keeps_states: bool) {
        // The packets that a socket sent are read from its queue.
        self.can_read_http = false;
        if keeps_states {
            tracing::info!("this kernel keeps walks from the storage of sockets: their states are kept by address");
            self.by_address = Some(found);
            let ByAddress { tcp_sock, sk_type, .. } = found;
            self.values.extend([("NW_BY_ADDRESS", 1), ("NW_TCP_SOCK_TYPE", tcp_sock), ("NW_SK_TYPE", sk_type)]);
        }
    }

    /// Adds the constants of MPTCP. A kernel without it lacks nothing.
    fn add_mptcp(&mut self, types: &KernelTypes) {
        const MEMBERS: [(&str, &str); 5] = [
            ("NW_MSK_FIRST", "mptcp_sock.first"),
            ("NW_TP_MPTCP", "tcp_sock.is_mptcp"),
            ("NW_MSK_CONN_LIST", "mptcp_sock.conn_list"),
            ("NW_SUBFLOW_NODE", "mptcp_subflow_context.node"),
            ("NW_SUBFLOW_SOCK", "mptcp_subflow_context.tcp_sock"),
        ];
        let found = MEMBERS.map(|(symbol, path)| (symbol, types.offset(path).map(|member| member.byte())));
        self.has_mptcp = found.iter().all(|(_, offset)| offset.is_some());
        self.values.extend(found.map(|(symbol, offset)| (symbol, offset.filter(|_| self.has_mptcp).unwrap_or(NONE))));
        let bit = |name| Some(types.offset(&format!("mptcp_subflow_context.{name}"))?.bit_offset);
        match (bit("request_join"), bit("mp_join")) {
            // Both are bits of one word.
            (Some(first), Some(second)) if first / 32 == second / 32 => {
                self.values.push(("NW_SUBFLOW_BITS", first / 32 * 4));
                self.values.push(("NW_SUBFLOW_JOINED", 1 << (first % 32) | 1 << (second % 32)));
            }
            _ if self.has_mptcp => self.lack("telling further paths of MPTCP connections from connections"),
            _ => {}
        }
    }

    fn lack(&mut self, data: &'static str) {
        if !self.lacks.contains(&data) {
            self.lacks.push(data);
        }
    }
}

/// Bit offsets that can be summed.
struct Bits(u32);

impl std::iter::Sum<Member> for Bits {
    fn sum<I: Iterator<Item = Member>>(members: I) -> Self {
        Self(members.map(|member| member.bit_offset).sum())
    }
}

#[cfg(test)]
mod tests;

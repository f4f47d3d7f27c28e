//! The table of causes: what each means, how it is tested and what to do. Documentation is made from it.

use super::{
    connect, context::Context, cpu, dns, external, finding::Finding, host, latency, limited, loss, ports, pressure,
    reader, size, status, waiting,
};

/// Rules that are judged together. The order of the variants is the order of judgement: an edge that one family
/// explains is left alone by those after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// What the API server says of the Pod itself.
    Status,
    /// What this Node itself drops.
    Host,
    /// Handshakes: turned away, unanswered, refused; and peers that fell silent.
    Connect,
    /// Lost packets.
    Loss,
    /// Paths that became longer.
    Latency,
    /// Senders held back by the peer's window or their own buffer.
    Limited,
    /// The Pod's own CPU limit.
    Cpu,
    /// CPU, memory and IO that the Pod waits for without being limited.
    Pressure,
    /// Names: DNS lookups.
    Dns,
    /// Time spent thinking at one end while the path is fast.
    Waiting,
}

impl Family {
    /// All families in order.
    pub const ALL: [Self; 10] = [
        Self::Status,
        Self::Host,
        Self::Connect,
        Self::Loss,
        Self::Latency,
        Self::Limited,
        Self::Cpu,
        Self::Pressure,
        Self::Dns,
        Self::Waiting,
    ];

    /// Name in the documentation.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Status => "Pod status",
            Self::Host => "Node drops",
            Self::Connect => "connect",
            Self::Loss => "loss",
            Self::Latency => "latency",
            Self::Limited => "limited senders",
            Self::Cpu => "CPU",
            Self::Pressure => "pressure",
            Self::Dns => "DNS",
            Self::Waiting => "waiting",
        }
    }

    pub(super) fn judge(self, context: &Context<'_>) -> Vec<Finding> {
        match self {
            Self::Status => status::judge(context),
            Self::Host => host::judge(context),
            Self::Connect => [ports::judge(context), size::judge(context), connect::judge(context)].concat(),
            Self::Loss => loss::judge(context),
            Self::Latency => latency::judge(context),
            Self::Limited => limited::judge(context).into_iter().chain(reader::judge(context)).collect(),
            Self::Cpu => cpu::judge(context),
            Self::Pressure => pressure::judge(context),
            Self::Dns => dns::judge(context),
            Self::Waiting => waiting::judge(context).into_iter().chain(external::judge(context)).collect(),
        }
    }
}

/// One cause. Texts are Markdown without headings.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Stable identifier: the hint's `cause`.
    pub id: &'static str,
    /// With which rules it is judged.
    pub family: Family,
    /// Place among all rules, ascending, unique: of two hints the lower comes first.
    pub order: u16,
    /// The hint's `symptom`.
    pub symptom: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// Metrics and files that it is judged from.
    pub signals: &'static [&'static str],
    /// When it holds, with its false-alarm rate.
    pub test: &'static str,
    /// Data below which it stays silent.
    pub minimum: &'static str,
    /// What keeps it silent although the test holds.
    pub ruled_out_by: &'static str,
    /// What to do.
    pub action: &'static str,
}

/// All causes, ascending by [`Rule::order`].
pub static RULES: &[Rule] = &[
    status::POD_OOM_KILLED,
    status::POD_RESTARTING,
    status::POD_NOT_RUNNING,
    host::NODE_CONNTRACK_FULL,
    host::NODE_NIC_DROPS,
    host::NODE_QDISC_DROPS,
    host::NODE_SOFTNET_DROPS,
    connect::POD_ACCEPT_QUEUE_FULL,
    ports::PORT_EXHAUSTION,
    size::PATH_MTU_BLACKHOLE,
    connect::PEER_UNREACHABLE,
    connect::PEER_REFUSING,
    loss::NODE_PACKET_LOSS,
    loss::PATH_LOSS,
    latency::PATH_LATENCY,
    limited::PEER_RECEIVER_LIMITED,
    limited::POD_SEND_BUFFER_LIMITED,
    reader::POD_SLOW_READER,
    cpu::POD_CPU_THROTTLED,
    pressure::NODE_CPU_CONTENTION,
    pressure::POD_CPU_STARVED,
    pressure::NODE_MEMORY_PRESSURE,
    pressure::POD_MEMORY_PRESSURE,
    pressure::NODE_IO_PRESSURE,
    pressure::POD_IO_PRESSURE,
    dns::DNS_SLOW,
    waiting::POD_APPLICATION_SLOW,
    external::EXTERNAL_SLOW,
    waiting::PEER_SLOW,
];

/// (cause, effect) within one subject: while the cause holds, the effect is a link of its chain and no hint of its own.
pub static CAUSAL: &[(&str, &str)] = &[
    ("pod_oom_killed", "pod_restarting"),
    ("pod_oom_killed", "pod_not_running"),
    ("pod_restarting", "pod_not_running"),
    ("path_mtu_blackhole", "peer_unreachable"),
    ("path_mtu_blackhole", "path_loss"),
    ("node_conntrack_full", "peer_unreachable"),
    ("node_conntrack_full", "path_loss"),
    ("node_nic_drops", "node_packet_loss"),
    ("node_nic_drops", "path_loss"),
    ("node_nic_drops", "peer_unreachable"),
    ("node_qdisc_drops", "node_packet_loss"),
    ("node_qdisc_drops", "path_loss"),
    ("node_qdisc_drops", "peer_unreachable"),
    ("node_softnet_drops", "node_packet_loss"),
    ("node_softnet_drops", "path_loss"),
    ("node_softnet_drops", "peer_unreachable"),
    ("node_cpu_contention", "pod_cpu_starved"),
    ("node_cpu_contention", "pod_accept_queue_full"),
    ("node_cpu_contention", "pod_application_slow"),
    ("node_cpu_contention", "peer_slow"),
    ("pod_cpu_starved", "pod_accept_queue_full"),
    ("pod_cpu_starved", "pod_application_slow"),
    ("pod_cpu_starved", "peer_slow"),
    ("node_memory_pressure", "node_io_pressure"),
    ("node_memory_pressure", "pod_io_pressure"),
    ("node_memory_pressure", "pod_accept_queue_full"),
    ("node_memory_pressure", "pod_application_slow"),
    ("node_memory_pressure", "peer_slow"),
    ("pod_memory_pressure", "pod_io_pressure"),
    ("pod_memory_pressure", "pod_accept_queue_full"),
    ("pod_memory_pressure", "pod_application_slow"),
    ("pod_memory_pressure", "peer_slow"),
    ("node_io_pressure", "pod_io_pressure"),
    ("node_io_pressure", "pod_application_slow"),
    ("node_io_pressure", "peer_slow"),
    ("pod_io_pressure", "pod_application_slow"),
    ("pod_io_pressure", "peer_slow"),
    ("pod_cpu_throttled", "pod_accept_queue_full"),
    ("pod_cpu_throttled", "pod_send_buffer_limited"),
    ("pod_cpu_throttled", "pod_application_slow"),
    ("pod_cpu_throttled", "peer_slow"),
    ("node_packet_loss", "path_loss"),
    ("node_packet_loss", "peer_unreachable"),
    ("node_packet_loss", "pod_send_buffer_limited"),
    ("path_loss", "pod_send_buffer_limited"),
    ("node_qdisc_drops", "path_latency"),
    ("node_cpu_contention", "path_latency"),
    ("path_latency", "peer_receiver_limited"),
    ("path_latency", "pod_send_buffer_limited"),
    ("path_latency", "peer_slow"),
    ("path_latency", "external_slow"),
    ("path_latency", "dns_slow"),
    ("node_cpu_contention", "external_slow"),
    ("pod_cpu_starved", "external_slow"),
    ("pod_cpu_throttled", "external_slow"),
    ("node_cpu_contention", "pod_slow_reader"),
    ("pod_cpu_starved", "pod_slow_reader"),
    ("node_memory_pressure", "pod_slow_reader"),
    ("pod_memory_pressure", "pod_slow_reader"),
    ("node_io_pressure", "pod_slow_reader"),
    ("pod_io_pressure", "pod_slow_reader"),
    ("pod_cpu_throttled", "pod_slow_reader"),
    ("pod_application_slow", "peer_slow"),
    ("pod_application_slow", "external_slow"),
    ("node_conntrack_full", "dns_slow"),
    ("node_nic_drops", "dns_slow"),
    ("node_qdisc_drops", "dns_slow"),
    ("node_softnet_drops", "dns_slow"),
    ("node_packet_loss", "dns_slow"),
    ("node_cpu_contention", "dns_slow"),
    ("pod_cpu_starved", "dns_slow"),
    ("pod_cpu_throttled", "dns_slow"),
    ("node_memory_pressure", "dns_slow"),
    ("pod_memory_pressure", "dns_slow"),
    ("dns_slow", "pod_application_slow"),
];

/// (cause at a Pod, effect at those who talk to it): hints of one incident, when both are on this Node.
pub static CAUSAL_TO_CALLERS: &[(&str, &str)] = &[
    ("pod_oom_killed", "peer_refusing"),
    ("pod_oom_killed", "peer_unreachable"),
    ("pod_restarting", "peer_refusing"),
    ("pod_restarting", "peer_unreachable"),
    ("pod_not_running", "peer_refusing"),
    ("pod_not_running", "peer_unreachable"),
    ("pod_accept_queue_full", "peer_unreachable"),
    ("pod_cpu_throttled", "peer_slow"),
    ("pod_cpu_throttled", "peer_receiver_limited"),
    ("pod_cpu_throttled", "peer_unreachable"),
    ("pod_cpu_starved", "peer_slow"),
    ("pod_cpu_starved", "peer_receiver_limited"),
    ("node_cpu_contention", "peer_slow"),
    ("node_cpu_contention", "peer_receiver_limited"),
    ("pod_memory_pressure", "peer_slow"),
    ("pod_memory_pressure", "peer_receiver_limited"),
    ("node_memory_pressure", "peer_slow"),
    ("node_memory_pressure", "peer_receiver_limited"),
    ("pod_io_pressure", "peer_slow"),
    ("pod_io_pressure", "peer_receiver_limited"),
    ("node_io_pressure", "peer_slow"),
    ("node_io_pressure", "peer_receiver_limited"),
    ("pod_slow_reader", "peer_receiver_limited"),
    ("pod_application_slow", "peer_slow"),
    ("peer_slow", "peer_slow"),
    ("external_slow", "peer_slow"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_ascend_and_families_keep_their_order() {
        for pair in RULES.windows(2) {
            assert!(pair[0].order < pair[1].order, "{} before {}", pair[0].id, pair[1].id);
            assert!(pair[0].family <= pair[1].family, "{} before {}", pair[0].id, pair[1].id);
        }
    }

    #[test]
    fn causal_edges_name_rules_and_form_no_circle() {
        for (cause, effect) in CAUSAL.iter().chain(CAUSAL_TO_CALLERS) {
            assert!(RULES.iter().any(|r| r.id == *cause), "{cause}");
            assert!(RULES.iter().any(|r| r.id == *effect), "{effect}");
        }
        fn reaches(from: &str, to: &str, depth: usize) -> bool {
            assert!(depth <= RULES.len(), "circle at {from}");
            CAUSAL.iter().filter(|(c, _)| *c == from).any(|(_, e)| *e == to || reaches(e, to, depth + 1))
        }
        for rule in RULES {
            assert!(!reaches(rule.id, rule.id, 0), "{}", rule.id);
        }
    }
}

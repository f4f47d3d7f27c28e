//! The table of rules, and the judge of each family. Documentation is made from it.
//!
//! Nothing below imports this file: judges know their own rules only.

use super::{
    context::Context,
    finding::Finding,
    rule::{Family, Rule},
    rules::{connect, cpu, dns, errors, host, latency, limited, loss, pressure, status, unanswered, waiting},
};

/// Applies the rules of one family.
pub(crate) fn judge(family: Family, context: &Context<'_>) -> Vec<Finding> {
    match family {
        Family::Status => status::judge(context),
        Family::Host => host::judge(context),
        Family::Connect => connect::judge(context),
        Family::Loss => loss::judge(context),
        Family::Latency => latency::judge(context),
        Family::Limited => limited::judge(context),
        Family::Unanswered => unanswered::judge(context),
        Family::Cpu => cpu::judge(context),
        Family::Pressure => pressure::judge(context),
        Family::Dns => dns::judge(context),
        Family::Waiting => waiting::judge(context),
        Family::Errors => errors::judge(context),
    }
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
    connect::syn_queue::SYN_QUEUE_FULL,
    connect::ports::PORT_EXHAUSTION,
    connect::mtu::PATH_MTU_BLACKHOLE,
    connect::unreachable::PEER_UNREACHABLE,
    connect::filtered::PORT_FILTERED,
    connect::PEER_REFUSING,
    connect::cut::CONNECTIONS_RESET,
    loss::NODE_PACKET_LOSS,
    loss::PATH_LOSS,
    loss::reordering::PATH_REORDERING,
    latency::interface::POD_BANDWIDTH_LIMITED,
    latency::PATH_LATENCY,
    limited::PEER_RECEIVER_LIMITED,
    limited::POD_SEND_BUFFER_LIMITED,
    limited::slow_reader::POD_SLOW_READER,
    unanswered::POD_NOT_READING,
    unanswered::PEER_NOT_ANSWERING,
    cpu::POD_CPU_THROTTLED,
    pressure::cpu::NODE_CPU_CONTENTION,
    pressure::cpu::POD_CPU_STARVED,
    pressure::memory::NODE_MEMORY_PRESSURE,
    pressure::memory::POD_MEMORY_PRESSURE,
    pressure::io::NODE_IO_PRESSURE,
    pressure::io::POD_IO_PRESSURE,
    dns::errors::DNS_ERRORS,
    dns::second::DNS_ANSWER_LOST,
    dns::DNS_SLOW,
    waiting::POD_APPLICATION_SLOW,
    waiting::external::EXTERNAL_SLOW,
    waiting::PEER_SLOW,
    errors::POD_ERRORS,
    errors::PEER_ERRORS,
];

/// (cause, effect) within one subject, in the order of the table.
pub fn effects() -> Vec<(&'static str, &'static str)> {
    pairs(|rule| rule.caused_by)
}

/// (cause at a Pod, effect at its callers on the same Node), in the order of the table.
pub fn effects_at_callers() -> Vec<(&'static str, &'static str)> {
    pairs(|rule| rule.caused_by_at_peer)
}

fn pairs(causes_of: impl Fn(&Rule) -> &'static [&'static str]) -> Vec<(&'static str, &'static str)> {
    let of_cause = |cause: &Rule| {
        let id = cause.id;
        let effects = RULES.iter().filter(|effect| causes_of(effect).contains(&id));
        effects.map(|effect| (id, effect.id)).collect::<Vec<_>>()
    };
    RULES.iter().flat_map(of_cause).collect()
}

#[cfg(test)]
mod tests;

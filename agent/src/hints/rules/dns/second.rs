//! Lookups of which one answer comes and another doesn't, such as the AAAA answer after the A answer.

use super::{Together, by_server, rows};
use crate::{
    api::{BlameKind, RuledOut},
    hints::{
        context::{Context, Edge},
        culprit::{
            dns::{Bad, Culprits, Lookups},
            suspects::host,
        },
        finding::{Finding, evidence, shared_blame},
        rule::{Family, QueryTemplate, Rule},
        stats::{LOSS_ALPHA, OVERWHELMING_ALPHA, percent},
    },
    sample::{Gauge, Signal},
};

pub(crate) const DNS_ANSWER_LOST: Rule = Rule {
    id: "dns_answer_lost",
    family: Family::Dns,
    order: 475,
    symptom: "slow_name_resolution",
    meaning: "The Pod asks for two records of a name at once, mostly A and AAAA. One answer comes and the other doesn't, \
              so that the resolver waits for its timeout, by default 5 s, and asks again. A server drops queries, or \
              connection tracking drops the second of two packets that leave one socket at the same moment.",
    signals: &["netwhy_dns_second_answers_missing_total", "netwhy_dns_lookups_total", "netwhy_dns_lookup_seconds"],
    test: "In at least 1 % of the Pod's lookups at one server the second answer came a second or more after the first, or \
           never. The usual share of these (at least 0.1 %) would make so many at that server, by all Pods together, \
           with a chance below 1e-6 (Poisson).",
    minimum: "3 such lookups in the window, by all Pods together. The `dns` probe.",
    ruled_out_by: "No answer at all (`dns_slow`). Resolvers that ask for one record after the other.",
    action: "Set `options single-request-reopen` in the Pod's dnsConfig, or let a node-local cache ask over TCP. Then \
             check insert failures of connection tracking on this Node, and queries dropped by the server.",
    caused_by: &["node_conntrack_full", "node_nic_drops", "node_qdisc_drops", "node_softnet_drops", "node_packet_loss"],
    caused_by_at_peer: &[],
    queries: &[QueryTemplate {
        shows: "DNS lookups per second whose second answer was late or missing",
        promql: "sum(rate(netwhy_dns_second_answers_missing_total{S}R))",
    }],
};

/// Share of a Pod's lookups from which it matters.
const LEAST_SHARE: f64 = 0.01;
/// Lookups that a finding needs, of all Pods together.
const MIN_MISSING: u64 = 3;

pub(super) fn judge(context: &Context<'_>) -> Vec<Finding> {
    let memory = &context.memory.dns;
    let all =
        rows(context, |row| (row.window.second_missing, memory.second_missing_ratio(row) * row.window.count() as f64));
    if all.iter().all(|lookups| lookups.bad == 0) {
        return Vec::new();
    }
    let servers = by_server(&all);
    let culprits = Culprits::new(context, &all, Bad::Second { tracks: tracks(context) });
    let found = all.iter().enumerate().filter_map(|(at, lookups)| {
        let together = servers.get(&lookups.row.server.host())?;
        finding(context, (at, lookups), together, &culprits)
    });
    found.collect()
}

/// `together`: lookups of all subjects at the same server.
fn finding(
    context: &Context<'_>,
    (at, lookups): (usize, &Lookups<'_>),
    together: &Together,
    culprits: &Culprits<'_, '_>,
) -> Option<Finding> {
    let (row, subject) = (lookups.row, context.subject(lookups.subject));
    let share = lookups.bad as f64 / row.window.count().max(1) as f64;
    if lookups.bad == 0 || share < LEAST_SHARE || together.bad < MIN_MISSING {
        return None;
    }
    let ln_p = Some(together.ln_p()).filter(|ln_p| *ln_p <= LOSS_ALPHA.ln())?;
    let server = Edge::of_ends(&row.server);
    let (name, server_name, place) = (subject.name(), server.peer_name(), context.place(&server));
    let insert_failures = insert_failures(context);
    let blame = match insert_failures.is_some_and(|n| 2 * n >= lookups.bad) {
        true => {
            let (kind, name) = host(&server);
            shared_blame((BlameKind::Node, context.node), 0.9, &[(kind, &name)])
        }
        false => culprits.of(at, lookups),
    };
    let signal = "netwhy_dns_second_answers_missing_total";
    let mut numbers = vec![
        evidence(signal, lookups.bad as f64, "lookups", &place, "ebpf:cgroup/recvmsg"),
        evidence(signal, together.bad as f64, "lookups of all Pods", context.node, "ebpf:cgroup/recvmsg"),
    ];
    let failures = Signal::ConntrackInsertFailed;
    numbers.extend(insert_failures.map(|n| {
        let signal = "netwhy_node_conntrack_failures_total{event=\"insert_failed\"}";
        evidence(signal, n as f64, "packets", context.node, failures.source())
    }));
    Some(Finding {
        nats: LOSS_ALPHA.ln() - ln_p,
        overwhelming: ln_p <= OVERWHELMING_ALPHA.ln(),
        summary: format!(
            "{name} gets one of two answers of {server_name} (A and AAAA): in {} of {} lookups ({}) the second one \
             came after a second or more, or never, and the resolver waited for its timeout",
            lookups.bad,
            row.window.count(),
            percent(share)
        ),
        evidence: numbers,
        ruled_out: vec![RuledOut {
            cause: "dns_errors".into(),
            because: format!("{} answers with an error", row.window.errors()),
        }],
        ..Finding::new(&DNS_ANSWER_LOST, subject.ix, blame)
    })
}

/// Packets for which this Node's connection tracking could make no entry in the window. `None`: not read.
fn insert_failures(context: &Context<'_>) -> Option<u64> {
    context.host?.count(Signal::ConntrackInsertFailed).map(|count| count.window)
}

/// This Node tracks connections, as far as is known.
fn tracks(context: &Context<'_>) -> bool {
    let entries = context.host.and_then(|host| host.gauge(Gauge::ConntrackEntries));
    entries.is_none_or(|entries| entries > 0)
}

#[cfg(test)]
mod tests;

//! DNS: lookups that take much longer than usual, or that nobody answers.

use crate::hints::{
    context::{Context, Edge},
    finding::{Finding, blame, evidence},
    rule::{Family, QueryTemplate, Rule},
    stats::{LOSS_ALPHA, OVERWHELMING_ALPHA, ms, poisson_tail_ln},
};
use crate::{
    api::{Blame, BlameKind, Evidence, RuledOut},
    state::DnsView,
};
use std::{collections::BTreeSet, net::Ipv6Addr};

pub(crate) const DNS_SLOW: Rule = Rule {
    id: "dns_slow",
    family: Family::Dns,
    order: 480,
    symptom: "slow_name_resolution",
    meaning: "The Pod waits for names: DNS lookups take much longer than usual, or end without an answer. Connections that \
              are open already are not touched; every new one waits.",
    signals: &["netwhy_dns_lookup_seconds", "netwhy_dns_lookups_total"],
    test: "At least 5 % of the Pod's lookups at one server are bad: longer than `dns_slow_ms` and `rtt_inflation` times the \
           usual median (1 s before a baseline is known), or without an answer; and so many would be made by the usual \
           share of bad ones (at least 1 %) with a chance below 1e-6 (Poisson). For a Pod with few lookups, of which half \
           are bad, those of all Pods at that server are tested together.",
    minimum: "What the test needs: 4 bad lookups in the window, by all Pods together. The probe `dns` (off without the \
              capability NET_ADMIN). A lookup counts when its resolver ends, so one without an answer counts after the \
              resolver's timeout.",
    ruled_out_by: "A reason that makes the Pod or the Node slow as a whole, or that drops the Node's packets: then this is \
                   a link of its chain. Connections that became slow at the same time leave the way to the server a suspect \
                   beside it; so does, for answers that never come, that no connection to its Node goes on.",
    action: "Look at the DNS server's Pods (CPU limit, upstream), at the search list (`ndots`) of the Pod, and at lost UDP \
             packets on the way.",
    caused_by: &[
        "path_latency",
        "node_conntrack_full",
        "node_nic_drops",
        "node_qdisc_drops",
        "node_softnet_drops",
        "node_packet_loss",
        "node_cpu_contention",
        "pod_cpu_starved",
        "pod_cpu_throttled",
        "node_memory_pressure",
        "pod_memory_pressure",
    ],
    caused_by_at_peer: &[],
    queries: &[
        QueryTemplate {
            shows: "99 % of DNS lookups are faster than",
            promql: "histogram_quantile(0.99, sum by (le) (rate(netwhy_dns_lookup_seconds_bucket{S}R)))",
        },
        QueryTemplate {
            shows: "DNS lookups per second, by result",
            promql: "sum by (result) (rate(netwhy_dns_lookups_total{S}R))",
        },
    ],
};

/// Share of the lookups that must be bad.
const SHARE: f64 = 0.05;
/// Subjects that ask the same server successfully, and their lookups, before a Pod itself is suspected.
const OTHERS: (usize, u64) = (2, 20);

/// One subject's lookups at one server.
struct Judged<'a> {
    row: &'a DnsView,
    subject: usize,
    bad: u64,
    expected: f64,
}

pub(crate) fn judge(context: &Context<'_>) -> Vec<Finding> {
    let rows: Vec<Judged<'_>> = context
        .dns
        .iter()
        .filter_map(|row| {
            let subject = context.subjects.iter().position(|s| s.view.id == row.server.subject)?;
            let expected = context.dns_memory.bad_ratio(row) * row.window.count() as f64;
            Some(Judged { row, subject, bad: context.dns_memory.bad(row, context.thresholds), expected })
        })
        .collect();
    rows.iter().filter_map(|judged| finding(context, &rows, judged)).collect()
}

/// ln of the chance of so many bad lookups in normal times. `None`: no matter.
fn test(rows: &[Judged<'_>], judged: &Judged<'_>) -> Option<f64> {
    let share = judged.bad as f64 / judged.row.window.count().max(1) as f64;
    let own = poisson_tail_ln(judged.bad, judged.expected);
    if share >= SHARE && own <= LOSS_ALPHA.ln() {
        return Some(own);
    }
    let same = || rows.iter().filter(|other| other.row.server.peer == judged.row.server.peer);
    let together = poisson_tail_ln(same().map(|r| r.bad).sum(), same().map(|r| r.expected).sum());
    (judged.bad > 0 && share >= 0.5 && together <= LOSS_ALPHA.ln()).then_some(together)
}

fn finding(context: &Context<'_>, rows: &[Judged<'_>], judged: &Judged<'_>) -> Option<Finding> {
    let tail = test(rows, judged)?;
    let Judged { row, subject, bad, .. } = judged;
    let (window, who) = (&row.window, &context.subjects[*subject]);
    let server = Edge::of(&row.server);
    let (name, asked) = (who.name(), server.peer_name());
    let limit = context.dns_memory.limit_us(row, context.thresholds);
    let (blame, certainty) = culprit(context, rows, judged, &server);
    let said = match (window.unanswered, bad - window.unanswered) {
        (none, 0) => format!("{none} of {} without an answer", window.count()),
        (0, slow) => format!("{slow} of {} took longer than {}", window.count(), ms(limit)),
        (none, slow) => {
            format!("{slow} of {} took longer than {}, {none} had no answer", window.count(), ms(limit))
        }
    };
    let usual = context.dns_memory.p50_us(row).map_or(String::new(), |us| format!(" (normally {})", ms(us)));
    let reason = |cause: &str, because| RuledOut { cause: cause.into(), because };
    let tcp = context.edges.iter().find(|edge| edge.view.peer == row.server.peer);
    Some(Finding {
        rule: &DNS_SLOW,
        subject: *subject,
        blame,
        nats: LOSS_ALPHA.ln() - tail,
        certainty,
        overwhelming: tail <= OVERWHELMING_ALPHA.ln(),
        summary: format!("{name} waits for DNS answers of {asked}: {said}{usual}"),
        evidence: numbers(context, row, &format!("{}→{}", context.node, server.peer_node_name())),
        ruled_out: [who.not_throttled(context.thresholds), tcp.and_then(|edge| context.no_loss(edge))]
            .into_iter()
            .flatten()
            .chain((window.unanswered == 0).then(|| reason("peer_unreachable", "every lookup was answered".into())))
            .collect(),
        effects: Vec::new(),
        edges: Vec::new(),
    })
}

/// Ends of the path to the server that may be slow instead, as far as connections tell: lookups alone can't.
fn slow_path(context: &Context<'_>, server: &Edge<'_>) -> Vec<String> {
    if !server.is_remote() {
        return Vec::new();
    }
    let late = |edge: &&Edge<'_>| edge.memory.is_some_and(|memory| memory.outran_timers(edge.view, context.thresholds));
    let late: BTreeSet<_> =
        context.edges.iter().filter(|e| e.is_remote()).filter(late).map(|e| e.view.peer_id()).collect();
    let there = late.contains(&server.view.peer_id());
    let elsewhere = late.len() > usize::from(there);
    let own = elsewhere.then(|| context.node.to_owned());
    own.into_iter().chain((there && server.view.peer_node.is_some()).then(|| server.peer_node_name())).collect()
}

/// Nodes from which no answer may come, or to which none: those that no connection shows to be up.
fn silent_path(context: &Context<'_>, server: &Edge<'_>) -> Vec<String> {
    if !server.is_remote() {
        return Vec::new();
    }
    let node = &server.view.peer_node;
    let there = node.is_some() && !context.goes_on(server, |edge| edge.view.peer_node == *node);
    let own = !context.goes_on(server, |edge| edge.is_remote() && edge.view.peer_id() != server.view.peer_id());
    there.then(|| server.peer_node_name()).into_iter().chain(own.then(|| context.node.to_owned())).collect()
}

/// Who is at fault, and how sure that is.
fn culprit(context: &Context<'_>, rows: &[Judged<'_>], judged: &Judged<'_>, server: &Edge<'_>) -> (Blame, f64) {
    let node = context.node;
    let subjects: BTreeSet<usize> = rows.iter().map(|r| r.subject).collect();
    let servers: BTreeSet<Ipv6Addr> = rows.iter().map(|r| r.row.server.peer).collect();
    let nothing = rows.iter().all(|r| r.row.window.answered == 0);
    if nothing && subjects.len() > 1 && servers.len() > 1 {
        return (blame(BlameKind::Node, node), 1.0);
    }
    let it = blame(server.blame_kind(BlameKind::PeerPod), server.peer_pod_name());
    let mut path = slow_path(context, server);
    if 2 * judged.row.window.unanswered >= judged.bad {
        path.extend(silent_path(context, server).into_iter().filter(|node| !path.contains(node)).collect::<Vec<_>>());
    }
    if !path.is_empty() {
        return (Blame { alternatives: path, ..it }, 0.7);
    }
    if nothing && subjects.len() > 1 {
        return (Blame { alternatives: vec![node.to_owned()], ..it }, 0.8);
    }
    // The same server is quick for others: it may be the names that this Pod asks for, or the Pod.
    let others = || {
        let same = |r: &&Judged<'_>| r.row.server.peer == judged.row.server.peer && r.subject != judged.subject;
        rows.iter().filter(same)
    };
    let asked: u64 = others().map(|r| r.row.window.count()).sum();
    let bad: u64 = others().map(|r| r.bad).sum();
    if others().count() >= OTHERS.0 && asked >= OTHERS.1 && (bad as f64) < SHARE * asked as f64 {
        let name = context.subjects[judged.subject].name();
        return (Blame { alternatives: vec![name.to_owned()], ..it }, 0.7);
    }
    (it, 1.0)
}

fn numbers(context: &Context<'_>, row: &DnsView, place: &str) -> Vec<Evidence> {
    const SOURCE: &str = "ebpf:cgroup/sock_release";
    let window = &row.window;
    let usual = context.dns_memory.p50_us(row).map(|us| us / 1e6);
    let quantile = |q: f64, name: &str| {
        let us = window.durations.quantile_us(q)?;
        let signal = format!("netwhy_dns_lookup_seconds{{quantile=\"{name}\"}}");
        Some(evidence(&signal, us / 1e6, "seconds", place, SOURCE))
    };
    let median = quantile(0.5, "0.5").map(|number| Evidence { baseline: usual, ..number });
    let unanswered = Evidence {
        baseline: Some(context.dns_memory.bad_ratio(row)),
        ..evidence(
            "netwhy_dns_lookups_total{result=\"unanswered\"}",
            window.unanswered as f64 / window.count().max(1) as f64,
            "ratio",
            place,
            SOURCE,
        )
    };
    median.into_iter().chain(quantile(0.99, "0.99")).chain([unanswered]).collect()
}

#[cfg(test)]
mod tests;

//! DNS lookups that take much longer than usual, stay unanswered, or are answered with an error.

pub(crate) mod errors;
pub(crate) mod second;

use crate::{
    api::{Blame, Evidence, RuledOut},
    hints::{
        context::{Context, Edge},
        culprit::dns::{BAD_SHARE, Bad, Culprits, Lookups},
        finding::{Finding, evidence},
        rule::{Family, QueryTemplate, Rule},
        stats::{LOSS_ALPHA, OVERWHELMING_ALPHA, ms, poisson_tail_ln},
    },
    state::{DnsView, PeerHost},
};
use std::collections::BTreeMap;

pub(crate) const DNS_SLOW: Rule = Rule {
    id: "dns_slow",
    family: Family::Dns,
    order: 480,
    symptom: "slow_name_resolution",
    meaning: "The Pod waits for names: DNS lookups take much longer than usual, or end without an answer. Open \
              connections are not affected. Every new one waits.",
    signals: &["netwhy_dns_lookup_seconds", "netwhy_dns_lookups_total"],
    test: "At least 5 % of the Pod's lookups at one server are bad. They are unanswered, or longer than `dns_slow_ms` \
           and `rtt_inflation` times the usual median (1 s before a baseline is known). When half of them take a fifth of \
           `dns_slow_ms` more than the usual median, and `rtt_inflation` times it, that is the limit. The usual share of bad lookups \
           (at least 1 %, and 5 % for that limit) would make so many with a chance below 1e-6 (Poisson; where lookups are sampled, the observed \
           ones count). When a Pod has few lookups and half \
           of them are bad, the lookups of all Pods at that server are tested together.",
    minimum: "As much as the test needs: 4 bad lookups in the window, by all Pods together. The `dns` probe (off \
              without the capability NET_ADMIN). A lookup counts when its resolver ends, so an unanswered one counts \
              after the resolver's timeout.",
    ruled_out_by: "A cause that slows down the Pod or the Node as a whole, or drops the Node's packets, explains it. \
                   Then this is a link of its chain. When connections became slow at the same time, the path to the \
                   server stays a suspect. For unanswered lookups so do the Nodes that no connection shows to be up.",
    action: "Check the DNS server's Pods (CPU limit, upstream), the Pod's search list (`ndots`), and lost UDP packets \
             on the path.",
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
        "dns_errors",
        "dns_answer_lost",
    ],
    caused_by_at_peer: &[],
    queries: &[
        QueryTemplate {
            shows: "99th percentile of DNS lookup duration",
            promql: "histogram_quantile(0.99, sum by (le) (rate(netwhy_dns_lookup_seconds_bucket{S}R)))",
        },
        QueryTemplate {
            shows: "DNS lookups per second, by result",
            promql: "sum by (result) (rate(netwhy_dns_lookups_total{S}R))",
        },
    ],
};

pub(crate) fn judge(context: &Context<'_>) -> Vec<Finding> {
    let memory = &context.memory.dns;
    let all = rows(context, |row| {
        let expected = memory.bad_ratio(row, context.thresholds) * row.window.count() as f64;
        (memory.bad(row, context.thresholds), expected)
    });
    let servers = by_server(&all);
    let found: Vec<_> =
        all.iter().enumerate().filter_map(|(at, lookups)| Some((at, lookups, test(&servers, lookups)?))).collect();
    let culprits = (!found.is_empty()).then(|| Culprits::new(context, &all, Bad::Late));
    let slow = culprits.iter().flat_map(|culprits| {
        found.iter().map(move |(at, lookups, ln_p)| finding(context, lookups, (culprits.of(*at, lookups), *ln_p)))
    });
    let mut out = errors::judge(context);
    out.extend(second::judge(context));
    out.extend(slow);
    out
}

/// All subjects' lookups; `count`: the bad ones, and those expected in normal times.
fn rows<'a>(context: &Context<'a>, count: impl Fn(&DnsView) -> (u64, f64)) -> Vec<Lookups<'a>> {
    let lookups = |row: &'a DnsView| {
        let subject = context.subject_of(&row.server.subject)?;
        let (bad, expected) = count(row);
        Some(Lookups { row, subject, bad, expected })
    };
    context.dns.iter().filter_map(lookups).collect()
}

/// All subjects' lookups at one server.
#[derive(Clone, Copy, Default)]
struct Together {
    bad: u64,
    /// Those, and those expected in normal times, as tests count them.
    independent: f64,
    expected: f64,
}

impl Together {
    /// Logarithm of the chance of so many bad ones in normal times.
    fn ln_p(&self) -> f64 {
        poisson_tail_ln(self.independent.round() as u64, self.expected)
    }
}

fn by_server(all: &[Lookups<'_>]) -> BTreeMap<PeerHost, Together> {
    let mut servers: BTreeMap<PeerHost, Together> = BTreeMap::new();
    for lookups in all {
        let server = servers.entry(lookups.row.server.host()).or_default();
        server.bad += lookups.bad;
        server.independent += lookups.independent(lookups.bad as f64);
        server.expected += lookups.independent(lookups.expected);
    }
    servers
}

/// Logarithm of the chance of so many bad lookups in normal times. `None`: too few are bad. `servers`: lookups of all
/// subjects.
fn test(servers: &BTreeMap<PeerHost, Together>, lookups: &Lookups<'_>) -> Option<f64> {
    let share = lookups.bad as f64 / lookups.row.window.count().max(1) as f64;
    let alone =
        poisson_tail_ln(lookups.independent(lookups.bad as f64).round() as u64, lookups.independent(lookups.expected));
    if share >= BAD_SHARE && alone <= LOSS_ALPHA.ln() {
        return Some(alone);
    }
    if lookups.bad == 0 || share < 0.5 {
        return None;
    }
    let together = servers.get(&lookups.row.server.host())?.ln_p();
    (together <= LOSS_ALPHA.ln()).then_some(together)
}

fn finding(context: &Context<'_>, lookups: &Lookups<'_>, (blame, ln_p): (Blame, f64)) -> Finding {
    let (row, subject) = (lookups.row, context.subject(lookups.subject));
    let server = Edge::of_ends(&row.server);
    let (name, server_name) = (subject.name(), server.peer_name());
    let usual = context.memory.dns.p50_us(row).map_or(String::new(), |us| format!(" (normally {})", ms(us)));
    let all_answered = (row.window.unanswered == 0)
        .then(|| RuledOut { cause: "peer_unreachable".into(), because: "every lookup was answered".into() });
    let tcp = context.first_to(row.server.host());
    let throttling = subject.rule_out_throttling(context.thresholds);
    let loss = tcp.and_then(|edge| context.rule_out_loss(edge));
    Finding {
        nats: LOSS_ALPHA.ln() - ln_p,
        overwhelming: ln_p <= OVERWHELMING_ALPHA.ln(),
        summary: format!("{name} waits for DNS answers of {server_name}: {}{usual}", bad_text(context, lookups)),
        evidence: numbers(context, row, &context.place(&server)),
        ruled_out: [throttling, loss, all_answered].into_iter().flatten().collect(),
        ..Finding::new(&DNS_SLOW, subject.ix, blame)
    }
}

/// The bad lookups, for people.
fn bad_text(context: &Context<'_>, lookups: &Lookups<'_>) -> String {
    let window = &lookups.row.window;
    let limit = ms(context.memory.dns.limit_us(lookups.row, context.thresholds));
    match (window.unanswered, lookups.bad - window.unanswered) {
        (none, 0) => format!("{none} of {} without an answer", window.count()),
        (0, slow) => format!("{slow} of {} took longer than {limit}", window.count()),
        (none, slow) => format!("{slow} of {} took longer than {limit}, {none} had no answer", window.count()),
    }
}

fn numbers(context: &Context<'_>, row: &DnsView, place: &str) -> Vec<Evidence> {
    const SOURCE: &str = "ebpf:cgroup/sock_release";
    let window = &row.window;
    let usual = context.memory.dns.p50_us(row).map(|us| us / 1e6);
    let quantile = |q: f64, name: &str| {
        let us = window.durations.quantile_us(q)?;
        let signal = format!("netwhy_dns_lookup_seconds{{quantile=\"{name}\"}}");
        Some(evidence(&signal, us / 1e6, "seconds", place, SOURCE))
    };
    let median = quantile(0.5, "0.5").map(|number| Evidence { baseline: usual, ..number });
    let unanswered = Evidence {
        baseline: Some(context.memory.dns.bad_ratio(row, context.thresholds)),
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

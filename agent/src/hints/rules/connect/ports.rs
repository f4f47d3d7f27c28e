//! Connections that are never tried because no local port is left for them.

use crate::hints::{
    context::{Context, Edge},
    finding::{Finding, blame, evidence},
    rule::{Family, QueryTemplate, Rule},
    stats::{over, percent},
};
use crate::{
    api::{Blame, BlameKind, RuledOut},
    sample::Gauge,
};
use netwhy_abi::Failure;

pub(crate) const PORT_EXHAUSTION: Rule = Rule {
    id: "port_exhaustion",
    family: Family::Connect,
    order: 105,
    symptom: "connect_failures",
    meaning: "The Pod can't connect because all local ports towards the peer are taken, most of them usually by connections \
              that were closed a minute ago (TIME_WAIT): connect fails at once (EADDRNOTAVAIL), no packet is ever sent.",
    signals: &[
        "netwhy_tcp_connect_failures_total{reason=\"no_local_port\"}",
        "netwhy_tcp_connects_total{role=\"client\"}",
        "netwhy_node_local_ports",
    ],
    test: "At least `connect_failures` attempts on one edge failed in the window because the kernel found no local port. \
           They are counted: no false alarm by chance.",
    minimum: "`connect_failures` such attempts.",
    ruled_out_by: "Attempts that fail for any other reason.",
    action: "Reuse connections (keep-alive, a pool) instead of opening one per request; a wider \
             net.ipv4.ip_local_port_range, more addresses at the peer, or tcp_tw_reuse help for a while.",
    caused_by: &[],
    caused_by_at_peer: &[],
    queries: &[QueryTemplate {
        shows: "connects that found no free local port per second",
        promql: "sum(rate(netwhy_tcp_connect_failures_total{L,reason=\"no_local_port\"}R))",
    }],
};

/// Times the limit from which one window is enough.
const OVERWHELMING: f64 = 10.0;
/// Share of the Node's own ports in use from which the Pod may share them with others.
const FULL: f64 = 0.8;

pub(crate) fn judge(context: &Context<'_>) -> Vec<Finding> {
    context.free(Family::Connect).filter_map(|(i, s, edge)| exhausted(context, i, s, edge)).collect()
}

fn exhausted(context: &Context<'_>, index: usize, subject: usize, edge: &Edge<'_>) -> Option<Finding> {
    let t = edge.tally();
    let (failed, limit) = (t.failures(Failure::NoLocalPort), context.thresholds.connect_failures.max(1));
    if failed < limit {
        return None;
    }
    let attempts = t.connect_failures.iter().sum::<u64>() + edge.client_connects();
    let (name, peer, place) = (context.subjects[subject].name(), edge.peer_name(), context.place(edge));
    let source = "ebpf:inet_sock_set_state";
    let signal = "netwhy_tcp_connect_failures_total{reason=\"no_local_port\"}";
    let mut numbers = vec![
        evidence(signal, failed as f64, "attempts", &place, source),
        evidence("connect_attempts", attempts as f64, "attempts", &place, source),
    ];
    // Ports of the Node's own network, which the Pod uses when it is on it.
    let ports = context.host.and_then(|host| Some((host.gauge(Gauge::PortsUsed)?, host.gauge(Gauge::PortsRange)?)));
    let mut alternatives = Vec::new();
    if let Some((used, range)) = ports {
        let signal = "netwhy_node_local_ports{kind=\"used\"}";
        let unit = format!("of {range} ports");
        numbers.push(evidence(signal, used as f64, &unit, context.node, Gauge::PortsUsed.source()));
        if used as f64 >= FULL * range as f64 {
            alternatives.push(context.node.to_owned());
        }
    }
    Some(Finding {
        rule: &PORT_EXHAUSTION,
        subject,
        nats: over(failed as f64, limit as f64),
        certainty: if alternatives.is_empty() { 1.0 } else { 0.8 },
        blame: Blame { alternatives, ..blame(BlameKind::Pod, name) },
        overwhelming: failed as f64 >= OVERWHELMING * limit as f64,
        summary: format!(
            "{name} has no local port left to connect to {peer}: {failed} of {attempts} attempts ({}) were never sent",
            percent(failed as f64 / attempts as f64)
        ),
        evidence: numbers,
        ruled_out: vec![RuledOut {
            cause: "peer_unreachable".into(),
            because: format!("{failed} attempts failed before a packet was sent"),
        }],
        effects: Vec::new(),
        edges: vec![index],
    })
}

#[cfg(test)]
mod tests;

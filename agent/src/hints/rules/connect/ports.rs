//! Connections that can't be tried because no local port is left for them.

use crate::{
    api::{BlameKind, RuledOut},
    hints::{
        context::{Context, Edge, Subject},
        finding::{Finding, blame, evidence, shared_blame},
        rule::{Family, QueryTemplate, Rule},
        stats::{over, percent},
    },
    sample::Gauge,
};
use netwhy_abi::Failure;

pub(crate) const PORT_EXHAUSTION: Rule = Rule {
    id: "port_exhaustion",
    family: Family::Connect,
    order: 105,
    symptom: "connect_failures",
    meaning: "The Pod can't connect because all local ports towards the peer are taken, usually by connections closed \
              within the last minute (TIME_WAIT). connect fails at once (EADDRNOTAVAIL), and no packet is sent.",
    signals: &[
        "netwhy_tcp_connect_failures_total{reason=\"no_local_port\"}",
        "netwhy_tcp_connects_total{role=\"client\"}",
        "netwhy_node_local_ports",
    ],
    test: "At least `connect_failures` attempts on one edge fail in the window because the kernel finds no local \
           port. They are counted: no false alarm by chance.",
    minimum: "`connect_failures` such attempts.",
    ruled_out_by: "Attempts that fail for any other reason.",
    action: "Reuse connections (keep-alive, a pool) instead of opening one per request. A wider \
             net.ipv4.ip_local_port_range, more addresses at the peer or tcp_tw_reuse help for a while.",
    caused_by: &[],
    caused_by_at_peer: &[],
    queries: &[QueryTemplate {
        shows: "failed connects per second without a free local port",
        promql: "sum(rate(netwhy_tcp_connect_failures_total{L,reason=\"no_local_port\"}R))",
    }],
};

/// Multiple of the limit from which one window is enough.
const OVERWHELMING: f64 = 10.0;
/// Share of the Node's own ports in use from which other users of them may be the reason.
const FULL: f64 = 0.8;

pub(crate) fn judge(context: &Context<'_>) -> Vec<Finding> {
    context.unclaimed(Family::Connect).filter_map(|(subject, edge)| exhausted(context, subject, edge)).collect()
}

fn exhausted(context: &Context<'_>, subject: &Subject<'_>, edge: &Edge<'_>) -> Option<Finding> {
    let tally = edge.tally();
    let (failed, limit) = (tally.failures(Failure::NoLocalPort), context.thresholds.connect_failures.max(1));
    if failed < limit {
        return None;
    }
    let attempts = tally.failed_attempts() + edge.client_connects();
    let (name, peer, place) = (subject.name(), edge.peer_name(), context.place(edge));
    let source = "ebpf:inet_sock_set_state";
    let signal = "netwhy_tcp_connect_failures_total{reason=\"no_local_port\"}";
    let mut numbers = vec![
        evidence(signal, failed as f64, "attempts", &place, source),
        evidence("connect_attempts", attempts as f64, "attempts", &place, source),
    ];
    // A host-network Pod shares the Node's own ports.
    let ports = context.host.and_then(|host| Some((host.gauge(Gauge::PortsUsed)?, host.gauge(Gauge::PortsRange)?)));
    let mut node_is_full = false;
    if let Some((used, range)) = ports {
        let (signal, unit) = ("netwhy_node_local_ports{kind=\"used\"}", format!("of {range} ports"));
        numbers.push(evidence(signal, used as f64, &unit, context.node, Gauge::PortsUsed.source()));
        node_is_full = used as f64 >= FULL * range as f64;
    }
    // Other Pods of the Node's own network may have taken the ports.
    let culprit = match node_is_full {
        true => shared_blame((BlameKind::Pod, name), 0.8, &[(BlameKind::Node, context.node)]),
        false => blame(BlameKind::Pod, name),
    };
    Some(Finding {
        nats: over(failed as f64, limit as f64),
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
        edges: vec![edge.ix],
        ..Finding::new(&PORT_EXHAUSTION, subject.ix, culprit)
    })
}

#[cfg(test)]
mod tests;

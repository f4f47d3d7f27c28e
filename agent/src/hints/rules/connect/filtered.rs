//! Attempts that stay unanswered on one port, or from one Pod, while others to the same address are answered.

pub(crate) mod moments;

use super::attempts::Attempts;
use crate::{
    api::{BlameKind, RuledOut},
    hints::{
        context::{Context, Edge, Subject},
        culprit::suspects::host,
        finding::{Finding, evidence, shared_blame},
        rule::{Family, QueryTemplate, Rule},
        stats::{LOSS_ALPHA, OVERWHELMING_ALPHA},
    },
    state::{Endpoint, PeerHost},
};
use netwhy_abi::{Failure, Role};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) const PORT_FILTERED: Rule = Rule {
    id: "port_filtered",
    family: Family::Connect,
    order: 115,
    symptom: "connect_failures",
    meaning: "A part of the attempts to an address goes unanswered, and others are answered: one port is silent, or the \
              port is silent for one Pod only. The host and the path to it work. A filter (NetworkPolicy, firewall, \
              security group) drops the packets or rejects them by ICMP, or the port's listener accepts nothing. It \
              may come and go.",
    signals: &[
        "netwhy_tcp_retransmitted_segments_total{type=\"syn\"}",
        "netwhy_tcp_connect_failures_total{reason=\"timed_out\"|\"given_up\"|\"host_unreachable\"}",
        "netwhy_tcp_connects_total{role=\"client\"}",
        "netwhy_tcp_retransmitted_segments_total{type=\"timeout\"}",
    ],
    test: "In the last 3 s, none of the Pod's attempts to one port is answered (an ICMP error is no answer). Others to the \
           same address are: to other ports, or by other Pods to this port. If all had the same \
           chance of an answer, so many without one would have a chance below 1e-6 per window. The chance of an answer is estimated from the others, with one \
           failure and one answer more than counted. **Or everything on the port vanishes for moments** of the last \
           minute, while other traffic with the same address is answered and loses nothing in these seconds. Losses \
           exceed the baseline (Poisson, 1e-6). Three other reasons are a thousand times less likely each. If the path \
           stopped for all ports, each moment would spare the others with a chance of the port's share of the packets. \
           If losses were random, what is sent again would be lost again as rarely as the rest. If one of several \
           paths were at fault, all flows of the port would be on it, and no other.",
    minimum: "`syn_retransmits` resent SYNs or `connect_failures` attempts, and as many others as the test needs. Or 4 \
              seconds with timeouts.",
    ruled_out_by: "Requests on open connections to that port wait for an answer too: then the program stands still. The \
                   listener refuses (a reset): `peer_refusing`. For moments: an address of a Service, a Pod without other \
                   traffic to compare, handshakes that complete all the same, or connections that carry nothing after \
                   their losses: they are dead, and others to the port work.",
    action: "Check the NetworkPolicies that select either Pod, host firewalls and security groups for that port. Then \
             check whether its listener accepts connections.",
    caused_by: &["node_conntrack_full", "node_nic_drops", "node_qdisc_drops", "node_softnet_drops", "node_packet_loss"],
    caused_by_at_peer: &[
        "pod_oom_killed",
        "pod_restarting",
        "pod_not_running",
        "pod_accept_queue_full",
        "syn_queue_full",
        "pod_not_reading",
        "pod_cpu_throttled",
    ],
    queries: &[QueryTemplate {
        shows: "failed connects per second, by reason",
        promql: "sum by (reason) (rate(netwhy_tcp_connect_failures_total{S}R))",
    }],
};

/// Probability that the filter is at the peer: most policies are about who may enter.
const AT_PEER: f64 = 0.85;

/// All clients' edges, by what they share.
#[derive(Default)]
pub(super) struct Clients {
    /// Attempts of the last seconds by host and port.
    ports: BTreeMap<(PeerHost, u16), Attempts>,
    /// The same without edges that fell silent …
    alive_ports: BTreeMap<(PeerHost, u16), Attempts>,
    /// … and of all ports of a host.
    alive_hosts: BTreeMap<PeerHost, Attempts>,
    /// Endpoints with requests on open connections that wait for an answer.
    waiting: BTreeSet<Endpoint>,
}

impl Clients {
    pub(super) fn new(context: &Context<'_>) -> Self {
        let mut clients = Self::default();
        for edge in context.edges() {
            if edge.view.responses.as_ref().is_some_and(|times| times.waiting.is_some()) {
                clients.waiting.insert(edge.view.endpoint());
            }
            // Port 0 is the rest of an address with many ports.
            if is_client_of_port(edge) {
                clients.add(edge, &Attempts::new(context, edge, &edge.view.recent));
            }
        }
        clients
    }

    fn add(&mut self, edge: &Edge<'_>, attempts: &Attempts) {
        let (host, port) = (edge.view.host(), edge.view.port);
        self.ports.entry((host, port)).or_default().add(attempts);
        if !edge.silent {
            self.alive_ports.entry((host, port)).or_default().add(attempts);
            self.alive_hosts.entry(host).or_default().add(attempts);
        }
    }

    /// Attempts of other edges to the same port of the same host.
    fn beside(&self, context: &Context<'_>, edge: &Edge<'_>) -> Attempts {
        let all = self.ports.get(&(edge.view.host(), edge.view.port)).copied().unwrap_or_default();
        all.without(&Attempts::new(context, edge, &edge.view.recent))
    }

    /// Attempts to other ports of the same host.
    fn at_other_ports(&self, edge: &Edge<'_>) -> Attempts {
        let host = edge.view.host();
        let all = self.alive_hosts.get(&host).copied().unwrap_or_default();
        all.without(&self.alive_ports.get(&(host, edge.view.port)).copied().unwrap_or_default())
    }
}

fn is_client_of_port(edge: &Edge<'_>) -> bool {
    edge.view.role == Some(Role::Client) && edge.view.port != 0
}

/// `own`: the edge's attempts, of which none was answered.
pub(super) fn judge(
    context: &Context<'_>,
    subject: &Subject<'_>,
    edge: &Edge<'_>,
    (own, clients): (&Attempts, &Clients),
) -> Option<Finding> {
    // Where requests on open connections to the same port wait as well, the program stands still.
    if !is_client_of_port(edge) || clients.waiting.contains(&edge.view.endpoint()) {
        return None;
    }
    let (ports, pods) = (clients.at_other_ports(edge), clients.beside(context, edge));
    let ln_chance = |others: Attempts| others.ln_chance(own.unanswered()).filter(|ln| *ln <= LOSS_ALPHA.ln());
    // While other Pods reach the port, it is this Pod's attempts alone that are dropped.
    let (ln_p, others, of) = match (ln_chance(pods), ln_chance(ports)) {
        (Some(ln_p), _) => (ln_p, pods, Of::OtherPods),
        (None, Some(ln_p)) if pods.answered == 0 => (ln_p, ports, Of::OtherPorts),
        _ => return None,
    };
    Some(describe(context, (subject, edge), own, (ln_p, others, of)))
}

/// The attempts that are answered instead.
#[derive(Clone, Copy)]
enum Of {
    OtherPorts,
    OtherPods,
}

fn describe(
    context: &Context<'_>,
    (subject, edge): (&Subject<'_>, &Edge<'_>),
    own: &Attempts,
    (ln_p, others, of): (f64, Attempts, Of),
) -> Finding {
    let (name, peer, port, place) = (subject.name(), edge.peer_name(), edge.view.port, context.place(edge));
    let all = others.answered + others.unanswered();
    let answered = match of {
        Of::OtherPorts => format!("{} of {all} attempts to its other ports are answered", others.answered),
        Of::OtherPods => format!("{} of {all} attempts of other Pods to it are answered", others.answered),
    };
    let (kind, at_peer) = host(edge);
    let culprit = shared_blame((kind, &at_peer), AT_PEER, &[(BlameKind::Pod, name)]);
    let source = "ebpf:inet_sock_set_state";
    let refused = edge.tally().failures(Failure::Refused);
    // The peer's host is there: others reach it.
    let what =
        if own.unreachable > 0 { "a filter that rejects them" } else { "a filter, or a listener that accepts nothing" };
    Finding {
        nats: LOSS_ALPHA.ln() - ln_p,
        overwhelming: ln_p <= OVERWHELMING_ALPHA.ln(),
        summary: format!(
            "part of the attempts to {peer} go unanswered: {name} gets no answer from port {port} ({}), while {answered}: \
             {what}",
            own.text()
        ),
        evidence: vec![
            evidence("unanswered_attempts", own.unanswered() as f64, "attempts", &place, source),
            evidence("answered_attempts_beside", others.answered as f64, &format!("of {all} attempts"), &place, source),
        ],
        ruled_out: vec![
            RuledOut { cause: "peer_unreachable".into(), because: answered },
            RuledOut { cause: "peer_refusing".into(), because: format!("{refused} attempts refused") },
        ],
        edges: vec![edge.ix],
        ..Finding::new(&PORT_FILTERED, subject.ix, culprit)
    }
}

#[cfg(test)]
mod tests;

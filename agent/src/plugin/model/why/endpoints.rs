//! Hints that blame a Service, joined with what the agents of its endpoints know: the client's agent sees the Service's
//! address only, and the trouble lies with one of the Pods behind it, as likely as not.

use super::Facts;
use crate::{
    api::{Blame, BlameKind, EdgeRow, Hint, HintState, RuledOut, Suspect},
    plugin::model::{
        causal_path::{makes_at_callers, pod_of},
        settle::{MISFIT, OWN_REASON, unlisted},
        unix_ms,
    },
};
use netwhy_abi::Role;
use std::{collections::BTreeSet, net::IpAddr};

/// Evidence of the share of slow requests: figures of agents.
const SLOW_REQUESTS: &str = "slow_requests";
/// Evidence against a trouble that began well before its effect, nats: one effect in ten waits for more load.
const OLDER: f64 = 2.3;
/// Endpoints that a text names.
const MAX_NAMED: usize = 4;

/// A Service that the target calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceEnds {
    /// `namespace/name`.
    pub name: String,
    /// Its virtual addresses.
    pub addresses: Vec<IpAddr>,
    /// The Pods behind it.
    pub endpoints: Vec<Endpoint>,
}

/// A Pod behind a Service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    /// `namespace/name`.
    pub pod: String,
    /// Its Node.
    pub node: String,
}

impl ServiceEnds {
    /// Whether this is one of its addresses.
    pub fn has(&self, address: &str) -> bool {
        address.parse::<IpAddr>().is_ok_and(|address| self.addresses.contains(&address))
    }

    /// Whether an edge leads to it, and the Pod behind is not known.
    fn is_called_by(&self, edge: &EdgeRow) -> bool {
        edge.role.as_deref() == Some(Role::Client.label()) && edge.peer_pod.is_none() && self.has(&edge.peer)
    }
}

impl Facts {
    /// Whether an edge leads to a Service with this Pod behind it.
    pub(super) fn reaches(&self, edge: &EdgeRow, pod: &str) -> bool {
        let has_it = |service: &&ServiceEnds| service.endpoints.iter().any(|endpoint| endpoint.pod == pod);
        self.services.iter().filter(has_it).any(|service| service.is_called_by(edge))
    }
}

/// Splits what each firing hint about the target gives to a Service among its endpoints, by the troubles that their own
/// agents know.
pub(super) fn join(facts: &mut Facts) {
    let found: Vec<(usize, Joined)> = facts
        .hints
        .iter()
        .enumerate()
        .filter(|(_, hint)| hint.state == HintState::Firing && facts.is_about(hint))
        .filter_map(|(at, hint)| Some((at, Joined::of(facts, hint)?)))
        .collect();
    for (at, joined) in found {
        joined.tell(&mut facts.hints[at]);
    }
}

/// A hint's Service, and those of its endpoints whose own troubles explain the hint.
struct Joined {
    service: Suspect,
    /// `namespace/name` of the Service.
    name: String,
    endpoints: usize,
    /// With the evidence for each, nats.
    troubled: Vec<(Endpoint, f64)>,
    /// The others whose agents answered.
    well: Vec<Endpoint>,
}

impl Joined {
    /// `None`: no endpoint explains it.
    fn of(facts: &Facts, hint: &Hint) -> Option<Self> {
        let mut services = hint.blame.candidates().filter(|one| one.kind == BlameKind::Service);
        let known = |one: Suspect| Some((facts.services.iter().find(|service| service.has(&one.name))?, one));
        let (ends, service) = services.find_map(known)?;
        let all: BTreeSet<&Endpoint> = ends.endpoints.iter().collect();
        let evidence = |endpoint: &Endpoint| {
            let nats = facts.hints.iter().filter_map(|own| reason(own, endpoint, hint));
            nats.max_by(f64::total_cmp)
        };
        let troubled: Vec<(&Endpoint, f64)> = all.iter().filter_map(|one| Some((*one, evidence(one)?))).collect();
        let against = too_many(facts, hint, ends, troubled.len() as f64 / all.len().max(1) as f64);
        let is_silent =
            |node: &str| facts.unasked.contains(node) || facts.not_answered.iter().any(|silent| silent.node == node);
        let mut well: Vec<Endpoint> = Vec::new();
        for one in &all {
            if !is_silent(&one.node) && !troubled.iter().any(|(other, _)| other == one) {
                well.push(Endpoint::clone(one));
            }
        }
        let explains = |(one, nats): (&Endpoint, f64)| (nats > against).then(|| (one.clone(), nats - against));
        let troubled: Vec<(Endpoint, f64)> = troubled.into_iter().filter_map(explains).collect();
        let (name, endpoints) = (ends.name.clone(), all.len());
        (!troubled.is_empty()).then_some(Self { service, name, endpoints, troubled, well })
    }

    /// Each endpoint is as likely beforehand, and so is something that all of them share.
    fn tell(self, hint: &mut Hint) {
        let Self { service, name, endpoints, troubled, well } = self;
        let was = hint.blame.best();
        let each = service.probability / (endpoints + 1) as f64;
        let rest = each * (endpoints + 1 - troubled.len()) as f64;
        let is_service = |one: &Suspect| one.kind == BlameKind::Service && one.name == service.name;
        let mut all: Vec<Suspect> = hint.blame.candidates().filter(|one| !is_service(one)).collect();
        all.push(Suspect { probability: rest, ..service.clone() });
        let of_endpoint =
            |(one, nats): &(Endpoint, f64)| Suspect::new(BlameKind::PeerPod, one.pod.as_str(), each * nats.exp());
        all.extend(troubled.iter().map(of_endpoint));
        let total = all.iter().map(|one| one.probability).sum::<f64>() + unlisted(&hint.blame);
        all.iter_mut().for_each(|one| one.probability *= (1.0 - MISFIT) / total);
        hint.blame = Blame::among(all);
        if was > 0.0 {
            hint.confidence = ((hint.confidence * hint.blame.best() / was).min(1.0) * 100.0).round() / 100.0;
        }
        let pods: Vec<Endpoint> = troubled.into_iter().map(|(one, _)| one).collect();
        hint.summary = format!(
            "{}; of the {endpoints} endpoints of Service {name}, {} {}",
            hint.summary.trim_end_matches('.'),
            named(&pods),
            if pods.len() == 1 { "has a trouble that explains it" } else { "have troubles that explain it" }
        );
        if !well.is_empty() {
            let because = format!("the agents of the other endpoints know no such trouble: {}", named(&well));
            hint.ruled_out.push(RuledOut { cause: hint.cause.clone(), because });
        }
    }
}

/// `shop/db-0 on node-b, shop/db-1 on node-c and 3 more`.
fn named(endpoints: &[Endpoint]) -> String {
    let first: Vec<String> =
        endpoints.iter().take(MAX_NAMED).map(|Endpoint { pod, node }| format!("{pod} on {node}")).collect();
    let more = match endpoints.len().saturating_sub(MAX_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", first.join(", "))
}

/// Evidence of a hint about an endpoint that this trouble makes the `effect`, nats. `None`: it makes no such effect, or
/// began after it.
fn reason(own: &Hint, endpoint: &Endpoint, effect: &Hint) -> Option<f64> {
    let is_own = matches!(own.blame.kind, BlameKind::Pod | BlameKind::Node);
    let makes_it =
        own.state == HintState::Firing && is_own && pod_of(own) == endpoint.pod && makes_at_callers(own, &effect.cause);
    if !makes_it {
        return None;
    }
    let (began, felt) = (unix_ms(&own.first_seen)?, unix_ms(&effect.first_seen)?);
    let later_ms = felt.saturating_sub(began) as f64;
    // Each agent finds it within its window.
    let windows_ms = 1000.0 * (own.window_seconds + effect.window_seconds);
    if later_ms < -windows_ms {
        return None;
    }
    Some(if later_ms > windows_ms { OWN_REASON - OLDER } else { OWN_REASON })
}

/// Evidence against endpoints that get this share of the connections, as far as more of the requests are slow: each new
/// connection goes to one of them by chance (binomial, Chernoff's bound), nats. Fewer may be slow: clients wait longer for
/// those, and a trouble need not hit all requests.
fn too_many(facts: &Facts, hint: &Hint, ends: &ServiceEnds, expected: f64) -> f64 {
    let Some(slow) = hint.evidence.iter().find(|one| one.signal == SLOW_REQUESTS) else { return 0.0 };
    let share = slow.observed.clamp(0.0, 1.0);
    if share <= expected || expected <= 0.0 {
        return 0.0;
    }
    let of_subject = |edge: &&EdgeRow| {
        let (one, other) = (&edge.subject, &hint.subject);
        (&one.namespace, &one.name) == (&other.namespace, &other.name) && ends.is_called_by(edge)
    };
    let made = |edge: &EdgeRow| edge.connects.get(Role::Client.label()).copied().unwrap_or(0);
    let connections = facts.edges.iter().filter(of_subject).map(made).sum::<u64>().max(1);
    let part = |share: f64, expected: f64| if share > 0.0 { share * (share / expected).ln() } else { 0.0 };
    connections as f64 * (part(share, expected) + part(1.0 - share, 1.0 - expected))
}

#[cfg(test)]
mod tests;

//! One time in which a hint fired, from a flight recorder or from Prometheus.

use crate::{
    api::{BlameKind, Hint, HintState},
    plugin::model::unix_ms,
};
use serde::Serialize;

/// What makes two firings the same trouble.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Fingerprint {
    /// Namespace; empty for Nodes.
    pub namespace: String,
    /// Workload, such as `Deployment/payment`; without one the Pod, or `Node/a`.
    pub workload: String,
    /// Cause as in docs/hints.md.
    pub cause: String,
    /// Kind of the culprit.
    pub blame_kind: String,
    /// Its name; `~address` where that holds an address. Empty: the subject itself, or nobody is named.
    pub blame: String,
}

/// One firing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Firing {
    /// What it is.
    pub fingerprint: Fingerprint,
    /// Whom it is about: `pod shop/cart-1`, `node a`. Empty: not known.
    pub subject: String,
    /// The culprit in the same form, or `external 192.0.2.7`. Empty: nobody is named.
    pub culprit: String,
    /// Node whose agent reported it; empty where that is not known.
    pub node: String,
    /// Begin, ms since the Unix epoch.
    pub from: i64,
    /// End, ms since the Unix epoch.
    pub to: i64,
    /// It fired at the end of the time that was asked for.
    pub lasts: bool,
    /// Time in which it fired, ms.
    pub fired_ms: f64,
    /// How much its begin may be off, ms.
    pub resolution: i64,
    /// Confidence, 0 … 1. `None`: not known.
    pub confidence: Option<f64>,
}

impl Firing {
    /// A hint of a flight recorder, within the recorded part of the time that was asked for. One that fires lasts to
    /// its end: its newest finding may be a minute old. `None`: its times can't be read.
    pub fn of_hint(hint: &Hint, (from, to): (i64, i64)) -> Option<Self> {
        let (first, last) = (unix_ms(&hint.first_seen)?, unix_ms(&hint.last_seen)?);
        let lasts = hint.state == HintState::Firing;
        let begin = first.max(from);
        let end = if lasts { last.max(to) } else { last }.min(to).max(begin);
        let blame = &hint.blame;
        let out = Self::named(&Named {
            namespace: &hint.subject.namespace,
            pod: if hint.subject.kind == "Node" { "" } else { &hint.subject.name },
            workload: &hint.subject.workload,
            node: &hint.subject.node,
            cause: &hint.cause,
            blame_kind: blame.kind.label(),
            blame: blame.name_without_address(),
        });
        // A metric's label leaves addresses out, and a flight recorder does not.
        let culprit = match blame.kind {
            BlameKind::Pod => out.culprit,
            _ if blame.name.is_empty() => String::new(),
            kind => entity(kind.label(), &blame.name),
        };
        Some(Self {
            from: begin,
            to: end,
            lasts,
            fired_ms: end.saturating_sub(begin) as f64,
            resolution: (hint.window_seconds.clamp(0.0, 3600.0) * 1e3) as i64,
            confidence: Some(hint.confidence),
            culprit,
            ..out
        })
    }

    /// A firing of these names, without its times.
    pub fn named(names: &Named<'_>) -> Self {
        let Named { namespace, pod, workload, node, cause, blame_kind, blame } = *names;
        let subject = match (pod, node) {
            ("~other", _) | ("", "") => String::new(),
            ("", node) => format!("node {node}"),
            (pod, _) => format!("pod {namespace}/{pod}"),
        };
        let is_itself = blame_kind == BlameKind::Pod.label();
        let culprit = match blame {
            _ if is_itself => subject.clone(),
            "" | "~address" | "~other" => String::new(),
            name => entity(blame_kind, name),
        };
        let group = match (workload, pod, node) {
            ("", "", node) => format!("Node/{node}"),
            ("", pod, _) => format!("Pod/{pod}"),
            (workload, ..) => workload.to_owned(),
        };
        Self {
            fingerprint: Fingerprint {
                namespace: if pod.is_empty() { String::new() } else { namespace.to_owned() },
                workload: group,
                cause: cause.to_owned(),
                blame_kind: blame_kind.to_owned(),
                // The names of Pods change with each rollout, and the workload has been named.
                blame: if is_itself { String::new() } else { blame.to_owned() },
            },
            subject,
            culprit,
            node: node.to_owned(),
            ..Self::default()
        }
    }
}

/// Names of a firing, as the labels of `netwhy_hint_seconds_total` have them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Named<'a> {
    /// Namespace.
    pub namespace: &'a str,
    /// Pod; empty for a Node.
    pub pod: &'a str,
    /// Workload; empty without one.
    pub workload: &'a str,
    /// Node of the agent.
    pub node: &'a str,
    /// Cause.
    pub cause: &'a str,
    /// Kind of the culprit.
    pub blame_kind: &'a str,
    /// Name of the culprit.
    pub blame: &'a str,
}

/// One name for a Pod or Node, whoever speaks of it.
fn entity(kind: &str, name: &str) -> String {
    match kind {
        "node" | "peer_node" => format!("node {name}"),
        "pod" | "peer_pod" => format!("pod {name}"),
        kind => format!("{kind} {name}"),
    }
}

//! The right answers for a fault, from what it does and where: pure.
//!
//! A cause is right when it is literally true of the mechanism. The culprit is the place that was broken, even where
//! the traffic can't tell it from another.

use super::{
    culprit::Culprit,
    plan::{EXTERNAL, Fault, Mechanism, Place, Plan, Role, Way},
};

/// Packets get lost on the way; which name it gets depends on the end that sees it.
const LOSS: [&str; 3] = ["path_loss", "node_packet_loss", "reverse_path_loss"];
const LATENCY: [&str; 1] = ["path_latency"];
/// Nothing or nearly nothing comes through: new connections find no answer.
const SILENCE: [&str; 1] = ["peer_unreachable"];
/// Of lost packets, from which share on most connections fail to be made within seconds, %.
const HEAVY_LOSS: f64 = 25.0;

/// The answers that count as right.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Truth {
    /// Each of them names who is at fault.
    pub(super) culprits: Vec<Culprit>,
    /// Each of them says what is wrong.
    pub(super) causes: Vec<&'static str>,
    /// True of the culprit as well, as an effect: no error in a hint, and not the answer.
    pub(super) effects: Vec<&'static str>,
}

impl Truth {
    pub(super) fn blames(&self, culprit: &Culprit) -> bool {
        self.culprits.contains(culprit)
    }

    pub(super) fn is_right(&self, culprit: &Culprit, cause: &str) -> bool {
        self.blames(culprit) && self.causes.contains(&cause)
    }

    /// Right, or an effect at the right place.
    pub(super) fn is_true(&self, culprit: &Culprit, cause: &str) -> bool {
        self.blames(culprit) && (self.causes.contains(&cause) || self.effects.contains(&cause))
    }

    /// A Node that would be cordoned for nothing.
    pub(super) fn is_wrong_node(&self, culprit: &Culprit) -> bool {
        matches!(culprit, Culprit::Node(_)) && !self.blames(culprit)
    }
}

pub(super) fn truth(plan: &Plan, fault: &Fault) -> Truth {
    let (causes, effects) = causes(plan, fault);
    Truth { culprits: culprits(fault), causes, effects }
}

fn culprits(fault: &Fault) -> Vec<Culprit> {
    match (&fault.place, &fault.mechanism) {
        // A part of the paths between two Nodes; "between these two Nodes" is true as well.
        (Place::Pair(a, b), Mechanism::Share { .. }) => vec![Culprit::share(a, b), Culprit::pair(a, b)],
        (Place::Pair(a, b), _) => vec![Culprit::pair(a, b)],
        (Place::Node(node), _) => vec![Culprit::Node(node.clone())],
        (Place::Zones, _) => vec![Culprit::Zones],
        (Place::Outside, _) => vec![Culprit::External],
        (Place::Pod(pod), _) if pod == EXTERNAL => vec![Culprit::External],
        (Place::Pod(pod), _) => vec![Culprit::Pod(pod.clone())],
    }
}

/// Right causes, and effects.
fn causes(plan: &Plan, fault: &Fault) -> (Vec<&'static str>, Vec<&'static str>) {
    let is_pod = matches!(fault.place, Place::Pod(_));
    let is_outside = fault.place == Place::Outside;
    let all = |parts: &[&[&'static str]]| parts.concat();
    match &fault.mechanism {
        Mechanism::Drop { percent } if *percent >= HEAVY_LOSS => (all(&[&LOSS, &SILENCE]), vec!["path_latency"]),
        // Receivers drop what is corrupt.
        Mechanism::Drop { .. } | Mechanism::Corrupt { .. } => (LOSS.to_vec(), vec!["peer_unreachable"]),
        Mechanism::Share { percent, .. } if *percent >= HEAVY_LOSS => (all(&[&LOSS, &SILENCE]), vec![]),
        Mechanism::Share { .. } => (LOSS.to_vec(), vec!["peer_unreachable"]),
        // TCP drops copies: nobody waits for anything.
        Mechanism::Duplicate { .. } => (vec![], vec![]),
        // `external_slow` means a slow peer or a longer path there.
        Mechanism::Delay { .. } if is_outside => (all(&[&LATENCY, &["external_slow"]]), vec![]),
        Mechanism::Delay { .. } => (LATENCY.to_vec(), vec![]),
        // Some packets take a longer way, and so come out of order.
        Mechanism::Reorder { .. } => (vec!["path_reordering", "path_latency"], vec!["path_loss"]),
        Mechanism::Police { .. } if is_pod => (all(&[&LOSS, &["pod_bandwidth_limited"]]), vec!["path_latency"]),
        // Loss without a queue.
        Mechanism::Police { .. } => (LOSS.to_vec(), vec!["path_latency"]),
        Mechanism::Shape { .. } => {
            // One queue, three ways to see it: it overflows, it delays, it loses.
            let queue: &[&str] = if is_pod {
                &["pod_bandwidth_limited"]
            } else if fault.way == Way::Out {
                &["node_qdisc_drops"]
            } else {
                &[]
            };
            (all(&[queue, &LATENCY, &LOSS]), vec![])
        }
        Mechanism::Reject => (vec!["peer_refusing", "port_filtered", "connections_reset"], vec![]),
        Mechanism::Reset { .. } => (vec!["connections_reset"], vec!["peer_refusing"]),
        Mechanism::Size { .. } => (vec!["path_mtu_blackhole"], all(&[&LOSS, &SILENCE])),
        Mechanism::Port => (all(&[&["port_filtered"], &SILENCE]), LOSS.to_vec()),
        // Kept connections only see their packets lost; new ones find no answer.
        Mechanism::Blackhole => (all(&[&SILENCE, &LOSS]), vec!["dns_slow", "path_latency"]),
        Mechanism::Stop => stopped(plan, fault),
        Mechanism::SlowSometimes { .. } | Mechanism::Think { .. } if is_outside => (vec!["external_slow"], vec![]),
        Mechanism::SlowSometimes { .. } | Mechanism::Think { .. } => {
            (vec!["pod_application_slow", "peer_slow"], vec!["peer_not_answering"])
        }
        Mechanism::Lock { .. } => {
            (vec!["pod_application_slow", "peer_slow"], vec!["peer_not_answering", "pod_not_reading"])
        }
        // Connections are made by the kernel, and the process can't take them.
        Mechanism::Descriptors { .. } => {
            (vec!["peer_not_answering", "pod_not_reading", "pod_accept_queue_full"], vec!["peer_unreachable"])
        }
        Mechanism::Ports { .. } => (vec!["port_exhaustion"], vec![]),
        Mechanism::Quota { .. } => {
            let waits = vec!["peer_slow", "pod_application_slow", "pod_accept_queue_full", "peer_not_answering"];
            (vec!["pod_cpu_throttled"], [waits, vec!["pod_not_reading", "pod_cpu_starved"]].concat())
        }
        Mechanism::Backlog { .. } => (vec!["pod_accept_queue_full"], vec!["peer_unreachable", "peer_not_answering"]),
        Mechanism::Gone => (vec!["peer_refusing"], vec!["pod_not_running", "connections_reset"]),
        Mechanism::SlowReader { .. } => {
            (vec!["peer_receiver_limited", "pod_slow_reader"], vec!["pod_not_reading", "peer_not_answering"])
        }
        Mechanism::DnsDelay { .. } => (vec!["dns_slow"], vec![]),
        Mechanism::DnsErrors { .. } => (vec!["dns_errors"], vec![]),
    }
}

/// Right causes of a stopped process, and effects.
fn stopped(plan: &Plan, fault: &Fault) -> (Vec<&'static str>, Vec<&'static str>) {
    let more = vec!["pod_accept_queue_full", "peer_unreachable"];
    match role(plan, fault) {
        Some(Role::Resolver) => (vec!["dns_slow"], vec![]),
        // A stream has no requests: its end is no longer read, and that closes the window.
        Some(Role::Sink) => {
            let unread = vec!["pod_not_reading", "peer_receiver_limited", "pod_slow_reader"];
            (unread, [more, vec!["peer_not_answering"]].concat())
        }
        _ => {
            let slow = if fault.place == Place::Outside { vec!["external_slow"] } else { vec![] };
            let waits = vec!["peer_receiver_limited", "pod_slow_reader"];
            (vec!["peer_not_answering", "pod_not_reading"], [more, waits, slow].concat())
        }
    }
}

/// Role of the Pod at fault.
fn role(plan: &Plan, fault: &Fault) -> Option<Role> {
    match &fault.place {
        Place::Pod(pod) => plan.pod(pod).map(|pod| pod.role),
        _ => None,
    }
}

#[cfg(test)]
mod tests;

//! The objects in the API server's form.

use super::schedule::{NodeCondition, PodEvent};
use crate::text::printable;
use serde_json::{Value, json};

/// Type of the Node's condition.
const CONDITION: &str = "NetwhyNetworkTrouble";
/// Longest message of an Event.
const MAX_MESSAGE: usize = 1024;

/// A core/v1 Event: what `kubectl describe pod` shows.
pub(super) fn event(event: &PodEvent) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": event.name(), "namespace": event.namespace},
        "involvedObject": {
            "apiVersion": "v1", "kind": "Pod", "namespace": event.namespace, "name": event.pod, "uid": event.uid,
        },
        "type": "Warning",
        "reason": camel_case(&event.cause),
        "message": shortened(&event.message),
        "firstTimestamp": whole_seconds(&event.first_seen),
        "lastTimestamp": whole_seconds(&event.last_seen),
        "count": event.count,
        "source": {"component": "netwhy-agent", "host": event.node},
        "reportingComponent": "netwhy-agent",
        "reportingInstance": event.node,
    })
}

/// The fields of a Node's status that netwhy owns.
pub(super) fn condition(condition: &NodeCondition) -> Value {
    let (status, reason, message) = match &condition.problem {
        Some((cause, summary)) => ("True", camel_case(cause), shortened(summary)),
        None => ("False", "NoHint".to_owned(), "no hint of netwhy blames this Node".to_owned()),
    };
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": condition.node},
        "status": {"conditions": [{
            "type": CONDITION,
            "status": status,
            "reason": reason,
            "message": message,
            "lastHeartbeatTime": condition.now,
            "lastTransitionTime": condition.since,
        }]},
    })
}

/// `path_latency` → `PathLatency`, the form of a reason.
fn camel_case(cause: &str) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or(String::new(), |first| first.to_ascii_uppercase().to_string() + letters.as_str())
    };
    cause.split('_').map(capital).collect()
}

/// The message as readers of Events can see it.
fn shortened(text: &str) -> String {
    let text = printable(text);
    if text.len() <= MAX_MESSAGE {
        return text.into_owned();
    }
    let cut = (0..=MAX_MESSAGE - "…".len()).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}…", &text[..cut])
}

/// Hints have milliseconds, which `metav1.Time` refuses.
fn whole_seconds(rfc3339: &str) -> String {
    rfc3339.split_once('.').map_or_else(|| rfc3339.to_owned(), |(seconds, _)| format!("{seconds}Z"))
}

#[cfg(test)]
mod tests;

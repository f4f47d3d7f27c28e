//! Events about Nodes, workloads and their autoscalers.

use super::{
    super::{
        super::model::{
            changed::{ChangeKind, Focus, Found, Near, Seen, Window},
            health::Fact,
        },
        objects,
    },
    Asked, each,
    pods::clause,
    written::ms,
};
use k8s_openapi::api::{autoscaling::v1::HorizontalPodAutoscaler, core::v1};
use kube::{Api, api::ListParams};

/// Namespace of Events about objects that have none.
const OF_NODES: &str = "default";
/// Most autoscalers to read.
const MAX_SCALERS: usize = 4;
/// Reasons that say only that all is as before.
const QUIET: [&str; 4] =
    ["NodeHasSufficientMemory", "NodeHasNoDiskPressure", "NodeHasSufficientPID", "NodeAllocatableEnforced"];

/// An Event within the window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) at_ms: i64,
    pub(super) reason: String,
    pub(super) message: String,
    /// Name of the object.
    pub(super) of: String,
}

/// The Events about one object.
pub(super) async fn of_object(asked: Asked<'_>, namespace: &str, kind: &str, name: &str) -> (Vec<Event>, Vec<Fact>) {
    selected(asked, namespace, &format!("involvedObject.kind={kind},involvedObject.name={name}")).await
}

async fn selected(asked: Asked<'_>, namespace: &str, fields: &str) -> (Vec<Event>, Vec<Fact>) {
    let api: Api<v1::Event> = Api::namespaced(asked.client.clone(), namespace);
    let (all, unknown) = asked.list("Events", &api, ListParams::default().fields(fields)).await;
    (all.iter().filter_map(|event| within(event, asked.window)).collect(), unknown)
}

/// The Event, if its last or its first occurrence is in the window.
pub(super) fn within(event: &v1::Event, window: Window) -> Option<Event> {
    let series = event.series.as_ref().and_then(|series| series.last_observed_time.as_ref());
    let series = series.map(|time| time.0.as_millisecond());
    let first = event.event_time.as_ref().map(|time| time.0.as_millisecond());
    let times = [ms(event.last_timestamp.as_ref()), series, ms(event.first_timestamp.as_ref()), first];
    Some(Event {
        at_ms: window.first(times)?,
        reason: event.reason.clone().unwrap_or_default(),
        message: clause(event.message.as_deref().unwrap_or_default()),
        of: event.involved_object.name.clone().unwrap_or_default(),
    })
}

/// Events about the Nodes, and of autoscalers in the namespaces.
pub(super) async fn read(asked: Asked<'_>, focus: &Focus) -> Found {
    let near = focus.nodes.iter().filter(|(_, near)| **near != Near::Nearby);
    let nodes: Vec<(String, Near)> = near.map(|(name, near)| (name.clone(), *near)).collect();
    let mut found = each(nodes, |(node, near)| async move {
        let (events, unknown) = of_object(asked, OF_NODES, "Node", &node).await;
        let seen = events.iter().filter_map(|event| of_node(event, &node, near)).collect();
        Found { seen, unknown, ..Found::default() }
    })
    .await;
    let scaled = each(focus.namespaces(), |namespace| async move { scaled(asked, &namespace, focus).await });
    found.add(scaled.await);
    found
}

/// A Node's Event as a change. `None`: nothing changed.
pub(super) fn of_node(event: &Event, node: &str, near: Near) -> Option<Seen> {
    let Event { at_ms, reason, message, of: _ } = event;
    let (kind, what) = match reason.as_str() {
        quiet if QUIET.contains(&quiet) => return None,
        "Rebooted" => (ChangeKind::Reboot, format!("rebooted: {message}")),
        "NodeNotSchedulable" => (ChangeKind::Drain, "was cordoned".to_owned()),
        "NodeSchedulable" => (ChangeKind::Drain, "is no longer cordoned".to_owned()),
        "Starting" => (ChangeKind::Restart, message.clone()),
        _ => (ChangeKind::Condition, format!("{reason}: {message}")),
    };
    let object = format!("Node/{node}");
    Some(Seen { at_ms: *at_ms, near, kind, namespace: String::new(), object, what })
}

/// Changes that autoscalers made.
async fn scaled(asked: Asked<'_>, namespace: &str, focus: &Focus) -> Found {
    let (events, unknown) = selected(asked, namespace, "reason=SuccessfulRescale").await;
    let mut found = Found { unknown, ..Found::default() };
    let mut names: Vec<&str> = events.iter().map(|event| event.of.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names.into_iter().take(MAX_SCALERS) {
        let api: Api<HorizontalPodAutoscaler> = Api::namespaced(asked.client.clone(), namespace);
        let what = format!("HorizontalPodAutoscaler {namespace}/{name}");
        let scaler = match objects::request_optional(asked.session, &what, api.get(name)).await {
            Ok(scaler) => scaler,
            Err(failure) => {
                found.unknown.push(Fact::new("HorizontalPodAutoscalers", failure.to_string()));
                None
            }
        };
        let scales = scaler.and_then(|scaler| scaler.spec).map(|spec| spec.scale_target_ref);
        // Without the right to read it: the usual name is that of its workload.
        let (kind, of) = scales.map_or((None, name.to_owned()), |to| (Some(to.kind), to.name));
        let near = focus.workloads.iter().filter(|(workload, _)| {
            workload.namespace == namespace
                && workload.name == of
                && kind.as_ref().is_none_or(|kind| *kind == workload.kind)
        });
        let near = near.map(|(_, near)| *near).min().unwrap_or(Near::Nearby);
        found.seen.extend(events.iter().filter(|event| event.of == name).map(|event| Seen {
            at_ms: event.at_ms,
            near,
            kind: ChangeKind::Scaling,
            namespace: namespace.to_owned(),
            object: format!("HorizontalPodAutoscaler/{name}"),
            what: format!("scaled {of}: {}", event.message),
        }));
    }
    found
}

#[cfg(test)]
mod tests;

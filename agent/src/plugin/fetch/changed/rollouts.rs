//! Rollouts of workloads: ReplicaSets of Deployments, ControllerRevisions of StatefulSets and DaemonSets.

use super::{
    super::{
        super::model::{
            changed::{ChangeKind, Found, Near, Seen, Window, Workload},
            health::Fact,
        },
        objects,
    },
    Asked, each,
    events::{Event, of_object},
    template::differences,
    written::{by, last_write, ms},
};
use k8s_openapi::{
    api::apps::v1::{ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet},
    apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta},
};
use kube::{Api, api::ListParams};
use serde_json::Value;
use std::collections::BTreeMap;

/// Annotation with the number of a ReplicaSet's revision.
const REVISION: &str = "deployment.kubernetes.io/revision";
/// Annotation with the numbers that it had before rollbacks.
const HISTORY: &str = "deployment.kubernetes.io/revision-history";
/// A writer within this time of a revision is its author, ms.
const AUTHOR_MS: i64 = 5000;

/// One revision of a workload.
#[derive(Clone, Debug, Default)]
pub(super) struct Revision {
    /// Its name: that of a ReplicaSet or ControllerRevision.
    pub(super) name: String,
    /// Its number.
    pub(super) number: i64,
    /// When it was made, ms since the Unix epoch.
    pub(super) made_ms: Option<i64>,
    /// It was used before, and again after a rollback.
    pub(super) is_again: bool,
    /// `spec.template` or the part of it that is recorded.
    pub(super) template: Value,
}

/// Reads what changed of the workloads.
pub(super) async fn read(asked: Asked<'_>, workloads: &BTreeMap<Workload, Near>) -> Found {
    each(workloads.clone(), |(workload, near)| async move { one(asked, &workload, near).await }).await
}

async fn one(asked: Asked<'_>, workload: &Workload, near: Near) -> Found {
    let (owner, events) =
        tokio::join!(owner(asked, workload), of_object(asked, &workload.namespace, &workload.kind, &workload.name));
    let (events, unknown) = events;
    let mut found = Found { unknown, ..Found::default() };
    let (meta, revisions) = match owner {
        Ok(Some(owner)) => {
            let (revisions, unknown) = revisions(asked, workload, &owner).await;
            found.unknown.extend(unknown);
            (owner.meta, revisions)
        }
        // It is gone; Events may tell more.
        Ok(None) => (ObjectMeta::default(), Vec::new()),
        Err(unknown) => {
            found.unknown.push(unknown);
            (ObjectMeta::default(), Vec::new())
        }
    };
    found.seen.extend(changes_of((workload, near), asked.window, &meta, &revisions, &events));
    found
}

/// The object of a workload, as far as it matters here.
struct Owner {
    meta: ObjectMeta,
    selector: LabelSelector,
}

async fn owner(asked: Asked<'_>, workload: &Workload) -> Result<Option<Owner>, Fact> {
    let Workload { namespace, kind, name } = workload;
    let (client, what) = (asked.client.clone(), format!("{kind} {namespace}/{name}"));
    let failed = |failure: super::Failure| Fact::new(format!("{kind}s"), failure.to_string());
    let read = match kind.as_str() {
        "Deployment" => {
            let api: Api<Deployment> = Api::namespaced(client, namespace);
            let found = objects::request_optional(asked.session, &what, api.get(name)).await.map_err(failed)?;
            found.map(|object| (object.metadata, object.spec.map(|spec| spec.selector)))
        }
        "StatefulSet" => {
            let api: Api<StatefulSet> = Api::namespaced(client, namespace);
            let found = objects::request_optional(asked.session, &what, api.get(name)).await.map_err(failed)?;
            found.map(|object| (object.metadata, object.spec.map(|spec| spec.selector)))
        }
        _ => {
            let api: Api<DaemonSet> = Api::namespaced(client, namespace);
            let found = objects::request_optional(asked.session, &what, api.get(name)).await.map_err(failed)?;
            found.map(|object| (object.metadata, object.spec.map(|spec| spec.selector)))
        }
    };
    Ok(read.map(|(meta, selector)| Owner { meta, selector: selector.unwrap_or_default() }))
}

async fn revisions(asked: Asked<'_>, workload: &Workload, owner: &Owner) -> (Vec<Revision>, Vec<Fact>) {
    let uid = owner.meta.uid.as_deref().unwrap_or_default();
    let is_owned = |meta: &ObjectMeta| meta.owner_references.iter().flatten().any(|one| one.uid == uid);
    let params = ListParams::default().labels(&objects::selector_text(&owner.selector));
    if workload.kind == "Deployment" {
        let api: Api<ReplicaSet> = Api::namespaced(asked.client.clone(), &workload.namespace);
        let (all, unknown) = asked.list("ReplicaSets", &api, params).await;
        return (all.iter().filter(|set| is_owned(&set.metadata)).map(of_replica_set).collect(), unknown);
    }
    let api: Api<ControllerRevision> = Api::namespaced(asked.client.clone(), &workload.namespace);
    let (all, unknown) = asked.list("ControllerRevisions", &api, params).await;
    (all.iter().filter(|one| is_owned(&one.metadata)).map(of_controller_revision).collect(), unknown)
}

/// A revision of a Deployment.
pub(super) fn of_replica_set(set: &ReplicaSet) -> Revision {
    let annotation = |name: &str| set.metadata.annotations.as_ref().and_then(|all| all.get(name));
    let template = set.spec.as_ref().and_then(|spec| spec.template.as_ref());
    Revision {
        name: set.metadata.name.clone().unwrap_or_default(),
        number: annotation(REVISION).and_then(|text| text.parse().ok()).unwrap_or(0),
        made_ms: ms(set.metadata.creation_timestamp.as_ref()),
        is_again: annotation(HISTORY).is_some_and(|text| !text.is_empty()),
        template: template.and_then(|template| serde_json::to_value(template).ok()).unwrap_or_default(),
    }
}

/// A revision of a StatefulSet or DaemonSet. After a rollback it has a new number and its old time.
pub(super) fn of_controller_revision(revision: &ControllerRevision) -> Revision {
    Revision {
        name: revision.metadata.name.clone().unwrap_or_default(),
        number: revision.revision,
        made_ms: ms(revision.metadata.creation_timestamp.as_ref()),
        is_again: false,
        template: revision.data.as_ref().map(|data| data.0["spec"]["template"].clone()).unwrap_or_default(),
    }
}

/// Rollouts, scaling, and writes of one workload of this nearness.
pub(super) fn changes_of(
    (workload, near): (&Workload, Near),
    window: Window,
    meta: &ObjectMeta,
    revisions: &[Revision],
    events: &[Event],
) -> Vec<Seen> {
    let seen = |at_ms, kind, what| Seen {
        at_ms,
        near,
        kind,
        namespace: workload.namespace.clone(),
        object: format!("{}/{}", workload.kind, workload.name),
        what,
    };
    let written = last_write(meta, window);
    let mut sorted: Vec<&Revision> = revisions.iter().collect();
    sorted.sort_by_key(|revision| revision.number);
    let mut out = Vec::new();
    let mut is_authored = false;
    for (index, revision) in sorted.iter().enumerate() {
        let Some(at) = begin(revision, window, events) else { continue };
        let before = index.checked_sub(1).and_then(|before| sorted.get(before));
        let author = written.as_ref().filter(|(written, _)| (at - written).abs() <= AUTHOR_MS);
        is_authored |= author.is_some();
        let author = author.map(|(_, manager)| by(manager)).unwrap_or_default();
        let word = match (before, revision.is_again) {
            (None, false) => "was made",
            (_, true) => "was rolled back",
            (Some(_), false) => "was rolled out",
        };
        let differing = before.map(|before| differences(&before.template, &revision.template)).unwrap_or_default();
        let differing = if differing.is_empty() { differing } else { format!(": {differing}") };
        out.push(seen(at, ChangeKind::Rollout, format!("{word}{author}, revision {}{differing}", revision.number)));
    }
    // A rollout scales its ReplicaSets too.
    let of_rollout = |event: &Event| {
        out.iter().any(|seen| (0..=ROLLOUT_MS).contains(&(event.at_ms - seen.at_ms)))
            && sorted.iter().any(|revision| !revision.name.is_empty() && event.message.contains(&revision.name))
    };
    let scaled: Vec<Seen> = events
        .iter()
        .filter(|event| is_scaling(&event.reason) && !of_rollout(event))
        .map(|event| seen(event.at_ms, ChangeKind::Scaling, event.message.clone()))
        .collect();
    out.extend(scaled);
    if let Some((at, manager)) = written.filter(|_| !is_authored) {
        out.push(seen(at, ChangeKind::Configuration, format!("was written{}", by(&manager))));
    }
    out
}

/// Events of scaling so long after a rollout's begin are its own, ms.
const ROLLOUT_MS: i64 = 10 * 60 * 1000;

fn is_scaling(reason: &str) -> bool {
    matches!(reason, "ScalingReplicaSet" | "SuccessfulCreate" | "SuccessfulDelete" | "FailedCreate" | "FailedDelete")
}

/// When the revision came into use within the window. After a rollback, its ReplicaSet is old: an Event tells.
fn begin(revision: &Revision, window: Window, events: &[Event]) -> Option<i64> {
    if !revision.is_again {
        return revision.made_ms.filter(|at| window.has(*at));
    }
    let is_up = |event: &&Event| {
        let words = format!("Scaled up replica set {} ", revision.name);
        event.reason == "ScalingReplicaSet" && event.message.starts_with(&words)
    };
    events.iter().filter(is_up).map(|event| event.at_ms).filter(|at| window.has(*at)).min()
}

#[cfg(test)]
mod tests;

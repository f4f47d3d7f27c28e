//! `watch-closer`: asks for a close-up of a Pod by an annotation.

use super::{
    super::{
        Failure,
        model::{Kind, Target, close_up::Requested},
    },
    objects::{pod_with_node, request},
    session::{Connection, Session},
};
use crate::pods::CLOSE_UP;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::json;

/// Annotates the Pod with the end. `None`: removes the annotation.
///
/// # Errors
/// When the target is no running Pod, or the API server refuses.
pub async fn close_up(
    session: &Session,
    target: &Target,
    until: Option<jiff::Timestamp>,
) -> Result<Requested, Failure> {
    let Connection::Cluster(client) = &session.connection else {
        return Err(Failure::new("watch-closer writes to a Pod of a cluster", "omit --agent"));
    };
    if !matches!(target.kind, None | Some(Kind::Pod)) {
        return Err(Failure::new(format!("{target} is no Pod"), "name one Pod: pod/NAME"));
    }
    let Some(namespace) = &session.namespace else {
        return Err(Failure::new("watch-closer needs one namespace", "pass -n NAMESPACE instead of -A"));
    };
    let name = &target.name;
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let what = format!("get Pod {namespace}/{name}");
    let pod = request(session, &what, api.get(name)).await?;
    let (node, info) = pod_with_node(&pod).ok_or_else(|| Failure::new(format!("{what}: it has no UID"), ""))?;
    if until.is_some() && (info.is_over() || node.is_empty()) {
        let state = if info.is_over() { "has ended" } else { "has no Node yet" };
        return Err(Failure::new(format!("Pod {namespace}/{name} {state}: there is nothing to observe"), ""));
    }
    let until = until.map(|time| time.to_string());
    let patch = json!({"metadata": {"uid": info.uid, "annotations": {CLOSE_UP: until}}});
    let (params, patch) = (PatchParams::default(), Patch::Merge(&patch));
    request(session, &format!("annotate Pod {namespace}/{name}"), api.patch(name, &params, &patch)).await?;
    Ok(Requested { namespace: namespace.clone(), pod: name.clone(), node, until })
}

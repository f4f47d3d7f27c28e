//! Which Pods with the agents' labels are agents. Pure.
//!
//! Anybody who may create a Pod somewhere can give it the agents' labels. An agent's Pod is in the one namespace that
//! has DaemonSets with these labels, one of them controls it, and it runs under the ServiceAccount of that DaemonSet.

use super::super::Failure;
use k8s_openapi::api::{apps::v1::DaemonSet, core::v1::Pod};
use kube::ResourceExt as _;
use std::collections::BTreeSet;

/// Pods that are agents, and others with the reason why they are none.
#[derive(Debug, Default)]
pub(super) struct Checked {
    pub(super) genuine: Vec<Pod>,
    pub(super) impostors: Vec<(Pod, Failure)>,
}

/// Separates the agents from Pods that only have their labels.
///
/// # Errors
/// When DaemonSets with the labels are in several namespaces: one of them may be an impostor's.
pub(super) fn check(pods: Vec<Pod>, sets: &[DaemonSet]) -> Result<Checked, Failure> {
    let namespace = namespace(sets)?;
    let mut out = Checked::default();
    for pod in pods {
        match reason(&pod, sets, namespace.as_deref()) {
            None => out.genuine.push(pod),
            Some(why) => {
                let failure = Failure::new(format!("not asked, because {why}"), "find out who created this Pod");
                out.impostors.push((pod, failure));
            }
        }
    }
    Ok(out)
}

/// The namespace of the agents' DaemonSets. `None`: there are none.
pub(super) fn namespace(sets: &[DaemonSet]) -> Result<Option<String>, Failure> {
    let mut names: BTreeSet<String> = sets.iter().filter_map(|set| set.namespace()).collect();
    if names.len() > 1 {
        let names = names.into_iter().collect::<Vec<_>>().join(", ");
        return Err(Failure::new(
            format!("several namespaces have a DaemonSet with the agents' labels: {names}"),
            "pass --agent-namespace with the genuine one, and find out who created the others",
        ));
    }
    Ok(names.pop_first())
}

/// Why a Pod is no agent. `None`: it is one.
fn reason(pod: &Pod, sets: &[DaemonSet], namespace: Option<&str>) -> Option<String> {
    let own = pod.namespace().unwrap_or_default();
    if let Some(namespace) = namespace.filter(|namespace| *namespace != own) {
        return Some(format!("its namespace is {own} and the agents' is {namespace}"));
    }
    let owner = pod.owner_references().iter().find(|owner| owner.controller == Some(true) && owner.kind == "DaemonSet");
    let is_owner = |set: &&DaemonSet| owner.is_some_and(|owner| set.uid().as_ref() == Some(&owner.uid));
    let Some(set) = sets.iter().find(is_owner) else {
        return Some("no DaemonSet with the agents' labels controls its Pod".to_owned());
    };
    let wanted = set.spec.as_ref().and_then(|spec| spec.template.spec.as_ref()?.service_account_name.as_deref());
    let found = pod.spec.as_ref().and_then(|spec| spec.service_account_name.as_deref());
    let (wanted, found) = (account(wanted), account(found));
    (wanted != found).then(|| format!("its ServiceAccount is {found} and the DaemonSet's is {wanted}"))
}

/// The API server replaces an absent name by `default`.
fn account(name: Option<&str>) -> &str {
    name.filter(|name| !name.is_empty()).unwrap_or("default")
}

//! Who has an address.

use super::{
    super::{
        Failure,
        model::{Kind, Target},
    },
    objects::list_all,
    session::{Connection, Session},
};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, api::ListParams};
use std::net::IpAddr;

/// The Pod with this address and its namespace, else the Node: its host-network Pods have its address.
///
/// # Errors
/// When nobody has it, or the API server refuses the list.
pub async fn holder(session: &Session, address: IpAddr) -> Result<(Option<String>, Target), Failure> {
    let Connection::Cluster(client) = &session.connection else {
        return Err(Failure::new(format!("a single agent does not know who has {address}"), "omit --agent"));
    };
    let params = ListParams::default().fields(&format!("status.podIP={address}"));
    let pods = list_all(session, "look up an alert's address", &Api::<Pod>::all(client.clone()), params).await?;
    of_pods(&pods).ok_or_else(|| {
        Failure::new(format!("no Pod and no Node has the address {address}"), "give the alert a label pod or node")
    })
}

fn of_pods(pods: &[Pod]) -> Option<(Option<String>, Target)> {
    let phase = |pod: &Pod| pod.status.as_ref().and_then(|status| status.phase.clone()).unwrap_or_default();
    let lives = |pod: &&Pod| !matches!(phase(pod).as_str(), "Succeeded" | "Failed");
    let is_shared = |pod: &&Pod| pod.spec.as_ref().is_some_and(|spec| spec.host_network == Some(true));
    let (shared, own): (Vec<&Pod>, Vec<&Pod>) = pods.iter().filter(lives).partition(is_shared);
    // Several Pods with one address: none of them is certain.
    if let [only] = own.as_slice() {
        let target = Target { kind: Some(Kind::Pod), name: only.metadata.name.clone()? };
        return Some((only.metadata.namespace.clone(), target));
    }
    let node = shared.first()?.spec.as_ref()?.node_name.clone()?;
    Some((None, Target { kind: Some(Kind::Node), name: node }))
}

#[cfg(test)]
mod tests;

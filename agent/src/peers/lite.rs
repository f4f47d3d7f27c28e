//! A Node with only the fields that matter here. The whole object takes some 10 kB, mostly its list of images.

use super::nodes::{NodeFacts, mapped, range};
use ::kube::{
    Api, Client,
    api::{ListParams, ObjectList},
    core::{ApiResource, Object},
};
use k8s_openapi::api::core::v1::Node;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

/// Labels that name a zone, the newer first.
const ZONE: [&str; 2] = ["topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"];

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Spec {
    #[serde(default, rename = "podCIDR")]
    pod_cidr: Option<String>,
    #[serde(default, rename = "podCIDRs")]
    pod_cidrs: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct Status {
    #[serde(default)]
    addresses: Vec<Address>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Address {
    #[serde(default)]
    address: String,
}

/// A Node with only these fields.
pub(super) type LiteNode = Object<Spec, Status>;

/// Reads Nodes.
#[derive(Clone)]
pub(super) struct Reader {
    api: Api<LiteNode>,
}

/// A Node's name and its fields.
pub(super) type NamedNode = (Arc<str>, NodeFacts);

impl Reader {
    pub(super) fn new(client: &Client) -> Self {
        Self { api: Api::all_with(client.clone(), &ApiResource::erase::<Node>(&())) }
    }

    /// One Node. `None`: it is deleted.
    pub(super) async fn one(&self, name: &str) -> Result<Option<NamedNode>, ::kube::Error> {
        Ok(self.api.get_opt(name).await?.and_then(|node| facts(&node)))
    }

    /// One page of all Nodes, and the token of the next page. `None`: this is the last.
    pub(super) async fn page(
        &self,
        size: u32,
        next: Option<&str>,
    ) -> Result<(Vec<NamedNode>, Option<String>), ::kube::Error> {
        let mut params = ListParams::default().limit(size);
        params.continue_token = next.map(str::to_owned);
        let list: ObjectList<LiteNode> = self.api.list(&params).await?;
        let next = list.metadata.continue_.filter(|token| !token.is_empty());
        Ok((list.items.iter().filter_map(facts).collect(), next))
    }
}

/// The zone in the labels.
pub(super) fn zone(labels: Option<&BTreeMap<String, String>>) -> Option<Arc<str>> {
    let labels = labels?;
    ZONE.iter().find_map(|label| labels.get(*label)).filter(|zone| !zone.is_empty()).map(|zone| zone.as_str().into())
}

fn facts(node: &LiteNode) -> Option<NamedNode> {
    let name: Arc<str> = node.metadata.name.as_deref()?.into();
    let cidrs = match node.spec.pod_cidrs.as_slice() {
        [] => node.spec.pod_cidr.as_slice(),
        all => all,
    };
    let addresses = node.status.iter().flat_map(|status| &status.addresses);
    let addresses = addresses.filter_map(|a| a.address.parse::<IpAddr>().ok());
    let facts = NodeFacts {
        zone: zone(node.metadata.labels.as_ref()),
        pod_ranges: cidrs.iter().filter_map(|text| range(text)).collect(),
        addresses: addresses.map(mapped).collect(),
    };
    Some((name, facts))
}

#[cfg(test)]
mod tests;

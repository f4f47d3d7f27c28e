//! Pod addresses from EndpointSlices, for CNIs that don't assign Pod addresses from the Node's range.

use super::nodes::{Endpoint, mapped};
use ::kube::runtime::watcher::Event;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

/// Endpoints per slice.
type Slice = Vec<(Ipv6Addr, Endpoint)>;

/// All slices.
#[derive(Default)]
pub(super) struct Slices {
    slices: BTreeMap<String, Slice>,
    listed: Option<BTreeMap<String, Slice>>,
}

impl Slices {
    /// Applies a change. True when endpoints changed.
    pub(super) fn apply(&mut self, event: Event<EndpointSlice>) -> bool {
        match event {
            Event::Init => self.listed = Some(BTreeMap::new()),
            Event::InitApply(slice) => {
                if let Some((uid, endpoints)) = endpoints(&slice) {
                    self.listed.get_or_insert_default().insert(uid, endpoints);
                }
            }
            Event::InitDone => {
                let listed = self.listed.take().unwrap_or_default();
                let changed = listed != self.slices;
                self.slices = listed;
                return changed;
            }
            Event::Apply(slice) => {
                if let Some((uid, endpoints)) = endpoints(&slice) {
                    return self.slices.insert(uid, endpoints.clone()).as_ref() != Some(&endpoints);
                }
            }
            Event::Delete(slice) => {
                if let Some(uid) = slice.metadata.uid {
                    return self.slices.remove(&uid).is_some();
                }
            }
        }
        false
    }

    /// Number of slices.
    pub(super) fn len(&self) -> usize {
        self.slices.len()
    }

    /// All endpoints by address. Of two slices that name one address the one with a Pod wins.
    pub(super) fn endpoints(&self) -> BTreeMap<Ipv6Addr, Endpoint> {
        let mut all: BTreeMap<Ipv6Addr, Endpoint> = BTreeMap::new();
        for (addr, endpoint) in self.slices.values().flatten() {
            let better = all.get(addr).is_none_or(|known| known.pod.is_none() && endpoint.pod.is_some());
            if better {
                all.insert(*addr, endpoint.clone());
            }
        }
        all
    }
}

fn endpoints(slice: &EndpointSlice) -> Option<(String, Slice)> {
    let uid = slice.metadata.uid.clone()?;
    let namespace = slice.metadata.namespace.as_deref().unwrap_or_default();
    let mut out = Vec::new();
    for endpoint in &slice.endpoints {
        let target = endpoint.target_ref.as_ref().filter(|target| target.kind.as_deref() == Some("Pod"));
        let pod = target.and_then(|target| {
            Some(format!("{}/{}", target.namespace.as_deref().unwrap_or(namespace), target.name.as_deref()?))
        });
        let whose = Endpoint {
            node: endpoint.node_name.as_deref().map(Into::into),
            pod: pod.map(Arc::from),
            zone: endpoint.zone.as_deref().map(Into::into),
        };
        let addresses = endpoint.addresses.iter().filter_map(|text| text.parse::<IpAddr>().ok());
        out.extend(addresses.map(|addr| (mapped(addr), whose.clone())));
    }
    Some((uid, out))
}

#[cfg(test)]
mod tests;

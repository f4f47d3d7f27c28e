//! Whose end of a connection it is.

use super::super::waterfall::clipped;
use crate::api::{EdgeRow, Subject};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// A Pod of the API server, or of an agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownPod {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Owner, such as `Deployment/payment`; `Pod/NAME` without one.
    pub workload: String,
    /// Its own addresses; none if it shares its Node's.
    pub addresses: Vec<IpAddr>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// A Service of the API server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownService {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its cluster addresses.
    pub addresses: Vec<IpAddr>,
    /// Labels of the Pods behind it; empty: others name them.
    pub selector: BTreeMap<String, String>,
}

/// Kind, namespace and name of a node of the map.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) kind: String,
    pub(super) namespace: String,
    pub(super) name: String,
}

impl Key {
    pub(super) fn new(kind: &str, namespace: &str, name: &str) -> Self {
        Self { kind: clipped(kind), namespace: clipped(namespace), name: clipped(name) }
    }

    pub(super) fn id(&self) -> String {
        format!("{}/{}/{}", self.kind, self.namespace, self.name)
    }
}

/// Names of addresses and workloads.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// By `namespace/name` of a Pod.
    workloads: BTreeMap<String, Key>,
    /// `None`: several Pods have the address, so none of them is certain.
    addresses: BTreeMap<IpAddr, Option<String>>,
    services: BTreeMap<IpAddr, Key>,
    /// By `namespace/name` of a Service: the only workload behind it, or itself.
    behind: BTreeMap<String, Key>,
}

impl Names {
    /// From lists of objects.
    pub fn new(pods: &[KnownPod], services: &[KnownService]) -> Self {
        let mut out = Self::default();
        for pod in pods {
            out.add(pod);
        }
        for service in services {
            let all = pods.iter().filter(|pod| pod.namespace == service.namespace);
            let is_behind = |pod: &&KnownPod| {
                !service.selector.is_empty()
                    && service.selector.iter().all(|(key, value)| pod.labels.get(key) == Some(value))
            };
            let workloads: BTreeSet<Key> =
                all.filter(is_behind).map(|pod| key(&pod.namespace, &pod.name, &pod.workload)).collect();
            let mut workloads = workloads.into_iter();
            let key = match (workloads.next(), workloads.next()) {
                (Some(only), None) => only,
                _ => Key::new("Service", &service.namespace, &service.name),
            };
            out.services.extend(service.addresses.iter().map(|address| (*address, key.clone())));
            out.behind.insert(format!("{}/{}", service.namespace, service.name), key);
        }
        out
    }

    /// Adds a Pod.
    pub fn add(&mut self, pod: &KnownPod) {
        let name = format!("{}/{}", pod.namespace, pod.name);
        for address in &pod.addresses {
            let known = self.addresses.entry(address.to_canonical()).or_insert_with(|| Some(name.clone()));
            if known.as_ref() != Some(&name) {
                *known = None;
            }
        }
        self.workloads.insert(name, key(&pod.namespace, &pod.name, &pod.workload));
    }

    /// Adds the workloads that agents name.
    pub(super) fn add_subjects<'s>(&mut self, subjects: impl Iterator<Item = &'s Subject>) {
        for subject in subjects.filter(|subject| !subject.workload.is_empty()) {
            let name = format!("{}/{}", subject.namespace, subject.name);
            self.workloads.entry(name).or_insert_with(|| key(&subject.namespace, &subject.name, &subject.workload));
        }
    }

    /// True if the workload of this Pod, `namespace/name`, is known.
    pub fn knows_pod(&self, pod: &str) -> bool {
        self.workloads.contains_key(pod)
    }

    /// True if something is known of this address.
    pub fn knows_address(&self, address: &str) -> bool {
        let parsed = address.parse::<IpAddr>().map(|address| address.to_canonical());
        parsed.is_ok_and(|address| self.addresses.contains_key(&address) || self.services.contains_key(&address))
    }

    /// The node of a subject.
    pub(super) fn subject(&self, subject: &Subject) -> Key {
        let Subject { kind, namespace, name, workload, node: _ } = subject;
        match (kind.as_str(), workload.is_empty()) {
            ("Pod", true) => self.pod(&format!("{namespace}/{name}")),
            ("Pod", false) => key(namespace, name, workload),
            // The workload of a container is its long ID.
            _ => Key::new(kind, namespace, name),
        }
    }

    /// The node of a Pod, `namespace/name`.
    pub(super) fn pod(&self, pod: &str) -> Key {
        let (namespace, name) = pod.split_once('/').unwrap_or(("", pod));
        self.workloads.get(pod).cloned().unwrap_or_else(|| Key::new("Pod", namespace, name))
    }

    /// The Pod with this address, `namespace/name`.
    pub(super) fn pod_at(&self, address: &str) -> Option<&str> {
        self.addresses.get(&address.parse::<IpAddr>().ok()?.to_canonical())?.as_deref()
    }

    /// The node of a Service's address, or of its `namespace/name`.
    pub(super) fn service(&self, name: &str) -> Key {
        let by_address = name.parse::<IpAddr>().ok().and_then(|address| self.services.get(&address.to_canonical()));
        let (namespace, alone) = name.split_once('/').unwrap_or(("", name));
        by_address.or_else(|| self.behind.get(name)).cloned().unwrap_or_else(|| Key::new("Service", namespace, alone))
    }

    /// The node at the other end of an edge.
    pub(super) fn peer(&self, row: &EdgeRow) -> Key {
        if let Some(pod) = row.peer_pod.as_deref().or_else(|| self.pod_at(&row.peer)) {
            return self.pod(pod);
        }
        match (row.peer_kind.as_str(), row.class.as_str(), row.role.as_deref()) {
            ("service", ..) => self.service(&row.peer),
            ("node_or_masqueraded", ..) => Key::new("Node", "", row.peer_node.as_deref().unwrap_or(&row.peer)),
            // There may be very many of them.
            (_, "external", Some("server")) => Key::new("Outside", "", "clients outside"),
            (_, "external", _) => Key::new("Outside", "", &row.peer),
            _ => Key::new("Address", "", &row.peer),
        }
    }
}

/// The node of a Pod's workload, `Kind/name`.
fn key(namespace: &str, pod: &str, workload: &str) -> Key {
    let (kind, name) = workload.split_once('/').unwrap_or(("Pod", pod));
    Key::new(kind, namespace, name)
}

//! Culprits in one form, from the JSON of a hint or a verdict, whichever version wrote it.

use super::plan::{OUTSIDE, Plan};
use serde_json::Value;
use std::{collections::BTreeMap, fmt, net::Ipv4Addr};

/// Who is at fault.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Culprit {
    Node(String),
    /// The lower name first.
    Pair(String, String),
    /// Some of the paths between two Nodes.
    Share(String, String),
    /// The two zones.
    Zones,
    Pod(String),
    Service,
    /// Clients behind an address.
    Clients(String),
    External,
    /// Nobody is named.
    Nobody,
}

impl Culprit {
    pub(super) fn pair(a: &str, b: &str) -> Self {
        Self::Pair(a.min(b).to_owned(), a.max(b).to_owned())
    }

    pub(super) fn share(a: &str, b: &str) -> Self {
        Self::Share(a.min(b).to_owned(), a.max(b).to_owned())
    }

    /// As in the JSON of a hint.
    pub(super) fn kind_and_name(&self) -> (&'static str, String) {
        match self {
            Self::Node(name) => ("node", name.clone()),
            Self::Pair(a, b) => ("node_pair", format!("{a}↔{b}")),
            Self::Share(a, b) => ("path_share", format!("{a}↔{b}")),
            Self::Zones => ("zone_pair", String::new()),
            Self::Pod(name) => ("pod", name.clone()),
            Self::Service => ("service", String::new()),
            Self::Clients(name) => ("clients", name.clone()),
            Self::External => ("external", String::new()),
            Self::Nobody => ("none", String::new()),
        }
    }
}

impl fmt::Display for Culprit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(name) => write!(f, "node {name}"),
            Self::Pair(a, b) => write!(f, "pair {a}↔{b}"),
            Self::Share(a, b) => write!(f, "some paths {a}↔{b}"),
            Self::Zones => write!(f, "zones"),
            Self::Pod(name) => write!(f, "pod {name}"),
            Self::Service => write!(f, "service"),
            Self::Clients(name) => write!(f, "clients behind {name}"),
            Self::External => write!(f, "external"),
            Self::Nobody => write!(f, "nobody"),
        }
    }
}

/// Who has which address.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    /// Pod and its Node.
    pub(super) pods: BTreeMap<Ipv4Addr, (String, String)>,
    pub(super) nodes: BTreeMap<Ipv4Addr, String>,
    pub(super) service: Option<Ipv4Addr>,
}

impl Names {
    /// The culprit that an object with `kind` and `name` names.
    pub(super) fn culprit(&self, blame: &Value) -> Culprit {
        let name = blame["name"].as_str().unwrap_or_default();
        let pair = |of: fn(&str, &str) -> Culprit| match name.split_once('↔') {
            Some((a, b)) => match (self.node(a), self.node(b)) {
                (Culprit::Node(a), Culprit::Node(b)) => of(&a, &b),
                _ => Culprit::External,
            },
            None => Culprit::Nobody,
        };
        match blame["kind"].as_str().unwrap_or_default() {
            "node" | "peer_node" => self.node(name),
            "node_pair" => pair(Culprit::pair),
            "path_share" => pair(Culprit::share),
            "zone_pair" => Culprit::Zones,
            "pod" | "peer_pod" => self.pod(name),
            "service" => Culprit::Service,
            "clients" => Culprit::Clients(name.to_owned()),
            "external" => Culprit::External,
            _ => Culprit::Nobody,
        }
    }

    /// Culprits that are held for possible beside it, with their probability where it is given. Older agents only name
    /// them.
    pub(super) fn alternatives(&self, blame: &Value) -> Vec<(Culprit, Option<f64>)> {
        let one = |other: &Value| match other.as_str() {
            Some(name) => (self.by_name(name), None),
            None => (self.culprit(other), other["probability"].as_f64()),
        };
        blame["alternatives"].as_array().into_iter().flatten().map(one).collect()
    }

    fn by_name(&self, name: &str) -> Culprit {
        match name.split_once('↔') {
            Some((a, b)) if a.starts_with("zone-") || b.starts_with("zone-") => Culprit::Zones,
            Some((a, b)) => Culprit::pair(a, b),
            None if self.nodes.values().any(|node| node == name) => Culprit::Node(name.to_owned()),
            None => self.pod(name),
        }
    }

    fn node(&self, name: &str) -> Culprit {
        let address = name.parse::<Ipv4Addr>().ok();
        if address.is_some() && address == self.service {
            return Culprit::Service;
        }
        let of = |address| self.pods.get(&address).map(|(_, node)| node).or(self.nodes.get(&address));
        match address.and_then(of).map_or(name, String::as_str) {
            OUTSIDE => Culprit::External,
            name => Culprit::Node(name.to_owned()),
        }
    }

    fn pod(&self, name: &str) -> Culprit {
        let Ok(address) = name.parse::<Ipv4Addr>() else {
            return Culprit::Pod(name.rsplit('/').next().unwrap_or(name).to_owned());
        };
        match self.pods.get(&address) {
            Some((_, node)) if node == OUTSIDE => Culprit::External,
            Some((pod, _)) => Culprit::Pod(pod.clone()),
            None => self.node(name),
        }
    }

    /// Address of a Pod, with or without its namespace.
    pub(super) fn address_of(&self, pod: &str) -> Option<Ipv4Addr> {
        let name = pod.rsplit('/').next().unwrap_or(pod);
        self.pods.iter().find(|(_, (known, _))| known == name).map(|(address, _)| *address)
    }

    /// Node of the Pod at an address.
    pub(super) fn node_at(&self, address: &str) -> Option<&str> {
        Some(self.pods.get(&address.parse().ok()?)?.1.as_str())
    }

    /// Name of the Pod at an address.
    pub(super) fn pod_at(&self, address: &str) -> Option<&str> {
        Some(self.pods.get(&address.parse().ok()?)?.0.as_str())
    }
}

/// The zone's name as agents are told.
pub(super) fn zone(plan: &Plan, node: &str) -> String {
    format!("zone-{}", plan.zone_of(node).map_or(2, |zone| zone + 1))
}

#[cfg(test)]
mod tests;

//! Culprits in one form, however a hint names them.

use netwhy_agent::api::{Blame, BlameKind};
use std::{collections::BTreeMap, fmt, net::Ipv4Addr};

/// Who is at fault.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    Node(String),
    /// The lower name first.
    Pair(String, String),
    /// Two zones, the lower name first.
    Zones(String, String),
    Pod(String),
    /// Outside the cluster.
    External,
    /// Undecided.
    Nobody,
}

impl Who {
    pub(super) fn node(name: &str) -> Self {
        Self::Node(name.to_owned())
    }

    pub(super) fn pod(name: &str) -> Self {
        Self::Pod(name.to_owned())
    }

    pub(super) fn pair(a: &str, b: &str) -> Self {
        Self::Pair(a.min(b).to_owned(), a.max(b).to_owned())
    }

    pub(super) fn zones(a: &str, b: &str) -> Self {
        Self::Zones(a.min(b).to_owned(), a.max(b).to_owned())
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(name) => write!(f, "node {name}"),
            Self::Pair(a, b) => write!(f, "pair {a}↔{b}"),
            Self::Zones(a, b) => write!(f, "zones {a}↔{b}"),
            Self::Pod(name) => write!(f, "pod {name}"),
            Self::External => write!(f, "external"),
            Self::Nobody => write!(f, "nobody"),
        }
    }
}

/// Who has which address.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    /// Pod and its Node.
    pods: BTreeMap<Ipv4Addr, (String, String)>,
    /// Node and its zone, by the Node's own address.
    nodes: BTreeMap<Ipv4Addr, (String, String)>,
    outside: String,
}

impl Names {
    /// From (address, Pod, Node) and (address, Node, zone); `outside` is no Node of the cluster.
    pub(super) fn new(
        pods: impl Iterator<Item = (Ipv4Addr, String, String)>,
        nodes: impl Iterator<Item = (Ipv4Addr, String, String)>,
        outside: &str,
    ) -> Self {
        Self {
            pods: pods.map(|(address, pod, node)| (address, (pod, node))).collect(),
            nodes: nodes.map(|(address, node, zone)| (address, (node, zone))).collect(),
            outside: outside.to_owned(),
        }
    }

    /// Zone of a Node.
    pub(super) fn zone(&self, node: &str) -> Option<&str> {
        self.nodes.values().find(|(name, _)| name == node).map(|(_, zone)| zone.as_str())
    }

    /// The culprit that a hint names.
    pub(super) fn who(&self, blame: &Blame) -> Who {
        self.one(blame.kind, &blame.name)
    }

    fn one(&self, kind: BlameKind, name: &str) -> Who {
        match kind {
            BlameKind::Node | BlameKind::PeerNode => self.node(name),
            BlameKind::NodePair | BlameKind::PathShare => match name.split_once('↔') {
                Some((a, b)) => match (self.node(a), self.node(b)) {
                    (Who::Node(a), Who::Node(b)) => Who::pair(&a, &b),
                    _ => Who::External,
                },
                None => Who::Nobody,
            },
            BlameKind::ZonePair => name.split_once('↔').map_or(Who::Nobody, |(a, b)| Who::zones(a, b)),
            BlameKind::Pod | BlameKind::PeerPod => self.pod(name),
            BlameKind::External => Who::External,
            BlameKind::Service | BlameKind::Clients | BlameKind::Undecided | BlameKind::None => Who::Nobody,
        }
    }

    /// The culprits that a hint holds for almost as likely.
    pub(super) fn alternatives(&self, blame: &Blame) -> Vec<Who> {
        blame.alternatives.iter().map(|other| self.one(other.kind, &other.name)).collect()
    }

    fn node(&self, name: &str) -> Who {
        let address = name.parse::<Ipv4Addr>().ok();
        let of =
            |address| self.pods.get(&address).map(|(_, node)| node).or(self.nodes.get(&address).map(|(node, _)| node));
        match address.and_then(of).map_or(name, String::as_str) {
            name if name == self.outside => Who::External,
            name => Who::node(name),
        }
    }

    fn pod(&self, name: &str) -> Who {
        let Ok(address) = name.parse::<Ipv4Addr>() else {
            return Who::pod(name.rsplit('/').next().unwrap_or(name));
        };
        match self.pods.get(&address) {
            Some((_, node)) if *node == self.outside => Who::External,
            Some((pod, _)) => Who::pod(pod),
            None => self.node(name),
        }
    }
}

#[cfg(test)]
mod tests;

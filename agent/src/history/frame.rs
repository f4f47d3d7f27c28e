//! The form of a frame: one moment of a Node, as what changed since the frame before.
//!
//! A segment begins with a [`Header`], and its first frame has everything. A frame is the length of its [`Head`] as
//! JSON, the head, and the tables in the header's order.

use super::{codec::Damage, facts::Counters, table::Layout};
use crate::{
    api::{Hint, PodInfo},
    peers::{Peer, PeerKind},
    sample::{CgroupFacts, Device, Gauge, Group, Signal, State, StoredCall, for_each_family, repeat_for_family},
};
use netwhy_abi::{Family, PeerClass};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::Ipv6Addr, sync::Arc};

/// Version of the form. Others are refused; tables and their parts are found by name.
const FORMAT: u32 = 1;

/// First block of a segment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Header {
    /// Version of the form.
    pub(super) netwhy_history: u32,
    /// Version of the agent.
    pub(super) version: String,
    /// Node.
    pub(super) node: String,
    /// Time between two frames, ms.
    pub(super) every_ms: u64,
    /// Names of the kernel's drop reasons; index = number.
    pub(super) drop_reasons: Vec<String>,
    /// Tables of each frame.
    pub(super) tables: Vec<Layout>,
}

/// What headers of all forms have.
#[derive(Deserialize)]
struct Form {
    netwhy_history: u32,
    version: String,
}

impl Header {
    /// A header of this version.
    pub(super) fn new(node: &str, every_ms: u64, drop_reasons: Vec<String>) -> Self {
        Self {
            netwhy_history: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            node: node.to_owned(),
            every_ms,
            drop_reasons,
            tables: layouts(),
        }
    }

    /// Reads it.
    ///
    /// # Errors
    /// When it is no header, or one of another form.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Damage> {
        let none = |_| Damage::new("it has no header");
        // Before the rest, which another form may lack.
        let Form { netwhy_history, version } = serde_json::from_slice(bytes).map_err(none)?;
        if netwhy_history != FORMAT {
            return Err(Damage::new(format!("netwhy {version} wrote it in another form")));
        }
        serde_json::from_slice(bytes).map_err(none)
    }
}

/// Tables of this version, in the order of frames.
pub(super) fn layouts() -> Vec<Layout> {
    let mut layouts = Vec::new();
    for_each_family!(F => {
        layouts.push(Layout::of::<<F as Family>::Key, <F as Family>::Row>(F::NAME));
    });
    layouts.extend([Layout::of::<u64, CgroupFacts>("facts"), Layout::of::<[u64; 0], Counters>("counters")]);
    layouts
}

/// Everything of a frame but its tables.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Head {
    /// `CLOCK_MONOTONIC`, ns.
    pub(super) at_ns: u64,
    /// Wall clock.
    pub(super) unix_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) walked_ns: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) hz: Option<u32>,
    /// New cgroups with their paths.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) names: Vec<(u64, Arc<str>)>,
    /// Sampled calls since the frame before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) calls: Vec<StoredCall>,
    /// `None`: the Node's own signals were not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) host: Option<HostChange>,
    /// `None`: no change, or without Kubernetes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pods: Option<PodsChange>,
    /// Addresses whose peer is new or another.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) peers: Vec<(Ipv6Addr, StoredPeer)>,
    /// Zone of this Node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) zone: Option<Arc<str>>,
    /// All translations of Service addresses: client, Service, its only backend. `None`: no change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) translations: Option<Vec<(Ipv6Addr, Ipv6Addr, Option<Ipv6Addr>)>>,
    /// Hints that are new or changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) hints: Vec<Hint>,
    /// Hints that are forgotten, by id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) hints_gone: Vec<String>,
}

/// Change of the Node's own signals.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct HostChange {
    /// `None`: no change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) states: Option<BTreeMap<Group, State>>,
    /// Growth, wrapping.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) counters: Vec<(Signal, Option<Arc<str>>, i64)>,
    /// New values; without one the gauge is gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) gauges: Vec<(Gauge, Option<Arc<str>>, Option<u64>)>,
    /// `None`: no change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) devices: Option<Vec<Device>>,
}

/// Change of this Node's Pods.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct PodsChange {
    /// Whether a whole list was received.
    pub(super) complete: bool,
    /// New or changed ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) changed: Vec<Arc<PodInfo>>,
    /// UIDs of those that are gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) gone: Vec<String>,
}

/// The peer behind an address.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct StoredPeer {
    class: u32,
    kind: PeerKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    node: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pod: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    zone: Option<Arc<str>>,
}

impl From<&Peer> for StoredPeer {
    fn from(peer: &Peer) -> Self {
        let Peer { class, kind, node, pod, zone } = peer.clone();
        Self { class: class as u32, kind, node, pod, zone }
    }
}

impl From<StoredPeer> for Peer {
    fn from(stored: StoredPeer) -> Self {
        let StoredPeer { class, kind, node, pod, zone } = stored;
        Self { class: PeerClass::from_index(class), kind, node, pod, zone }
    }
}

#[cfg(test)]
mod tests;

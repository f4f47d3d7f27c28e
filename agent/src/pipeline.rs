//! From snapshot to judged view: the pure part of a tick, the same for a running kernel and for a recording.

use crate::{
    cgroup::standalone_subject,
    config::{Config, NodeRange},
    hints::{Engine, Thresholds},
    join::{Join, JoinLimits},
    peers::{Nodes, Peer, PeerKind, PeerTable, Peers, Translations, prefixes},
    pods::PodIndex,
    sample::Snapshot,
    state::NodeView,
};
use netwhy_abi::PeerClass;
use std::{
    collections::BTreeMap,
    net::Ipv6Addr,
    sync::Arc,
    time::{Duration, Instant},
};

/// Join and hints.
pub struct Pipeline {
    join: Join,
    engine: Engine,
    thresholds: Thresholds,
}

/// Time spent in each stage of one tick, s.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stages {
    /// Joining.
    pub join: f64,
    /// Judging.
    pub hints: f64,
}

impl Pipeline {
    /// A pipeline that has seen nothing.
    pub fn new(node: &str, config: &Config) -> Self {
        let limits = JoinLimits {
            edges: usize::try_from(config.limits.edges_in_view).unwrap_or(usize::MAX),
            gone: config.limits.gone_seconds,
            peer_nodes: usize::try_from(config.limits.peer_nodes).unwrap_or(usize::MAX),
        };
        Self {
            join: Join::new(node, config.sampling.window_seconds, limits, standalone_subject),
            engine: Engine::new(node),
            thresholds: thresholds(config),
        }
    }

    /// Takes over what may change while running.
    pub fn configure(&mut self, config: &Config) {
        self.thresholds = thresholds(config);
        self.join.set_gone(config.limits.gone_seconds);
    }

    /// Replaces the peer classes.
    pub fn set_peers(&mut self, peers: Arc<PeerTable>) {
        self.join.set_peers(peers);
    }

    /// Names Pods by what the API server says, from now on; `now` is monotonic.
    pub fn set_pods(&mut self, pods: Arc<PodIndex>, now: Duration) {
        self.join.set_pods(pods, now);
    }

    /// Who is behind Services' addresses, from now on.
    pub fn set_translations(&mut self, translations: Arc<Translations>) {
        self.join.set_translations(translations);
    }

    /// Names of the kernel's drop reasons.
    pub fn set_drop_reasons(&mut self, names: Arc<Vec<String>>) {
        self.join.set_drop_reasons(names);
    }

    /// The next view.
    pub fn take(&mut self, snapshot: &Snapshot) -> (NodeView, Stages) {
        let began = Instant::now();
        let mut view = self.join.take(snapshot);
        let joined = began.elapsed();
        view.hints = self.engine.tick(&view, &self.thresholds);
        view.hints_total.clone_from(self.engine.totals());
        self.engine.add_baselines(&mut view, &self.thresholds);
        (view, Stages { join: joined.as_secs_f64(), hints: (began.elapsed() - joined).as_secs_f64() })
    }
}

/// Who is at which address: the configured ranges and Nodes, the cluster's Nodes, and this machine's own addresses, `own`.
/// Of two that say something about one range the later of these counts. `name`: this Node's; `cluster`: what is known of
/// the cluster; `None`: without Kubernetes.
pub fn peer_table(config: &Config, own: &[(Ipv6Addr, u8)], name: &str, cluster: Option<&Peers>) -> PeerTable {
    let bits = |prefix_len: u32| u8::try_from(prefix_len).unwrap_or(128);
    let configured = config.peers.prefixes().into_iter();
    let configured = configured.map(|(p, class)| (Ipv6Addr::from(p.addr), bits(p.prefix_len), Peer::range(class)));
    let service = Peer { kind: PeerKind::Service, ..Peer::range(PeerClass::InCluster) };
    let services = config.peers.services().into_iter();
    let services = services.map(|p| (Ipv6Addr::from(p.addr), bits(p.prefix_len), service.clone()));
    let (named, nobody) = (configured_nodes(config), BTreeMap::new());
    let known = prefixes(name, &named, &nobody);
    let nodes = cluster.into_iter().flat_map(|peers| prefixes(name, &peers.nodes, &peers.endpoints));
    let has_name = cluster.is_some() || named.contains_key(name);
    let this = Peer { kind: PeerKind::Node, node: has_name.then(|| name.into()), ..Peer::range(PeerClass::SameNode) };
    let own = own.iter().map(|(addr, bits)| (*addr, *bits, this.clone()));
    let mut table = PeerTable::new(configured.chain(services).chain(known).chain(nodes).chain(own));
    let in_cluster = cluster.and_then(|peers| peers.nodes.get(name));
    table.own_zone = in_cluster.or_else(|| named.get(name)).and_then(|facts| facts.zone.clone());
    table
}

/// The Nodes that the file names.
fn configured_nodes(config: &Config) -> Nodes {
    let mut nodes = Nodes::new();
    for NodeRange { name, zone, range } in &config.peers.nodes {
        let facts = nodes.entry(name.as_str().into()).or_default();
        let prefix = range.prefix();
        facts.zone = zone.as_deref().map(Into::into).or_else(|| facts.zone.take());
        facts.pod_ranges.push((prefix.addr.into(), u8::try_from(prefix.prefix_len).unwrap_or(128)));
    }
    nodes
}

/// The file's thresholds as the rules take them.
fn thresholds(config: &Config) -> Thresholds {
    let t = &config.thresholds;
    Thresholds {
        loss_ratio: t.loss_ratio,
        min_segments: t.min_segments,
        receiver_limited_share: t.receiver_limited_share,
        send_buffer_limited_share: t.send_buffer_limited_share,
        throttled_share: t.throttled_share,
        accept_drops: t.accept_drops,
        connect_failures: t.connect_failures,
        connect_failure_share: t.connect_failure_share,
        syn_retransmits: t.syn_retransmits,
        rtt_inflation: t.rtt_inflation,
        rtt_floor_ms: t.rtt_floor_ms,
        think_time_ms: t.think_time_ms,
        dns_slow_ms: t.dns_slow_ms,
        enter_windows: u32::try_from(t.enter_windows).unwrap_or(u32::MAX),
        leave_windows: u32::try_from(t.leave_windows).unwrap_or(u32::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_thresholds_of_file_and_rules_are_the_same() {
        assert_eq!(thresholds(&Config::default()), Thresholds::default());
    }

    #[test]
    fn nodes_of_the_file_name_peers_without_an_api_server() {
        let text = "peers:\n  nodes: [a@z1=10.1.1.0/24, b@z1=10.1.2.0/24, c@z2=10.1.3.0/24]\n";
        let config = Config::parse(text, "test").unwrap();
        let of = |a: u8, b: u8| std::net::Ipv4Addr::new(10, 1, a, b).to_ipv6_mapped();
        let table = peer_table(&config, &[(of(1, 1), 128)], "a", None);
        let found = |addr| (table.find(addr).class, table.find(addr).node.as_deref());
        assert_eq!(found(of(1, 1)), (PeerClass::SameNode, Some("a")));
        assert_eq!(found(of(1, 7)), (PeerClass::SameNode, Some("a")));
        assert_eq!(found(of(2, 7)), (PeerClass::SameZone, Some("b")));
        assert_eq!(found(of(3, 7)), (PeerClass::CrossZone, Some("c")));
        assert_eq!(found(of(4, 7)), (PeerClass::InCluster, None));
    }
}

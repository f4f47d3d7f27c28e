//! Views of synthetic agents.

use netwhy_abi::{PeerClass, Role, bucket_index};
use netwhy_agent::{
    api::{Blame, BlameKind, Evidence, Hint, HintState, Subject},
    peers::PeerKind,
    sample::{CpuStat, Device, Histogram, NodeFact, Tally},
    state::{EdgeView, HostView, NodeView, SubjectId, SubjectKind, SubjectView},
};
use std::{net::Ipv4Addr, time::Duration};

/// Every so-manieth Node is lossy.
const LOSSY: usize = 500;

/// Name of a Node.
pub(crate) fn node(number: usize) -> String {
    format!("node-{number:05}")
}

/// Name of a Pod; its Node can be told from it.
pub(crate) fn pod(node: usize, number: usize) -> String {
    format!("app-{node:05}-{number}")
}

/// The view of one Node: Pods that talk to Pods on neighbouring Nodes and on a lossy one.
pub(crate) fn view(number: usize, nodes: usize, pods: usize, edges: usize) -> NodeView {
    let mut view = NodeView {
        node: node(number),
        at: Duration::from_secs(1000),
        unix_ms: 1_767_225_600_000,
        window: Duration::from_secs(10),
        window_complete: true,
        hz: Some(250),
        ..NodeView::default()
    };
    let lossy = number / LOSSY * LOSSY;
    for p in 0..pods {
        let id = SubjectId {
            kind: SubjectKind::Pod,
            namespace: "shop".to_owned(),
            name: pod(number, p),
            workload: format!("Deployment/app-{p}"),
        };
        let mut subject = SubjectView { id: id.clone(), ..SubjectView::default() };
        for e in 0..edges {
            let to = if e == 0 { lossy } else { (number + 1 + p * edges + e) % nodes };
            if to == number {
                continue;
            }
            let window = traffic(if to == lossy { 12 } else { 0 });
            subject.window.add(&window);
            view.edges.push(EdgeView {
                subject: id.clone(),
                peer: Ipv4Addr::new(10, (to >> 8) as u8, to as u8, p as u8 + 1).to_ipv6_mapped(),
                port: 8080,
                role: Some(Role::Client),
                redirected: false,
                netns: 0,
                class: PeerClass::SameZone,
                kind: PeerKind::Pod,
                peer_node: Some(node(to).into()),
                peer_pod: Some(format!("shop/{}", pod(to, p)).into()),
                peer_dns_name: None,
                peer_zone: None,
                walked: None,
                loss_ticks: Default::default(),
                unfinished: 0,
                recent: Tally::default(),
                answered: true,
                usual: Default::default(),
                responses: None,
                window,
            });
        }
        subject.sums.totals[PeerClass::SameZone as usize] = Some(Box::new(subject.window.clone()));
        subject.min_rtt_us[PeerClass::SameZone as usize] = Some(180);
        let limit = CpuStat { periods: 100, limit_millicores: Some(500), ..CpuStat::default() };
        subject.window_cpu = Some(limit);
        view.subjects.push(subject);
    }
    view.hints = vec![hint(number, lossy)];
    view.host = Some(host(number == lossy));
    view
}

/// A Node's interface and facts. A lossy Node has an old driver and a small ring.
fn host(is_lossy: bool) -> HostView {
    let (version, ring) = if is_lossy { ("5.1.0", "256") } else { ("5.19.0", "4096") };
    let fact = |name, on: Option<&str>, value: &str| NodeFact {
        name,
        on: on.map(Into::into),
        value: Ok(value.to_owned()),
        unit: None,
    };
    let device = Device {
        name: "eth0".into(),
        index: 2,
        driver: Some("ixgbe".to_owned()),
        version: Some(version.to_owned()),
        firmware: None,
        qdisc: Some("fq".to_owned()),
    };
    HostView {
        devices: vec![device],
        facts: [fact("kernel", None, "6.8.0-45-generic"), fact("rx_ring", Some("eth0"), ring)].into(),
        ..HostView::default()
    }
}

fn traffic(episodes: u64) -> Tally {
    let samples = [180_u32, 220, 260, 300, 400, 900];
    let counts = samples.map(|us| (bucket_index(us) as u8, 20));
    Tally {
        rtt: Histogram::from_counts(counts, 20 * samples.iter().map(|us| u64::from(*us)).sum::<u64>()),
        min_rtt_us: Some(180),
        data_segs_out: 2000,
        segs_out: 3000,
        loss_episodes: episodes,
        retransmits: [episodes, 0, 0, 0, 0, 0, 0],
        bytes_acked: 2_000_000,
        bytes_received: 4_000_000,
        ..Tally::default()
    }
}

fn hint(number: usize, lossy: usize) -> Hint {
    let (own, peer) = (node(number), node(lossy));
    Hint {
        id: format!("path-loss-{number}"),
        state: HintState::Firing,
        subject: Subject {
            kind: "Pod".to_owned(),
            namespace: "shop".to_owned(),
            name: pod(number, 0),
            workload: "Deployment/app-0".to_owned(),
            node: own.clone(),
        },
        symptom: "packet_loss".to_owned(),
        cause: "path_loss".to_owned(),
        blame: Blame::named(BlameKind::PeerNode, peer.clone(), 0.99),
        confidence: 0.9,
        summary: format!("{} loses packets to {peer}: 12 loss episodes in 2000 segments", pod(number, 0)),
        evidence: vec![Evidence {
            signal: "netwhy_tcp_loss_episodes_total".to_owned(),
            observed: 0.006,
            baseline: Some(0.0001),
            unit: "ratio".to_owned(),
            place: format!("{own}→{peer}"),
            source: "ebpf:tcp_retransmit_skb".to_owned(),
        }],
        ruled_out: Vec::new(),
        chain: vec!["path_loss".to_owned(), "packet_loss".to_owned()],
        action: format!("Compare from another Node: `kubectl netwhy matrix`; then check {peer}."),
        first_seen: "2026-01-01T00:00:00.000Z".to_owned(),
        last_seen: "2026-01-01T00:00:10.000Z".to_owned(),
        window_seconds: 10.0,
    }
}

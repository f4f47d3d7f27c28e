//! The published view: sums since the start and over the window.

use super::{Join, Owner, RECENT, Subject, is_shown, own};
use crate::{
    peers::Peer,
    sample::{FactsDelta, Lookups, Snapshot, Tally},
    state::{DnsView, EdgeView, NodeView, PeerNodeView, SubjectId, SubjectView, Usual},
};
use netwhy_abi::PeerClass;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv6Addr,
};

impl Join {
    /// cgroups without a parent of the same subject: hierarchical counters are theirs.
    pub(super) fn topmost(&self) -> BTreeSet<u64> {
        let paths: BTreeMap<&str, &SubjectId> =
            self.owners.values().map(|owner| (owner.path.as_str(), &owner.subject)).collect();
        let is_top = |owner: &Owner| {
            let parent = owner.path.rsplit_once('/').map_or("", |(parent, _)| parent);
            let parent = if parent.is_empty() { "/" } else { parent };
            parent == owner.path || paths.get(parent) != Some(&&owner.subject)
        };
        self.owners.iter().filter(|(_, owner)| is_top(owner)).map(|(id, _)| *id).collect()
    }

    pub(super) fn view(&self, snapshot: &Snapshot) -> NodeView {
        let at = snapshot.at;
        let mut subjects: BTreeMap<&SubjectId, SubjectView> =
            self.subjects.iter().filter(|(id, s)| is_shown(id, &s.sums)).map(|(id, s)| (id, s.view(id))).collect();
        for owner in self.owners.values().filter(|owner| owner.alive) {
            if let Some(view) = subjects.get_mut(&owner.subject) {
                view.cgroups.push(owner.path.clone());
            }
        }
        let mut edges = Vec::new();
        let (mut recent, answered) = (self.window.recent(RECENT), self.window.answered());
        for (key, tally) in &self.window.sums().edges {
            let Some(owner) = self.owners.get(&key.cgroup) else { continue };
            let peer = Ipv6Addr::from(key.addr);
            let Peer { class, kind, node, pod, zone } = self.peer_behind(key);
            let window = Tally { min_rtt_us: self.ledger.min_rtt_us(key, at), ..tally.clone() }.without_needless();
            if let Some(view) = subjects.get_mut(&owner.subject) {
                view.add_window(class, &window);
            }
            if !peer.is_unspecified() {
                edges.push(EdgeView {
                    subject: owner.subject.clone(),
                    peer,
                    port: key.port,
                    role: key.role(),
                    redirected: key.redirected != 0,
                    netns: key.netns,
                    class,
                    kind,
                    peer_node: node,
                    peer_pod: pod,
                    peer_zone: zone,
                    window,
                    walked: self.window.losses(key),
                    recent: recent.remove(key).unwrap_or_default().without_needless(),
                    answered: answered.contains(key),
                    usual: Usual::default(),
                });
            }
        }
        for (key, tally) in &self.window.sums().overflow {
            let Some(view) = self.owners.get(&key.cgroup).and_then(|owner| subjects.get_mut(&owner.subject)) else {
                continue;
            };
            let window = Tally { min_rtt_us: self.ledger.overflow_min_rtt_us(key, at), ..tally.clone() };
            view.add_window(key.peer_class(), &window.without_needless());
        }
        for (cgroup, connects) in &self.window.sums().cgroups {
            if let Some(view) = self.owners.get(cgroup).and_then(|owner| subjects.get_mut(&owner.subject)) {
                view.window_connects.add(connects);
            }
        }
        for (cgroup, waits) in &self.window.sums().run_queue {
            if let Some(view) = self.owners.get(cgroup).and_then(|owner| subjects.get_mut(&owner.subject)) {
                view.window_run_queue.add(waits);
            }
        }
        let tops = self.topmost();
        let mut facts: BTreeMap<&SubjectId, FactsDelta> = BTreeMap::new();
        let deltas = self.window.facts();
        let cpu_users = self.cpu_users(&deltas, &tops);
        for (cgroup, delta) in deltas {
            if let Some(owner) = self.owners.get(&cgroup) {
                facts.entry(&owner.subject).or_default().add(&own(&delta, tops.contains(&cgroup)));
            }
        }
        for (id, facts) in facts {
            if let Some(view) = subjects.get_mut(id) {
                view.window_cpu = facts.cpu;
                view.window_pressure = facts.pressure;
                view.window_oom_kills = facts.oom_kills.unwrap_or(0);
                view.window_usage_us = facts.usage_us;
                view.window_memory_limit_hits = facts.memory_limit_hits;
            }
        }
        let edges = busiest(merged(edges), self.limits.edges);
        let dns = self.dns();
        let mut subjects: Vec<SubjectView> = subjects.into_values().collect();
        for view in &mut subjects {
            view.cgroups.sort_unstable();
        }
        NodeView {
            node: self.node.clone(),
            zone: self.peers.own_zone.clone(),
            at,
            unix_ms: snapshot.unix_ms,
            window: self.window.covered(),
            losses_cover: self.window.losses_covered(),
            window_complete: self.window.is_computed(),
            hz: snapshot.hz,
            subjects,
            edges,
            dns,
            peer_nodes: (self.peer_nodes.iter())
                .map(|(node, totals)| PeerNodeView { node: node.clone(), totals: totals.clone() })
                .collect(),
            host: snapshot.host.as_ref().map(|sample| self.host_view(sample)),
            cpu_users,
            hints: Vec::new(),
            hints_total: BTreeMap::new(),
            unattributed: self.unattributed.clone(),
            node_drops: self.node_drops.clone(),
            drop_reasons: self.drop_reasons.clone(),
            counters: snapshot.counters,
        }
    }

    /// Lookups of the window, by subject and server.
    fn dns(&self) -> Vec<DnsView> {
        let mut sums: BTreeMap<(&SubjectId, Ipv6Addr), (Peer, Lookups)> = BTreeMap::new();
        for (key, lookups) in &self.window.sums().dns {
            let Some(owner) = self.owners.get(&key.cgroup) else { continue };
            let server = Ipv6Addr::from(key.addr);
            let row = sums.entry((&owner.subject, server));
            row.or_insert_with(|| (self.peer_behind(key), Lookups::default())).1.add(lookups);
        }
        let mut rows: Vec<DnsView> = (sums.into_iter())
            .map(|((subject, peer), (Peer { class, kind, node, zone, pod }, window))| {
                let server = EdgeView {
                    subject: subject.clone(),
                    peer,
                    port: 0,
                    role: None,
                    redirected: false,
                    netns: 0,
                    class,
                    kind,
                    peer_node: node,
                    peer_zone: zone,
                    peer_pod: pod,
                    window: Tally::default(),
                    walked: None,
                    recent: Tally::default(),
                    answered: false,
                    usual: Usual::default(),
                };
                DnsView { server, window }
            })
            .collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.window.count()));
        rows.truncate(self.limits.edges);
        rows
    }
}

/// Edges of one subject to one endpoint as one: its containers, and restarts within the window.
fn merged(mut edges: Vec<EdgeView>) -> Vec<EdgeView> {
    edges.sort_by(|a, b| (&a.subject, a.endpoint()).cmp(&(&b.subject, b.endpoint())));
    edges.dedup_by(|next, kept| {
        let same = next.subject == kept.subject && next.endpoint() == kept.endpoint();
        if same {
            kept.window.add(&next.window);
            if let (Some(kept), Some(next)) = (&mut kept.walked, next.walked) {
                kept.add(next);
            }
            kept.recent.add(&next.recent);
            kept.answered |= next.answered;
        }
        same
    });
    edges
}

/// The busiest edges: trouble first, then traffic.
fn busiest(mut edges: Vec<EdgeView>, most: usize) -> Vec<EdgeView> {
    let weight = |edge: &EdgeView| {
        let w = &edge.window;
        let trouble = w.loss_episodes + w.retransmitted() + w.connect_failures.iter().sum::<u64>() + w.zero_window;
        (trouble, w.segs_out + w.rtt.count())
    };
    edges.sort_by(|a, b| {
        weight(b).cmp(&weight(a)).then_with(|| (&a.subject, a.endpoint()).cmp(&(&b.subject, b.endpoint())))
    });
    edges.truncate(most);
    edges
}

impl Subject {
    fn view(&self, id: &SubjectId) -> SubjectView {
        SubjectView {
            id: id.clone(),
            pod: self.pod.clone(),
            gone_since: self.gone_since,
            sums: self.sums.clone(),
            cpu: self.facts.cpu,
            pressure: self.facts.pressure,
            oom_kills: self.facts.oom_kills,
            ..SubjectView::default()
        }
    }
}

impl SubjectView {
    fn add_window(&mut self, class: PeerClass, tally: &Tally) {
        let min = &mut self.min_rtt_us[class as usize];
        *min = [*min, tally.min_rtt_us].into_iter().flatten().min();
        self.window.add(tally);
    }
}

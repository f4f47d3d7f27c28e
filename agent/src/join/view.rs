//! The published view: sums since the start and over the window.

use super::{Join, Owner, Subject, is_shown, own};
use crate::{
    sample::{FactsDelta, Lookups, Snapshot, Window},
    state::{CpuUser, DnsView, Endpoint, NodeView, PeerNodeView, SubjectId, SubjectView},
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// The view of each subject that is shown.
pub(super) type Views<'a> = BTreeMap<&'a SubjectId, SubjectView>;

impl Join {
    /// cgroups without a parent of the same subject.
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

    /// Takes a snapshot as the base: what it counts was before the window.
    pub fn begin(&mut self, snapshot: &Snapshot) -> NodeView {
        let length = self.window.length();
        self.take(snapshot);
        self.window = Window::new(length);
        self.view(snapshot)
    }

    /// The view of the newest tick, without hints.
    pub(super) fn view(&self, snapshot: &Snapshot) -> NodeView {
        let at = snapshot.at;
        let mut views = self.shown();
        let edges = self.edges(at, &mut views);
        self.add_windows(at, &mut views);
        self.add_responses(&mut views);
        self.add_accept_fill(snapshot.newest_walk(), &mut views);
        let cpu_users = self.add_facts(&mut views);
        NodeView {
            node: self.node.to_string(),
            zone: self.peers.own_zone.clone(),
            at,
            unix_ms: snapshot.unix_ms,
            window: self.window.covered(),
            losses_cover: self.window.losses_covered(),
            window_complete: self.window.is_computed(),
            walked_at: snapshot.newest_walk(),
            hz: snapshot.hz,
            subjects: views.into_values().collect(),
            edges,
            dns: self.dns(),
            peer_nodes: (self.peer_nodes.iter())
                .map(|(node, totals)| PeerNodeView { node: node.clone(), totals: totals.clone() })
                .collect(),
            folded: self.folded.clone(),
            host: snapshot.host.as_ref().map(|sample| self.host_view(sample)),
            cpu_users,
            hints: Vec::new(),
            firing: Vec::new(),
            hints_total: BTreeMap::new(),
            unattributed: self.unattributed.clone(),
            node_drops: self.node_drops.clone(),
            drop_reasons: self.drop_reasons.clone(),
            counters: snapshot.counters,
        }
    }

    /// The subjects that are shown: identity and sums since the start.
    fn shown(&self) -> Views<'_> {
        let mut views: Views<'_> =
            self.subjects.iter().filter(|(id, s)| is_shown(id, &s.sums)).map(|(id, s)| (id, s.view(id))).collect();
        for owner in self.owners.values().filter(|owner| owner.alive) {
            if let Some(view) = views.get_mut(&owner.subject) {
                view.cgroups.push(owner.path.clone());
            }
        }
        for view in views.values_mut() {
            view.cgroups.sort_unstable();
        }
        views
    }

    /// The view of the subject that a cgroup belongs to.
    pub(super) fn view_of<'v>(&self, cgroup: u64, views: &'v mut Views<'_>) -> Option<&'v mut SubjectView> {
        self.owners.get(&cgroup).and_then(|owner| views.get_mut(&owner.subject))
    }

    /// Adds the windows of rows that belong to no edge.
    fn add_windows(&self, at: Duration, views: &mut Views<'_>) {
        let sums = self.window.sums();
        for (key, tally) in &sums.overflow {
            if let Some(view) = self.view_of(key.cgroup, views) {
                view.add_window(key.peer_class(), tally, self.ledger.overflow_min_rtt_us(key, at));
            }
        }
        for (cgroup, connects) in &sums.cgroups {
            if let Some(view) = self.view_of(*cgroup, views) {
                view.window_connects.add(connects);
            }
        }
        for (cgroup, waits) in &sums.run_queue {
            if let Some(view) = self.view_of(*cgroup, views) {
                view.window_run_queue.add(waits);
            }
        }
        // Those of the cgroup 0 are the Node's.
        for (key, drops) in sums.drops.iter().filter(|(key, _)| key.cgroup != 0) {
            if let Some(view) = self.view_of(key.cgroup, views) {
                *view.window_drops.entry(key.reason).or_default() += drops;
            }
        }
    }

    /// Adds how full accept queues are, as the newest walk found them.
    fn add_accept_fill(&self, walked_at: Option<Duration>, views: &mut Views<'_>) {
        let Some(walked_at) = walked_at else { return };
        // A walk that notes nothing found empty queues.
        for view in views.values_mut().filter(|view| view.gone_since.is_none()) {
            view.accept_fill = Some(0);
        }
        for (cgroup, parts) in self.ledger.accept_fill(walked_at) {
            if let Some(view) = self.view_of(cgroup, views) {
                view.accept_fill = view.accept_fill.max(Some(parts));
            }
        }
    }

    /// Adds the window's growth of control files. Returns the users of CPU time.
    fn add_facts(&self, views: &mut Views<'_>) -> Vec<CpuUser> {
        let deltas = self.window.facts();
        let cpu_users = self.cpu_users(&deltas, &self.tops);
        let mut facts: BTreeMap<&SubjectId, FactsDelta> = BTreeMap::new();
        for (cgroup, delta) in deltas {
            if let Some(owner) = self.owners.get(&cgroup) {
                facts.entry(&owner.subject).or_default().add(&own(&delta, self.tops.contains(&cgroup)));
            }
        }
        for (id, facts) in facts {
            if let Some(view) = views.get_mut(id) {
                view.window_cpu = facts.cpu;
                view.window_pressure = facts.pressure;
                view.window_oom_kills = facts.oom_kills.unwrap_or(0);
                view.window_usage_us = facts.usage_us;
                view.window_memory_limit_hits = facts.memory_limit_hits;
            }
        }
        cpu_users
    }

    /// Lookups of the window, by subject and server.
    fn dns(&self) -> Vec<DnsView> {
        let mut rows: BTreeMap<(&SubjectId, Endpoint), DnsView> = BTreeMap::new();
        for (key, lookups) in &self.window.sums().dns {
            let Some(owner) = self.owners.get(&key.cgroup) else { continue };
            let server = self.idle_edge(&owner.subject, &self.addresses(&owner.subject), key);
            let row = rows.entry((&owner.subject, server.endpoint()));
            row.or_insert_with(|| DnsView { server, window: Lookups::default() }).window.add(lookups);
        }
        let mut rows: Vec<DnsView> = rows.into_values().collect();
        rows.sort_by_cached_key(|row| Reverse(row.window.count()));
        rows.truncate(self.limits.edges);
        rows
    }
}

impl Subject {
    pub(super) fn view(&self, id: &SubjectId) -> SubjectView {
        SubjectView {
            id: id.clone(),
            pod: self.pod.clone(),
            status_now_ms: self.clock.as_ref().map(|clock| clock.now_ms),
            gone_since: self.gone_since,
            sums: self.sums.clone(),
            cpu: self.facts.cpu,
            pressure: self.facts.pressure,
            oom_kills: self.facts.oom_kills,
            ..SubjectView::default()
        }
    }
}

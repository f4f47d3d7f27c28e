//! A frame's rows, on their way to the sums of their subjects.

use super::{Join, Owner, own};
use crate::{
    peers::Peer,
    sample::{Frame, Responses, Tally},
    state::SubjectSums,
};
use netwhy_abi::{EdgeKey, Key, PeerClass, Role};
use std::time::Duration;

impl Join {
    /// Adds a frame to its subjects' sums; samples without a name wait.
    pub(super) fn add(&mut self, frame: &Frame) {
        let (at, growth) = (frame.at, &frame.growth);
        by_cgroup(&growth.edges).chunk_by(share_cgroup).for_each(|rows| self.add_edges(at, rows));
        by_cgroup(&growth.responses).chunk_by(share_cgroup).for_each(|rows| self.add_response_times(at, rows));
        self.add_rows(at, &growth.overflow, |sums, key, tally| sums.add_tally(key.peer_class(), tally));
        self.add_rows(at, &growth.cgroups, |sums, _, connects| sums.connects.add(connects));
        self.add_rows(at, &growth.dns, |sums, _, lookups| sums.lookups.add(lookups));
        self.add_rows(at, &growth.run_queue, |sums, _, waits| sums.run_queue.add(waits));
        let (of_node, of_subjects): (Vec<_>, Vec<_>) = growth.drops.iter().partition(|(key, _)| key.cgroup == 0);
        self.add_rows(at, of_subjects, |sums, key, n| *sums.drops.entry(key.reason).or_default() += n);
        for (key, n) in of_node {
            *self.node_drops.entry(key.reason).or_default() += n;
        }
        for (key, n) in &frame.host {
            *self.host.entry(key.clone()).or_default() += n;
        }
        for (cgroup, facts) in &frame.facts {
            let top = self.tops.contains(cgroup);
            let over = |owner: &Owner| self.is_over(&owner.subject) && !self.subjects.contains_key(&owner.subject);
            // A directory alone does not bring a Pod back.
            if self.owners.get(cgroup).is_some_and(over) {
                continue;
            }
            if let Some(subject) = self.subject(*cgroup) {
                subject.facts.add(&own(facts, top));
            }
        }
    }

    /// Adds the edges of one cgroup.
    fn add_edges(&mut self, at: Duration, rows: &[&(EdgeKey, Tally)]) {
        let [(first, _), ..] = rows else { return };
        let clients = self.clients(first.cgroup);
        let peers: Vec<Peer> = rows.iter().map(|(key, _)| self.peer_behind(&clients, key)).collect();
        let sums = self.sums(first.cgroup, at);
        for ((_, tally), peer) in rows.iter().zip(&peers) {
            sums.add_tally(peer.class, tally);
        }
        for ((_, tally), peer) in rows.iter().zip(peers) {
            if let Some(node) = peer.node.filter(|node| **node != *self.node) {
                self.peer_nodes.add(node, tally, self.limits.peer_nodes);
            }
        }
    }

    /// Adds the response times of one cgroup.
    fn add_response_times(&mut self, at: Duration, rows: &[&(EdgeKey, Responses)]) {
        let [(first, _), ..] = rows else { return };
        let clients = self.clients(first.cgroup);
        // Without a role there are no response times.
        let times = rows.iter().filter_map(|(key, times)| {
            let role = key.role()?;
            Some((role, self.peer_behind(&clients, key).class, times))
        });
        let times: Vec<(Role, PeerClass, &Responses)> = times.collect();
        if times.is_empty() {
            return;
        }
        let sums = self.sums(first.cgroup, at);
        times.into_iter().for_each(|(role, class, times)| sums.add_responses(role, class, times));
    }

    /// Adds rows to their subjects' sums; `add` says where a row belongs.
    fn add_rows<'a, K: Key + 'a, S: 'a>(
        &mut self,
        at: Duration,
        rows: impl IntoIterator<Item = &'a (K, S)>,
        add: impl Fn(&mut SubjectSums, &K, &S),
    ) {
        for (key, growth) in rows {
            add(self.sums(key.cgroup(), at), key, growth);
        }
    }
}

/// The rows by cgroup, so that what they share is looked up once. Those of one cgroup keep their order.
fn by_cgroup<K: Key, S>(rows: &[(K, S)]) -> Vec<&(K, S)> {
    let mut rows: Vec<&(K, S)> = rows.iter().collect();
    rows.sort_by_key(|(key, _)| key.cgroup());
    rows
}

fn share_cgroup<K: Key, S>(a: &&(K, S), b: &&(K, S)) -> bool {
    a.0.cgroup() == b.0.cgroup()
}

//! Requests and answers, by edge and by server.

use super::{Join, view::Views};
use crate::state::{EdgeView, ResponseView, Waiting};
use netwhy_abi::{EdgeKey, Role};
use std::{collections::HashMap, time::Duration};

impl Join {
    /// Finds the edges with requests that the newest walk found without an answer, and since when walks find some.
    pub(super) fn find_waiting(&mut self, walked_at: Option<Duration>) {
        let found = walked_at.into_iter().flat_map(|at| self.ledger.unanswered(at).map(move |edge| (at, edge)));
        let now: HashMap<EdgeKey, Waiting> = found
            .filter(|(_, (_, requests))| *requests > 0)
            .map(|(at, (key, requests))| {
                let since = self.waiting.get(key).map_or(at, |before| before.since);
                (*key, Waiting { requests: u64::from(requests), since })
            })
            .collect();
        self.waiting = now;
    }

    /// Requests and answers of an edge, without its normal times. `None`: there are none.
    pub(super) fn responses_of(&self, key: &EdgeKey) -> Option<ResponseView> {
        let (window, waiting) = (self.window.sums().responses.get(key), self.waiting.get(key).copied());
        if window.is_none() && waiting.is_none() {
            return None;
        }
        let recent = self.recent.get(key).cloned().unwrap_or_default();
        let newest = self.window.newest().get(key).cloned().unwrap_or_default();
        let calls = self.calls.get(key).copied().unwrap_or_default();
        Some(ResponseView {
            window: window.cloned().unwrap_or_default(),
            recent,
            newest,
            calls,
            waiting,
            ..ResponseView::default()
        })
    }

    /// Edges without traffic in the window, with requests that wait for an answer.
    pub(super) fn waiting_edges(&self) -> impl Iterator<Item = EdgeView> {
        let quiet = self.waiting.keys().filter(|key| !self.window.sums().edges.contains_key(key));
        quiet.filter_map(|key| {
            let owner = self.owners.get(&key.cgroup)?;
            let responses = self.responses_of(key).map(Box::new);
            Some(EdgeView { responses, ..self.idle_edge(&owner.subject, key) })
        })
    }

    /// Adds requests and answers to their subjects.
    pub(super) fn add_responses(&self, views: &mut Views<'_>) {
        for (key, waiting) in &self.waiting {
            if let (Some(role), Some(view)) = (key.role(), self.view_of(key.cgroup, views)) {
                view.unanswered[role as usize] += waiting.requests;
            }
        }
        let (answered, waiting) = (self.window.sums().responses.keys(), self.waiting.keys());
        let quiet = waiting.filter(|key| !self.window.sums().responses.contains_key(key));
        for key in answered.chain(quiet).filter(|key| key.role() == Some(Role::Server)) {
            if let (Some(edge), Some(view)) = (self.responses_of(key), self.view_of(key.cgroup, views)) {
                view.server.get_or_insert_default().add(&edge);
            }
        }
    }
}

#[cfg(test)]
mod tests;

//! Requests and answers, by edge and by server.

use super::{Join, view::Views};
use crate::{
    sample::Responses,
    state::{ResponseView, SubjectView, Waiting},
};
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
        let recent = self.window.recent_responses().get(key).cloned().unwrap_or_default();
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
    pub(super) fn waiting_edges(&self) -> impl Iterator<Item = &EdgeKey> {
        self.waiting.keys().filter(|key| !self.window.sums().edges.contains_key(key))
    }

    /// Adds requests and answers to their subjects, except what edges with traffic, or with requests that wait, have.
    pub(super) fn add_responses(&self, views: &mut Views<'_>) {
        for (key, waiting) in &self.waiting {
            if let (Some(role), Some(view)) = (key.role(), self.view_of(key.cgroup, views)) {
                view.unanswered[role as usize] += waiting.requests;
            }
        }
        let sums = self.window.sums();
        let is_left = |key: &&EdgeKey| !sums.edges.contains_key(key) && !self.waiting.contains_key(key);
        for key in sums.responses.keys().filter(is_left).filter(|key| key.role() == Some(Role::Server)) {
            if let Some(view) = self.view_of(key.cgroup, views) {
                self.add_to_server(key, view);
            }
        }
    }

    /// Adds the requests and answers of an edge to those of its subject as a server, if it has any.
    pub(super) fn add_to_server(&self, key: &EdgeKey, view: &mut SubjectView) {
        let (window, waiting) = (self.window.sums().responses.get(key), self.waiting.get(key));
        if window.is_none() && waiting.is_none() {
            return;
        }
        let sum = view.server.get_or_insert_default();
        let add = |sum: &mut Responses, more: Option<&Responses>| {
            if let Some(more) = more {
                sum.add(more);
            }
        };
        add(&mut sum.window, window);
        add(&mut sum.recent, self.window.recent_responses().get(key));
        add(&mut sum.newest, self.window.newest().get(key));
        sum.calls.add(self.calls.get(key).copied().unwrap_or_default());
        if let Some(waiting) = waiting {
            sum.add_waiting(*waiting);
        }
    }
}

#[cfg(test)]
mod tests;

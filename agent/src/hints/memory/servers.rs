//! Normal response times of servers, of all clients together: clients come and go.

use super::{
    Troubled,
    mean::Step,
    requests::{RequestMemory, Requests},
};
use crate::{
    baseline::NormalResponses,
    hints::thresholds::Thresholds,
    state::{NodeView, ResponseView, SubjectId},
};
use netwhy_abi::Role;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Servers without a request for this long are forgotten.
const FORGET: Duration = Duration::from_secs(600);

/// All servers of the Node. At most as many as the view has subjects, and those of the last ten minutes.
#[derive(Debug, Default)]
pub(crate) struct ServerMemory {
    servers: BTreeMap<SubjectId, Server>,
}

#[derive(Debug, Default)]
struct Server {
    last_at: Duration,
    requests: RequestMemory,
}

impl ServerMemory {
    /// Normal response times of a server. `None`: not known yet.
    pub(crate) fn normal(&self, id: &SubjectId) -> Option<NormalResponses> {
        self.of(id)?.times().normal(Role::Server)
    }

    /// Normal response times of a server. `None`: it had no request yet.
    pub(crate) fn of(&self, id: &SubjectId) -> Option<&RequestMemory> {
        self.servers.get(id).map(|server| &server.requests)
    }

    /// Takes note of the newest requests. Call once per tick, before judging.
    pub(crate) fn observe(&mut self, view: &NodeView, thresholds: &Thresholds) {
        for subject in &view.subjects {
            if let (Some(server), Some(now)) = (self.servers.get_mut(&subject.id), &subject.server) {
                server.requests.observe(&requests(now, view), thresholds);
            }
        }
    }

    /// Learns from a window, except from subjects with a finding or a hint.
    pub(crate) fn learn(&mut self, view: &NodeView, step: Step, thresholds: &Thresholds, troubled: &Troubled) {
        let ill: BTreeSet<&SubjectId> = troubled.iter().map(|(_, id)| id).collect();
        for subject in view.subjects.iter().filter(|subject| subject.gone_since.is_none()) {
            let Some(server) = &subject.server else { continue };
            let known = self.servers.entry(subject.id.clone()).or_default();
            known.last_at = view.at;
            if ill.contains(&subject.id) {
                known.requests.distrust();
            } else {
                known.requests.learn(&requests(server, view), step, thresholds);
            }
        }
        self.servers.retain(|_, server| view.at.saturating_sub(server.last_at) < FORGET);
    }
}

fn requests<'a>(now: &'a ResponseView, view: &NodeView) -> Requests<'a> {
    Requests { role: Role::Server, now, bytes: None, at: view.at, length: view.window }
}

#[cfg(test)]
mod tests;

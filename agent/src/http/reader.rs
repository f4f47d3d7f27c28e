//! State of the handlers: the newest published view and status, and the ways to answer from them.

use super::{
    Protection, Shared,
    answers::Answers,
    monotonic_now,
    past::{Archive, Found},
    ready,
    scrapes::Scrapes,
};
use crate::{
    api::{AgentStats, MemoryLevel},
    metrics::SharedRow,
    state::NodeView,
};
use axum::response::Response;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// State of the handlers.
#[derive(Clone)]
pub(super) struct Reader {
    pub(super) shared: Shared,
    pub(super) archive: Archive,
    pub(super) scrapes: Arc<Scrapes>,
    pub(super) answers: Arc<Answers>,
    pub(super) protection: Protection,
    /// Subjects that share the row `~other`. Scrapes are encoded one at a time, so nobody waits for it.
    pub(super) shared_row: Arc<Mutex<SharedRow>>,
}

/// The view of an answer.
pub(super) enum ViewAt {
    /// The newest one when the answer is encoded. Until then the answer keeps none.
    Now(watch::Receiver<Arc<NodeView>>),
    /// A replayed one.
    Then(Found<Arc<NodeView>>),
}

impl ViewAt {
    pub(super) fn get(&self) -> Arc<NodeView> {
        match self {
            Self::Now(newest) => Arc::clone(&newest.borrow()),
            Self::Then(found) => Arc::clone(found.get()),
        }
    }
}

impl Reader {
    pub(super) fn view(&self) -> Arc<NodeView> {
        Arc::clone(&self.shared.view.borrow())
    }

    /// The view of a time; empty: of now.
    pub(super) async fn view_at(&self, at: &str) -> Result<ViewAt, Response> {
        if at.is_empty() {
            return Ok(ViewAt::Now(self.shared.view.clone()));
        }
        self.archive.view(at, self.memory_level()).await.map(ViewAt::Then)
    }

    pub(super) fn memory_level(&self) -> MemoryLevel {
        self.shared.agent.borrow().memory.level
    }

    /// The agent's status with the figures of scrapes and of their protection.
    pub(super) fn agent(&self, view: &NodeView) -> Arc<AgentStats> {
        self.archive.forget_old();
        let mut agent = Arc::clone(&self.shared.agent.borrow());
        let age = ready::age(view, monotonic_now());
        let stats = Arc::make_mut(&mut agent);
        stats.scrape = self.scrapes.stats(age);
        stats.protection = self.protection.stats();
        agent
    }
}

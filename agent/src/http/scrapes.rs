//! Scrapes: those of one format at the same moment are encoded once and share the bytes.

use super::budget::Budget;
use crate::{api::ScrapeStats, metrics::Format};
use bytes::Bytes;
use std::{
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    sync::{OnceCell, Semaphore},
    task::spawn_blocking,
};

/// The result of an encoding. `None`: there is no room for it.
type Encoding = OnceCell<Option<Bytes>>;

/// Encodings that scrapes wait for, and their figures.
pub(super) struct Scrapes {
    budget: Budget,
    /// By format. It lives as long as a scrape waits for it.
    pending: [Mutex<Weak<Encoding>>; 3],
    /// One encoding at a time bounds their memory and their CPU time.
    encoder: Arc<Semaphore>,
    count: AtomicU64,
    encodings: AtomicU64,
    /// Duration of the newest encoding, ns.
    last_ns: AtomicU64,
}

impl Scrapes {
    pub(super) fn new(budget: Budget) -> Self {
        Self {
            budget,
            pending: Default::default(),
            encoder: Arc::new(Semaphore::new(1)),
            count: AtomicU64::new(0),
            encodings: AtomicU64::new(0),
            last_ns: AtomicU64::new(0),
        }
    }

    /// The figures so far. `view_age`: `None` without a view.
    pub(super) fn stats(&self, view_age: Option<Duration>) -> ScrapeStats {
        let encodings = self.encodings.load(Ordering::Relaxed);
        let last = Duration::from_nanos(self.last_ns.load(Ordering::Relaxed));
        ScrapeStats {
            count: self.count.load(Ordering::Relaxed),
            encodings,
            last_seconds: (encodings > 0).then_some(last.as_secs_f64()),
            view_age_seconds: view_age.map(|age| age.as_secs_f64()),
        }
    }

    /// The exposition of a scrape: that of a pending encoding, else of a new one. Encoding runs on a thread of its own, so
    /// that it delays no other response. `None`: there is no room for it.
    pub(super) async fn text(&self, format: Format, encode: impl FnOnce() -> Bytes + Send + 'static) -> Option<Bytes> {
        let encoding = self.pending(format);
        let text = encoding.get_or_init(|| self.encode(encode)).await.clone();
        self.count.fetch_add(1, Ordering::Relaxed);
        text
    }

    fn pending(&self, format: Format) -> Arc<Encoding> {
        let slot = match format {
            Format::OpenMetrics => &self.pending[0],
            Format::Prometheus => &self.pending[1],
            Format::Protobuf => &self.pending[2],
        };
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        slot.upgrade().unwrap_or_else(|| {
            let encoding = Arc::default();
            *slot = Arc::downgrade(&encoding);
            encoding
        })
    }

    async fn encode(&self, encode: impl FnOnce() -> Bytes + Send + 'static) -> Option<Bytes> {
        // The semaphore is never closed.
        let turn = Arc::clone(&self.encoder).acquire_owned().await.ok()?;
        let began = Instant::now();
        // The thread has the turn: it goes on encoding when the client that waits for it has gone.
        let (text, _turn) = spawn_blocking(move || (encode(), turn)).await.ok()?;
        let took = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.last_ns.store(took, Ordering::Relaxed);
        self.encodings.fetch_add(1, Ordering::Relaxed);
        self.budget.hold(text).await
    }
}

#[cfg(test)]
mod tests;

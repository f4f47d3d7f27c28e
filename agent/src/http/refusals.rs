//! Counts of clients that TLS or authorization refused.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

/// Reason of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The TLS handshake failed, for example without a valid client certificate.
    Handshake,
    /// No bearer token, or one that the API server does not know.
    Unauthenticated,
    /// The token's user may not get the path.
    Forbidden,
    /// The API server could not be asked.
    Unavailable,
    /// Too many unknown tokens.
    Throttled,
}

impl Refusal {
    const ALL: [Self; 5] =
        [Self::Handshake, Self::Unauthenticated, Self::Forbidden, Self::Unavailable, Self::Throttled];

    const fn label(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::Unavailable => "unavailable",
            Self::Throttled => "throttled",
        }
    }
}

/// Refusals by reason.
#[derive(Debug, Default)]
pub(super) struct Refusals([AtomicU64; Refusal::ALL.len()]);

impl Refusals {
    pub(super) fn count(&self, refusal: Refusal) {
        self.0[refusal as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// All counts, zeros included, by label.
    pub(super) fn by_reason(&self) -> BTreeMap<String, u64> {
        let counts = Refusal::ALL.iter().zip(&self.0);
        counts.map(|(refusal, count)| (refusal.label().to_owned(), count.load(Ordering::Relaxed))).collect()
    }
}

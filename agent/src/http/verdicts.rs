//! Verdicts on bearer tokens: kept for a minute, bounded in number, and asked for once at the same moment. Pure: time
//! is an argument.

use crate::kube::Verdict;
use sha2::{Digest as _, Sha256};
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::OnceCell;

/// Time for which a verdict counts.
const KEPT: Duration = Duration::from_secs(60);
/// Time after which a failed question may be asked again.
const RETRY: Duration = Duration::from_secs(1);
/// Most verdicts.
const CAPACITY: usize = 256;
/// Most questions about tokens that were not allowed before, within [`KEPT`].
const UNKNOWN: usize = 64;
/// Most of them from one address.
const UNKNOWN_PER_PEER: usize = 10;

/// SHA-256 of a token. The token itself is not kept.
pub(super) type Key = [u8; 32];

/// The verdict, once there is one. `Err`: the API server could not be asked; why, on one line.
pub(super) type Answer = OnceCell<Result<Verdict, String>>;

/// The key of a token.
pub(super) fn key(token: &str) -> Key {
    Sha256::digest(token).into()
}

struct Entry {
    peer: IpAddr,
    asked: Instant,
    answer: Arc<Answer>,
}

impl Entry {
    fn is_allowed(&self) -> bool {
        matches!(self.answer.get(), Some(Ok(Verdict::Allowed)))
    }

    fn is_fresh(&self, now: Instant) -> bool {
        let kept = if matches!(self.answer.get(), Some(Err(_))) { RETRY } else { KEPT };
        now.saturating_duration_since(self.asked) < kept
    }

    /// Whether it counts against the limits of unknown tokens.
    fn is_unknown(&self, now: Instant) -> bool {
        !self.is_allowed() && now.saturating_duration_since(self.asked) < KEPT
    }
}

/// The kept verdicts.
#[derive(Default)]
pub(super) struct Verdicts {
    entries: HashMap<Key, Entry>,
}

impl Verdicts {
    /// The verdict of a key, or the place for a new one. `None`: this address asked about too many unknown tokens, or
    /// all addresses together did. Tokens that were allowed before stay known, so that nobody can displace them.
    pub(super) fn place(&mut self, key: Key, peer: IpAddr, now: Instant) -> Option<Arc<Answer>> {
        if let Some(entry) = self.entries.get_mut(&key) {
            if !entry.is_fresh(now) {
                // Its place and its history stay: an allowed token is asked about again, whatever others do.
                let is_counted = entry.is_unknown(now);
                let was_allowed = entry.is_allowed();
                if !is_counted && !was_allowed {
                    self.entries.remove(&key);
                    return self.insert(key, peer, now);
                }
                *entry = Entry { peer, asked: now, answer: Arc::default() };
            }
            return self.entries.get(&key).map(|entry| Arc::clone(&entry.answer));
        }
        self.insert(key, peer, now)
    }

    fn insert(&mut self, key: Key, peer: IpAddr, now: Instant) -> Option<Arc<Answer>> {
        let unknown = || self.entries.values().filter(|entry| entry.is_unknown(now));
        let of_peer = unknown().filter(|entry| entry.peer == peer).count();
        // An address without such a question may still ask one: others can't use up its share.
        if of_peer >= UNKNOWN_PER_PEER || (of_peer > 0 && unknown().count() >= UNKNOWN) {
            return None;
        }
        if self.entries.len() >= CAPACITY {
            let old = self.entries.iter().filter(|(_, entry)| !entry.is_fresh(now));
            let oldest = *old.min_by_key(|(_, entry)| (entry.is_allowed(), entry.asked))?.0;
            self.entries.remove(&oldest);
        }
        let entry = Entry { peer, asked: now, answer: Arc::default() };
        let answer = Arc::clone(&entry.answer);
        self.entries.insert(key, entry);
        Some(answer)
    }
}

#[cfg(test)]
mod tests;

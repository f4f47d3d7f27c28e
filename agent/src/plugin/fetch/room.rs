//! Memory for the answers of agents, so that no agent can take more than its share, whatever it sends.
//!
//! Each agent has a small amount for itself. Beyond it, all agents of a look-up share one room. An agent may take no more
//! of the room than it leaves to the others: one gets half, a second one a quarter.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Memory of each agent's answers that the room does not count, bytes. About 40 hints, or the edges to 130 Nodes.
const OWN: u64 = 256 << 10;

/// Memory that the large answers of all agents share.
#[derive(Debug)]
pub(super) struct Room {
    size: u64,
    free: Mutex<u64>,
}

/// Memory of one agent's answers.
#[derive(Debug)]
pub(super) struct Account {
    room: Arc<Room>,
    used: Mutex<u64>,
}

/// A part of an account. Dropping it gives it back.
#[derive(Debug)]
pub(super) struct Held {
    account: Arc<Account>,
    bytes: u64,
}

impl Room {
    /// A free room of `size` bytes.
    pub(super) fn new(size: u64) -> Arc<Self> {
        Arc::new(Self { size, free: Mutex::new(size) })
    }

    /// An account of one agent.
    pub(super) fn account(self: &Arc<Self>) -> Arc<Account> {
        Arc::new(Account { room: Arc::clone(self), used: Mutex::new(0) })
    }

    /// An account in a free room of the same size.
    pub(super) fn again(&self) -> Arc<Account> {
        Self::new(self.size).account()
    }
}

impl Account {
    /// Its room.
    pub(super) fn room(&self) -> &Room {
        &self.room
    }

    /// Nothing held yet.
    pub(super) fn hold(self: &Arc<Self>) -> Held {
        Held { account: Arc::clone(self), bytes: 0 }
    }

    /// Counts this many bytes for all that was kept, such as after a summary replaced the answers.
    pub(super) fn keep_only(&self, bytes: u64) {
        let mut used = lock(&self.used);
        *lock(&self.room.free) += excess(*used).saturating_sub(excess(bytes));
        *used = bytes.min(*used);
    }

    /// Takes more. False: there is no room for it.
    fn take(&self, bytes: u64) -> bool {
        let (mut used, mut free) = (lock(&self.used), lock(&self.room.free));
        let after = *used + bytes;
        let more = excess(after) - excess(*used);
        let is_fair = excess(after) <= free.saturating_sub(more);
        if more > 0 && !is_fair {
            return false;
        }
        *free -= more;
        *used = after;
        true
    }

    fn give(&self, bytes: u64) {
        let (mut used, mut free) = (lock(&self.used), lock(&self.room.free));
        let after = used.saturating_sub(bytes);
        *free += excess(*used) - excess(after);
        *used = after;
    }
}

impl Held {
    /// Holds this many bytes instead. False: there is no room for them.
    pub(super) fn resize(&mut self, bytes: u64) -> bool {
        if let Some(less) = self.bytes.checked_sub(bytes) {
            self.account.give(less);
        } else if !self.account.take(bytes - self.bytes) {
            return false;
        }
        self.bytes = bytes;
        true
    }

    /// Keeps it for the rest of the look-up.
    pub(super) fn keep(mut self) {
        self.bytes = 0;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.account.give(self.bytes);
    }
}

fn excess(bytes: u64) -> u64 {
    bytes.saturating_sub(OWN)
}

fn lock(value: &Mutex<u64>) -> MutexGuard<'_, u64> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;

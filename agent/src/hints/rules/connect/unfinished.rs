//! Handshakes that clients begin again and again and never finish: the SYNs of a living kernel arrive, and the answers
//! to them get lost.
//!
//! A kernel that gets a SYN-ACK acknowledges or resets it. One that stays without either is sent again by a timer after
//! 1 s (`TCP_TIMEOUT_INIT`), and after 2, 4, 8 and 16 s more; and at once for each SYN that the client sends again. Those
//! to a client that dies, with any number of handshakes, come in the seconds of one timer. Each of these moments may lie
//! on both sides of a tick:
//!
//! ```text
//! seconds              1 2 3 4 5 6 7 8 9 …
//! a client that died   x x x x - - x x - …    4 of 6 at most
//! one that tries       x x x x x x x x x …    SYNs of several moments, and no answer got through meanwhile
//! ```
//! Senders of SYNs under forged addresses, and checks that leave handshakes half open, never exchanged anything before.

use super::turned_away;
use crate::{
    hints::{
        context::{Context, Edge},
        memory::edge::EdgeMemory,
    },
    sample::Tally,
};
use netwhy_abi::{Retransmit, Role};

/// The newest seconds …
const SECONDS: u32 = 6;
const NEWEST: u16 = (1 << SECONDS) - 1;
/// … of which so many have SYN-ACKs that were sent again.
pub(super) const MIN_SECONDS: u32 = 5;

/// SYN-ACKs of the window that a client's host did not answer, although it goes on sending SYNs.
#[derive(Clone, Copy)]
pub(super) struct Unfinished {
    /// SYN-ACKs that were sent again.
    pub(super) resent: u64,
    /// Seconds with some, since the last handshake that completed.
    pub(super) seconds: u32,
}

impl Unfinished {
    /// `None`: the handshakes complete, something else is acknowledged, they are too few, or they are of nobody who ever
    /// completed one. Also outside the cluster, where clients lose their way for reasons of their own.
    pub(super) fn of(context: &Context<'_>, edge: &Edge<'_>) -> Option<Self> {
        let view = edge.view;
        if (view.unfinished & NEWEST).count_ones() < MIN_SECONDS || view.role != Some(Role::Server) {
            return None;
        }
        let is_known = edge.memory.is_some_and(EdgeMemory::has_served) && !edge.is_external();
        // Under high churn some seconds count no handshakes.
        let Tally { bytes_acked, rtt, .. } = &view.recent;
        let is_answered = view.recent.connects(Role::Server) > 0 || *bytes_acked > 0 || !rtt.is_empty();
        let subject = context.subject(edge.subject?);
        // The kernel repeats the answer, too, while an accept queue has no room for the acknowledged handshake.
        let is_full = subject.view.window_connects.accept_full > 0
            || turned_away(subject) >= context.thresholds.accept_drops.max(1);
        let resent = edge.tally().retransmits[Retransmit::SynAck as usize];
        (is_known && !is_answered && !is_full).then(|| Self { resent, seconds: view.unfinished.count_ones() })
    }
}

#[cfg(test)]
mod tests;

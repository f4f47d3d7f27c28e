//! Entries of a header table from before a gap. Those that were made in the gap came in front of them, and their number is
//! not known. A later block shows it: senders repeat the names of their headers in the same order, and only one number
//! makes the names of the entries that the block refers to those of an earlier block. If several numbers do, or none, the
//! older entries stay unknown.

use super::hpack::{Entry, Header, MOST_ENTRIES, NameId, Place};
use std::collections::{BTreeSet, VecDeque};

/// Orders of names that are remembered.
const ORDERS: usize = 8;
/// Longest of them.
const LONGEST: usize = 32;
/// Names that must fit.
const MIN_NAMES: usize = 2;
/// Blocks after a gap that are tried.
const TRIALS: u32 = 64;

/// The entries, and what tells where they are.
#[derive(Debug, Default)]
pub(super) struct Lost {
    /// Newest first.
    entries: VecDeque<Entry>,
    /// Names of the headers of earlier blocks, in order.
    orders: VecDeque<Vec<NameId>>,
    trials: u32,
}

impl Lost {
    /// Keeps the entries of a table from now on. After one gap more, those of the longer part.
    pub(super) fn keep(&mut self, entries: VecDeque<Entry>) {
        if entries.len() >= self.entries.len() {
            self.entries = entries;
        }
        self.trials = TRIALS;
    }

    /// Hands the entries over.
    pub(super) fn take(&mut self) -> VecDeque<Entry> {
        std::mem::take(&mut self.entries)
    }

    /// Remembers the names of a block that is known as a whole.
    pub(super) fn learn(&mut self, names: Vec<NameId>) {
        if names.len() <= LONGEST && !self.orders.contains(&names) {
            self.orders.truncate(ORDERS - 1);
            self.orders.push_front(names);
        }
    }

    /// Number of the entries that were made in the gap, as a block shows it. `known`: entries since the gap. `None`:
    /// nothing is lost, or the block doesn't show it.
    pub(super) fn missed(&mut self, headers: &[Header<'_>], known: &VecDeque<Entry>) -> Option<usize> {
        if self.entries.is_empty() || self.trials == 0 || headers.len() > LONGEST {
            return None;
        }
        let names = places(headers, known);
        if !names.iter().any(|name| matches!(name, Place::At(_))) {
            return None;
        }
        self.trials -= 1;
        let mut fitting = self.orders.iter().flat_map(|order| {
            let room = 0..=MOST_ENTRIES - self.entries.len().min(MOST_ENTRIES);
            room.filter(|missed| self.fits(order, &names, *missed)).collect::<Vec<_>>()
        });
        let first = fitting.next()?;
        fitting.all(|other| other == first).then_some(first)
    }

    /// Whether the names of a block are in this order if so many entries were missed.
    fn fits(&self, order: &[NameId], names: &[Place], missed: usize) -> bool {
        if order.len() != names.len() {
            return false;
        }
        let mut distinct = BTreeSet::new();
        let fits = order.iter().zip(names).all(|(wanted, name)| match name {
            Place::Given(name) => name == wanted,
            // Those that were missed may have any name.
            Place::At(at) => at.checked_sub(missed).is_none_or(|at| {
                let found = self.entries.get(at).is_some_and(|entry| entry.name == *wanted);
                distinct.extend(found.then_some(*wanted));
                found
            }),
        });
        fits && distinct.len() >= MIN_NAMES
    }
}

/// Names of a block: known, or at a place among the lost entries that counts from the gap on.
fn places(headers: &[Header<'_>], known: &VecDeque<Entry>) -> Vec<Place> {
    // Entries of the block itself move the others.
    let mut added: Vec<Place> = Vec::new();
    let mut places = Vec::new();
    for header in headers {
        let place = match header.place {
            Place::Given(name) => Place::Given(name),
            Place::At(at) => match at.checked_sub(added.len()) {
                None => added[added.len() - 1 - at],
                Some(at) => known.get(at).map_or_else(|| Place::At(at - known.len()), |entry| Place::Given(entry.name)),
            },
        };
        places.push(place);
        if header.is_added {
            added.push(place);
        }
    }
    places
}

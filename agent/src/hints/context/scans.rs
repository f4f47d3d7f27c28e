//! Counts how often all edges, or all subjects, of a tick are looked through.

use std::cell::Cell;

thread_local! {
    static SCANS: Cell<usize> = const { Cell::new(0) };
}

/// They are looked through once more.
pub(super) fn add() {
    SCANS.set(SCANS.get() + 1);
}

/// The number since the last call, on this thread.
pub(crate) fn take() -> usize {
    SCANS.take()
}

//! Waits between runnable and running, of one cgroup.

use crate::buckets::BUCKETS;

/// Waits of one cgroup's tasks. Cumulative since the row was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct RunQueueStats {
    /// Waits per bucket of [`BOUNDS_US`](crate::BOUNDS_US), one for each time that a task ran. Wraps at 2³².
    pub buckets: [u32; BUCKETS],
    /// Their sum, ns.
    pub sum_ns: u64,
}

const _: () = assert!(size_of::<RunQueueStats>() == BUCKETS * 4 + 8);

impl RunQueueStats {
    /// A row in which nothing was counted yet.
    pub const ZERO: Self = Self { buckets: [0; BUCKETS], sum_ns: 0 };
}

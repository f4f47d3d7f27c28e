//! Waits between runnable and running, of one cgroup.

use crate::row::Durations;

/// Waits of one cgroup's tasks, one each time that a task ran. The sum is in nanoseconds, the unit of the scheduler.
pub type RunQueueStats = Durations<1_000>;

const _: () = assert!(size_of::<RunQueueStats>() == 400);

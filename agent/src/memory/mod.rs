//! The agent's own memory limit, and how near it is.
//!
//! ```text
//! /proc/self/cgroup, mountinfo → Limit        files of the limit and of the use: cgroup v2, v1, or the machine
//! Limit                        → TimelyLimit  its readings under a deadline, for the tick
//! Reading.limit                → fit          capacities of the kernel maps (pure)
//! Reading (limit, used)        → Pressure     level with hysteresis, and the room that is left (pure)
//! ```
//! The kernel side, the tick and `join` shed load by the level. `budget` states how much memory the agent needs.

mod fit;
mod limit;
mod pressure;
mod timely;

pub use fit::fit;
pub use limit::{Limit, Reading};
pub use pressure::{CRITICAL_SHARE, Headroom, NEAR_SHARE, Pressure};
pub use timely::TimelyLimit;

//! This Node's Pods: their identity and status, from a watch of this Node's Pods alone.
//!
//! ```text
//! API server ─ watch spec.nodeName=… ─► WatchStream ─► Change ─► PodIndex ─► published Arc ─► join
//!            └ list Events of a Pod in trouble ─► PodWarnings ────────┘
//! ```
//! [`PodIndex`] is plain data. Only `watch` and `events` speak to an API server; the connection is `kube`'s.

mod convert;
mod events;
mod index;
mod watch;
mod workload;

pub(crate) use convert::{CLOSE_UP, pod_event, pod_info};
pub use index::{Change, PodIndex};
pub use watch::{Pods, watch_pods};

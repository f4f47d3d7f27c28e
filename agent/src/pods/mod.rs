//! This Node's Pods: who they are and how they fare, from a watch that asks for nothing else.
//!
//! ```text
//! API server ─ watch spec.nodeName=… ─► Follow (back-off, counts) ─► Change ─► PodIndex ─► published Arc ─► join
//!             └ list Events of a Pod in trouble ─► Warnings ───────────────────────┘
//! ```
//! [`PodIndex`] and [`PodInfo`] are plain data; only `client`, `ear`, `follow`, `watch` and `events` speak to an API server.

pub(crate) mod client;
mod convert;
mod ear;
mod events;
pub(crate) mod follow;
mod index;
mod info;
mod patience;
mod watch;
mod workload;

pub(crate) use client::one_line;
pub use client::{Cluster, ConnectError, Place, find};
pub(crate) use convert::{pod_event, pod_info};
pub use ear::Heard;
pub use follow::WatchStatus;
pub use index::{Change, PodIndex};
pub use info::{Condition, ContainerInfo, ContainerKind, ContainerState, Ended, PodEvent, PodInfo, ProbeKind, Why};
pub use patience::Patience;
pub use watch::{Pods, watch_pods};

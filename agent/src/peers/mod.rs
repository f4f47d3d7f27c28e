//! Who is at the other end: address → class, Node, Pod.
//!
//! ```text
//! Node metadata watch ─► names that are new ─► GET or paged LIST of the few fields that matter ─► NodeFacts ┐
//! EndpointSlice watch (optional) ─► Endpoints ──────────────────────────────────────────────────────────────┼─► PeerTable
//! configured ranges, this machine's own addresses ──────────────────────────────────────────────────────────┘
//! ```
//! Only `lite`, `slices` and `watch` speak to an API server; the rest is pure.

mod conntrack;
mod lite;
mod local;
mod nodes;
mod slices;
mod table;
mod watch;

pub use conntrack::{Translations, watch_conntrack};
pub use local::local_addresses;
pub use nodes::{Endpoint, NodeFacts, Nodes, class_of, mapped, prefixes, range};
pub use table::{Peer, PeerKind, PeerTable};
pub use watch::{Peers, watch_peers};

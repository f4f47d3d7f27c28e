//! Peers: from a remote address to its class, Node and Pod.
//!
//! ```text
//! Node metadata watch ─► changed names ─► GET or paged LIST of the few fields that matter ─► NodeFacts ┐
//! EndpointSlice watch (optional) ─► Endpoints ─────────────────────────────────────────────────────────┼─► PeerTable
//! configured ranges, this machine's addresses ─────────────────────────────────────────────────────────┘
//! ```
//! Only `lite` and `watch` speak to an API server; the connection is `kube`'s. `conntrack` reads procfs. The rest is
//! pure.

mod build;
mod conntrack;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod known_nodes;
mod lite;
mod local;
mod nodes;
mod slices;
mod table;
mod watch;

pub use build::peer_table;
pub use conntrack::{Translations, open_conntrack, watch_conntrack};
pub use local::local_addresses;
pub use nodes::{Endpoint, NodeFacts, Nodes, class_of, mapped, prefixes, range};
pub use table::{Peer, PeerKind, PeerTable};
pub use watch::{Peers, watch_peers};

//! The answers of `/api/v1`, made from the published view. Pure.

mod edge;
mod node;
mod node_facts;
mod peer;
mod pod;
mod shared;
mod times;

pub use edge::{each_edge, edges};
pub use node::node;
pub use peer::{PeerRows, peers};
pub use pod::{PodRows, pods};

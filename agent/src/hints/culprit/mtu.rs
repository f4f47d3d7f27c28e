//! The culprit of segments that are too large for the path.

use crate::{
    api::{Blame, BlameKind},
    hints::{
        context::{Context, Edge},
        finding::blame,
    },
};

/// Peers with too small a path from which this Node is blamed.
const MIN_PEERS: usize = 3;

/// `peers`: peers whose path drops full-size segments.
pub(crate) fn culprit(context: &Context<'_>, edge: &Edge<'_>, peers: usize) -> Blame {
    let (node, pair) = (context.node.to_owned(), context.pair(edge));
    if !edge.is_remote() {
        blame(BlameKind::Node, node)
    } else if peers >= MIN_PEERS {
        blame(BlameKind::Node, node).or(vec![edge.peer_node_name()])
    } else if edge.is_external() {
        blame(BlameKind::External, edge.peer_node_name()).or(vec![pair])
    } else {
        blame(BlameKind::NodePair, pair).or(vec![edge.peer_node_name(), node])
    }
}

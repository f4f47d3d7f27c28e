//! The culprit of a peer that does not answer.

use crate::{
    api::{Blame, BlameKind},
    hints::{
        context::{Context, Edge, Subject},
        finding::blame,
    },
    state::Endpoint,
};
use std::collections::{BTreeMap, BTreeSet};

/// Peers without an answer from which this Node is blamed.
const MIN_SILENT_PEERS: usize = 3;

/// Endpoints with something unanswered and no completed handshake. The value: the host still acknowledges data.
pub(crate) type SilentPeers = BTreeMap<Endpoint, bool>;

/// One edge without answers.
#[derive(Clone, Copy)]
pub(crate) struct Unanswered<'a> {
    pub(crate) subject: &'a Subject<'a>,
    pub(crate) edge: &'a Edge<'a>,
    /// Established connections fell silent, rather than handshakes.
    pub(crate) established: bool,
    /// Other peers that answer.
    pub(crate) answering: usize,
}

pub(crate) fn culprit(context: &Context<'_>, case: Unanswered<'_>, silent: &SilentPeers) -> Blame {
    let Unanswered { subject, edge, established, answering } = case;
    let peer = edge.peer_node_name();
    let that_pod = || blame(edge.blame_kind(BlameKind::PeerPod), edge.peer_pod_name());
    // Within this Node there is no path in between: the Pod that has the address, or had it.
    if !edge.is_remote() {
        return that_pod();
    }
    // Connections fall silent within moments. Older answers acquit nobody: not this Node …
    let same_node = |e: &Edge<'_>| e.view.peer_node.is_some() && e.view.peer_node == edge.view.peer_node;
    let node_is_suspect =
        established && !context.any_undisturbed(edge, |e| e.is_remote() && e.view.peer != edge.view.peer);
    let this_node = node_is_suspect.then(|| context.node.to_owned());
    let still_acknowledges = silent.get(&edge.view.endpoint()).copied().unwrap_or(false);
    if still_acknowledges || context.answers_beside(edge) {
        // … nor the peer's Node …
        let node_is_up =
            !established || context.any_undisturbed(edge, |e| e.view.shares_host(edge.view) || same_node(e));
        // … nor the Pod at this end, which a filter of its own may cut off.
        let pod_is_up = !established || context.any_undisturbed(edge, |e| e.subject == Some(subject.ix));
        let this_pod = (!pod_is_up).then(|| subject.name().to_owned());
        let alternatives = (!node_is_up).then_some(peer).into_iter().chain(this_pod).chain(this_node).collect();
        return that_pod().or(alternatives);
    }
    // Three silent peers, and still a majority when any one of them is left out.
    let remote: BTreeSet<_> = context.edges().iter().filter(|e| e.is_remote()).map(|e| e.view.peer).collect();
    let silent: BTreeSet<_> = silent.keys().map(|endpoint| endpoint.peer).collect();
    let gone = silent.intersection(&remote).count();
    if gone >= MIN_SILENT_PEERS && answering + 1 < gone {
        return blame(BlameKind::Node, context.node).or(vec![peer]);
    }
    if answering > 0 {
        // With traffic to one address of a Node, the Node and the Pod that has the address look alike.
        let on_node = context.edges().iter().filter(|e| same_node(e));
        let addresses: BTreeSet<_> = on_node.map(|other| other.view.peer).collect();
        let pod = (addresses.len() == 1).then(|| edge.peer_pod_name());
        let blame = blame(edge.blame_kind(BlameKind::PeerNode), peer);
        let pod = pod.filter(|pod| *pod != blame.name);
        return blame.or(pod.into_iter().chain(this_node).collect());
    }
    blame(BlameKind::NodePair, context.pair(edge)).or(vec![peer, context.node.to_owned()])
}

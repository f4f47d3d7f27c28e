//! The culprit of bad DNS lookups.

use crate::{
    api::{Blame, BlameKind},
    hints::{
        context::{Context, Edge, SubjectIx},
        finding::{blame, shared_blame},
    },
    state::{DnsView, Endpoint},
};
use std::collections::BTreeSet;

/// Share of bad lookups below which a server counts as fast for others.
pub(crate) const BAD_SHARE: f64 = 0.05;
/// Subjects that the same server answers as usual …
const OTHER_SUBJECTS: usize = 2;
/// … and their lookups, before the Pod itself is suspected.
const OTHER_LOOKUPS: u64 = 20;

/// One subject's lookups at one server.
pub(crate) struct Lookups<'a> {
    pub(crate) row: &'a DnsView,
    pub(crate) subject: SubjectIx,
    /// Slow or unanswered ones.
    pub(crate) bad: u64,
    /// Bad ones expected in normal times.
    pub(crate) expected: f64,
}

impl Lookups<'_> {
    /// A part of these lookups as tests count it: where some stand for others, as many as were observed.
    pub(crate) fn independent(&self, count: f64) -> f64 {
        count * self.row.window.independence()
    }
}

/// The culprit of `bad`. `server`: names the server.
pub(crate) fn culprit(context: &Context<'_>, all: &[Lookups<'_>], bad: &Lookups<'_>, server: &Edge<'_>) -> Blame {
    let node = context.node;
    let subjects: BTreeSet<SubjectIx> = all.iter().map(|r| r.subject).collect();
    let servers: BTreeSet<Endpoint> = all.iter().map(|r| r.row.server.endpoint()).collect();
    let no_answers = all.iter().all(|r| r.row.window.answered == 0);
    if no_answers && subjects.len() > 1 && servers.len() > 1 {
        return blame(BlameKind::Node, node);
    }
    let (kind, name) = (server.blame_kind(BlameKind::PeerPod), server.peer_pod_name());
    let among = |share: f64, others: &[(BlameKind, &str)]| shared_blame((kind, &name), share, others);
    let mut path = slow_path(context, server);
    if 2 * bad.row.window.unanswered >= bad.bad {
        path.extend(silent_path(context, server).into_iter().filter(|node| !path.contains(node)).collect::<Vec<_>>());
    }
    if !path.is_empty() {
        let path: Vec<(BlameKind, &str)> = path.iter().map(|(kind, node)| (*kind, node.as_str())).collect();
        return among(0.7, &path);
    }
    if no_answers && subjects.len() > 1 {
        return among(0.8, &[(BlameKind::Node, node)]);
    }
    if is_fast_for_others(all, bad) {
        // The names that this Pod looks up may be slow, or the Pod itself.
        return among(0.7, &[(BlameKind::Pod, context.subject(bad.subject).name())]);
    }
    blame(kind, name)
}

fn is_fast_for_others(all: &[Lookups<'_>], of: &Lookups<'_>) -> bool {
    let same_server = |r: &&Lookups<'_>| r.row.server.shares_host(&of.row.server) && r.subject != of.subject;
    let others = || all.iter().filter(same_server);
    let lookups: u64 = others().map(|r| r.row.window.count()).sum();
    let bad: u64 = others().map(|r| r.bad).sum();
    others().count() >= OTHER_SUBJECTS && lookups >= OTHER_LOOKUPS && (bad as f64) < BAD_SHARE * lookups as f64
}

/// Ends of the path to the server that may be slow instead, by what connections show.
fn slow_path(context: &Context<'_>, server: &Edge<'_>) -> Vec<(BlameKind, String)> {
    if !server.is_remote() {
        return Vec::new();
    }
    let late = |edge: &&Edge<'_>| edge.memory.is_some_and(|memory| memory.outran_timers(edge.view, context.thresholds));
    let late: BTreeSet<_> =
        context.edges().iter().filter(|e| e.is_remote()).filter(late).map(|e| e.view.peer_id()).collect();
    let server_late = late.contains(&server.view.peer_id());
    let others_late = late.len() > usize::from(server_late);
    let this_node = others_late.then(|| (BlameKind::Node, context.node.to_owned()));
    let peer_node = server_late && server.view.peer_node.is_some();
    let peer_node = peer_node.then(|| (BlameKind::PeerNode, server.peer_node_name()));
    this_node.into_iter().chain(peer_node).collect()
}

/// Nodes that may swallow the lookups: those that no connection shows to be up.
fn silent_path(context: &Context<'_>, server: &Edge<'_>) -> Vec<(BlameKind, String)> {
    if !server.is_remote() {
        return Vec::new();
    }
    let node = &server.view.peer_node;
    let server_node = node.is_some() && !context.any_undisturbed(server, |edge| edge.view.peer_node == *node);
    let this_node =
        !context.any_undisturbed(server, |edge| edge.is_remote() && edge.view.peer_id() != server.view.peer_id());
    let server_node = server_node.then(|| (BlameKind::PeerNode, server.peer_node_name()));
    server_node.into_iter().chain(this_node.then(|| (BlameKind::Node, context.node.to_owned()))).collect()
}

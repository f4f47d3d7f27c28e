//! Rows of `/api/v1/edges`.

use super::{
    shared::{by_label, limited, micros, quantile, subject},
    times,
};
use crate::{
    api::EdgeRow,
    state::{EdgeView, NodeView, SubjectId},
};
use netwhy_abi::{Failure, Retransmit, Role};

/// Rows of `/api/v1/edges`, in the view's order, of the subjects that `shows` accepts.
pub fn edges(view: &NodeView, shows: impl Fn(&SubjectId) -> bool) -> Vec<EdgeRow> {
    each_edge(view, &shows).collect()
}

/// The same rows, made one by one.
pub fn each_edge<'a, S: Fn(&SubjectId) -> bool>(view: &'a NodeView, shows: &'a S) -> impl Iterator<Item = EdgeRow> {
    view.edges.iter().filter(move |e| shows(&e.subject)).map(move |e| edge(view, e))
}

fn edge(view: &NodeView, e: &EdgeView) -> EdgeRow {
    let tally = &e.window;
    EdgeRow {
        subject: subject(view, &e.subject),
        peer: e.peer.to_canonical().to_string(),
        port: (e.port != 0).then_some(e.port),
        role: e.role.map(|role| role.label().to_owned()),
        redirected: e.redirected,
        class: e.class.label().to_owned(),
        peer_kind: e.kind.label().to_owned(),
        peer_node: e.peer_node.as_deref().map(str::to_owned),
        peer_pod: e.peer_pod.as_deref().map(str::to_owned),
        peer_dns_name: e.peer_dns_name.as_deref().map(str::to_owned),
        window_seconds: view.window.as_secs_f64(),
        rtt_samples: tally.rtt.count(),
        rtt_p10_seconds: quantile(&tally.rtt, 0.1),
        rtt_p50_seconds: quantile(&tally.rtt, 0.5),
        rtt_p99_seconds: quantile(&tally.rtt, 0.99),
        reply_p50_seconds: view.hz.and_then(|hz| tally.reply_quantile_seconds(0.5, hz)),
        min_rtt_seconds: tally.min_rtt_us.map(micros),
        segments_sent: tally.data_segs_out,
        loss_episodes: tally.loss_episodes,
        retransmitted_segments: by_label(&Retransmit::ALL.map(Retransmit::label), &tally.retransmits),
        connects: by_label(&Role::ALL.map(Role::label), &tally.connects),
        connect_failures: by_label(&Failure::ALL.map(Failure::label), &tally.connect_failures),
        limited: limited(tally),
        bytes_sent: tally.bytes_acked,
        bytes_received: tally.bytes_received,
        responses: times::of_edge(view, e),
    }
}

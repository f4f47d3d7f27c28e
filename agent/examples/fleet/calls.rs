//! Requests between the Pods of a fleet, as both ends' agents measure them.

use crate::views::{node, pod};
use netwhy_abi::{Role, fine_bucket_index};
use netwhy_agent::{
    sample::{FineHistogram, Responses, Tally},
    state::{EdgeView, NodeView, ResponseView},
};
use std::time::Duration;

/// Requests of each edge in the window.
const REQUESTS: u64 = 100;

fn durations(us: u32) -> FineHistogram {
    FineHistogram::from_counts([(fine_bucket_index(us) as u8, REQUESTS)], u64::from(us) * REQUESTS)
}

fn view_of(window: Responses) -> Option<Box<ResponseView>> {
    Some(Box::new(ResponseView { window, ..ResponseView::default() }))
}

/// A server's time, of which so much was unread, µs.
fn served(unread_us: u64, us: u32) -> Option<Box<ResponseView>> {
    let (durations, unread_us) = (durations(us), unread_us * REQUESTS);
    let application_us = durations.sum_us.saturating_sub(unread_us);
    view_of(Responses { durations, unread_us, application_us, ..Responses::default() })
}

/// Every client waits 51 ms. Servers measure 45 ms of it on the edges to the Pods two Nodes before, and 31 ms of all.
pub(crate) fn add(view: &mut NodeView, number: usize, nodes: usize) {
    view.walked_at = Some(view.at.saturating_sub(Duration::from_secs(1)));
    for edge in &mut view.edges {
        let network_us = 1_000 * REQUESTS;
        edge.responses = view_of(Responses { durations: durations(51_000), network_us, ..Responses::default() });
    }
    let clients = view.edges.clone();
    for (p, subject) in view.subjects.iter_mut().enumerate() {
        subject.server = served(1_000, 31_000);
        let from = (number + nodes - 2) % nodes;
        let Some(edge) = clients.iter().find(|edge| edge.subject == subject.id) else { continue };
        view.edges.push(EdgeView {
            role: Some(Role::Server),
            peer_node: Some(node(from).into()),
            peer_pod: Some(format!("shop/{}", pod(from, p)).into()),
            window: Tally { data_segs_out: 1, ..Tally::default() },
            responses: served(5_000, 45_000),
            ..edge.clone()
        });
    }
}

//! Who answers others is not silent: what other agents' rows say about hints of peers that answer nothing.

use super::{super::fleet::host, is_host, weigh};
use crate::api::{BlameKind, Hint, HintState, PeerRow, Suspect};
use std::collections::BTreeSet;

/// Evidence against a Node or a path between Nodes from one agent that gets answers over it, nats.
const PATH_ANSWERS: f64 = 6.0;
/// The same against a host: another of its ports may have answered.
const HOST_ANSWERS: f64 = 2.0;
/// Most of it: beyond, only the model would be surer.
const MOST: f64 = 8.0;

/// Signal of hints about handshakes without an answer.
const CONNECT_FAILURES: &str = "netwhy_tcp_connect_failures_total";
/// Signal of hints of servers whose answers to SYNs are not acknowledged.
const ANSWERS: &str = "netwhy_tcp_retransmitted_segments_total{type=\"synack\"}";

/// True if answers to other agents say more about who is at fault.
pub(super) fn is_about(hint: &Hint) -> bool {
    hint.state == HintState::Firing && hint.cause == "peer_unreachable"
}

/// Weighs the candidates of hints about silent peers with the answers that other agents get.
pub(super) fn acquit(hints: &mut [Hint], rows: &[PeerRow]) {
    // An agent that hears nothing from a candidate either is no witness for it.
    let pairs = |hint: &Hint| -> Vec<(String, String)> {
        hint.blame.candidates().map(|one| (hint.subject.node.clone(), one.name)).collect()
    };
    let silent: BTreeSet<(String, String)> = hints.iter().filter(|hint| is_about(hint)).flat_map(pairs).collect();
    for hint in hints.iter_mut().filter(|hint| is_about(hint)) {
        let asker = hint.subject.node.clone();
        let handshakes = is_about_handshakes(hint);
        let against = |one: &Suspect| -> f64 {
            let is_witness = |row: &&PeerRow| {
                // A listener that is full or filtered leaves open connections alone.
                let accepts = !(handshakes && is_host(one.kind)) || row.accepted.unwrap_or(true);
                row.answered
                    && accepts
                    && row.node != asker
                    && row.peer_node.as_ref() != Some(&row.node)
                    && !silent.contains(&(row.node.clone(), one.name.clone()))
            };
            let answers = rows.iter().filter(is_witness).filter(|row| passes(row, one));
            let agents: BTreeSet<&str> = answers.map(|row| row.node.as_str()).collect();
            let each = if is_host(one.kind) { HOST_ANSWERS } else { PATH_ANSWERS };
            (agents.len() as f64 * each).min(MOST)
        };
        let evidence: Vec<(Suspect, f64)> = hint.blame.candidates().map(|one| (one.clone(), against(&one))).collect();
        if evidence.iter().any(|(_, nats)| *nats > 0.0) {
            let nats = |one: &Suspect| evidence.iter().find(|(known, _)| known == one).map_or(0.0, |(_, nats)| -nats);
            weigh(hint, 0.0, nats);
        }
    }
}

/// Handshakes went unanswered. Else connections that were open fell silent.
pub(super) fn is_about_handshakes(hint: &Hint) -> bool {
    hint.evidence.iter().any(|one| one.signal.starts_with(CONNECT_FAILURES))
}

/// A client's SYNs arrive, and the answers to them are not acknowledged.
pub(super) fn is_about_answers(hint: &Hint) -> bool {
    hint.evidence.iter().any(|one| one.signal == ANSWERS)
}

/// Whether what this row is about passes the candidate: an answer in it needs the candidate to work.
pub(super) fn passes(row: &PeerRow, one: &Suspect) -> bool {
    let (from, to) = (row.node.as_str(), row.peer_node.as_deref());
    let zones = (row.zone.as_deref(), row.peer_zone.as_deref());
    match one.kind {
        BlameKind::Node | BlameKind::PeerNode => from == one.name || to == Some(one.name.as_str()),
        BlameKind::NodePair => one.name.split_once('↔').is_some_and(|(a, b)| is_between((Some(from), to), (a, b))),
        BlameKind::ZonePair => one.name.split_once('↔').is_some_and(|(a, b)| is_between(zones, (a, b))),
        kind if is_host(kind) => host(row) == Some(one.name.as_str()),
        _ => false,
    }
}

fn is_between(ends: (Option<&str>, Option<&str>), (a, b): (&str, &str)) -> bool {
    ends == (Some(a), Some(b)) || ends == (Some(b), Some(a))
}

#[cfg(test)]
mod tests;

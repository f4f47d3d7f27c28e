//! The input of blame over many Nodes, from the answers of all agents.

use crate::{
    api::PeerRow,
    blame::{Edge, Fleet, MinRtt},
};

/// The rows of all agents as edges for blame; `zone` gives the zone of a Node. Rows without sent segments, or with an
/// unknown peer Node, are left out.
pub fn fleet<'z>(rows: &[PeerRow], zone: impl Fn(&str) -> Option<&'z str>) -> Fleet {
    let mut fleet = Fleet::new();
    let count = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    for row in rows.iter().filter(|row| row.segments_sent > 0) {
        let Some(peer) = &row.peer_node else { continue };
        let (from, to) = (fleet.node(&row.node, zone(&row.node)), fleet.node(peer, zone(peer)));
        fleet.set_heard(from);
        let but = |all: u64, excused: u64| all.saturating_sub(excused);
        let (segments, episodes) =
            (but(row.segments_sent, row.excused.segments_sent), but(row.loss_episodes, row.excused.loss_episodes));
        fleet.push(Edge {
            flows: count(but(row.sending_edges, row.excused.sending_edges)),
            lossy_flows: count(but(row.lossy_edges, row.excused.lossy_edges)),
            baseline: row.loss_baseline.map(|ratio| ratio as f32),
            min_rtt: row.min_rtt_baseline.map(|rtt| MinRtt {
                now_us: (rtt.now_seconds * 1e6) as u32,
                usual_us: (rtt.usual_seconds * 1e6) as u32,
            }),
            ..Edge::new(from, to, segments, count(episodes))
        });
    }
    fleet
}

//! The input of blame over many Nodes, from the answers of all agents.

use crate::{
    api::{PeerRow, RttBaseline},
    blame::{Edge, Fleet, MinRtt},
};

/// The rows of all agents as edges for blame. Rows without sent segments are left out, and those with an unknown peer
/// Node, unless they are about one address.
pub fn fleet(rows: &[PeerRow]) -> Fleet {
    let mut fleet = Fleet::new();
    let count = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    for row in rows.iter().filter(|row| row.segments_sent > 0) {
        let to = match (&row.peer_node, host(row)) {
            (Some(node), _) => fleet.node(node, row.peer_zone.as_deref()),
            (None, Some(host)) => fleet.external(host),
            (None, None) => continue,
        };
        let from = fleet.node(&row.node, row.zone.as_deref());
        fleet.set_heard(from);
        let but = |all: u64, excused: u64| all.saturating_sub(excused);
        let (segments, episodes) =
            (but(row.segments_sent, row.excused.segments_sent), but(row.loss_episodes, row.excused.loss_episodes));
        let to_pod = host(row).filter(|_| row.peer_node.is_some()).map(|host| fleet.pod(host));
        fleet.push(Edge {
            flows: count(but(row.sending_edges, row.excused.sending_edges)),
            lossy_flows: count(but(row.lossy_edges, row.excused.lossy_edges)),
            baseline: row.loss_baseline.map(|ratio| ratio as f32),
            min_rtt: row.min_rtt_baseline.map(min_rtt),
            rise: row.rtt_rise.filter(|_| row.min_rtt_baseline.is_none()).map(min_rtt),
            to_pod,
            ..Edge::new(from, to, segments, count(episodes))
        });
    }
    fleet
}

fn min_rtt(rtt: RttBaseline) -> MinRtt {
    MinRtt { now_us: (rtt.now_seconds * 1e6) as u32, usual_us: (rtt.usual_seconds * 1e6) as u32 }
}

/// The Pod, or else the address, that the row alone is about.
pub(super) fn host(row: &PeerRow) -> Option<&str> {
    row.peer_pod.as_deref().or(row.peer.as_deref())
}

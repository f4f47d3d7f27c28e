//! `/api/v1/edges`: one row per edge, or with `by=peer_node` one row per Node at the other end.

use super::{ByLabel, LimitedShares, ResponseTimes, Subject};
use netwhy_abi::Failure;
use serde::{Deserialize, Serialize};

/// One (subject, remote address, port of the server's end) over the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EdgeRow {
    /// The subject at this end.
    pub subject: Subject,
    /// Remote address; IPv4-mapped ones as IPv4.
    pub peer: String,
    /// Port of the server's end. `null`: not known, or the rest of an address with many ports.
    #[serde(default)]
    pub port: Option<u16>,
    /// The subject's end: `client` or `server`. `null`: not known.
    #[serde(default)]
    pub role: Option<String>,
    /// Whether a redirect, such as a sidecar's, keeps the packets on this Node.
    #[serde(default)]
    pub redirected: bool,
    /// Peer class, such as `same_zone`.
    pub class: String,
    /// Kind of address: `pod`, `node_or_masqueraded`, `service`, or `range` when only its range is known.
    pub peer_kind: String,
    /// Node of the peer. `null`: unknown, or outside the cluster.
    pub peer_node: Option<String>,
    /// `namespace/name` of the peer's Pod. `null`: unknown, or not a Pod.
    pub peer_pod: Option<String>,
    /// DNS name that the subject looked up for the address. Absent: not known, as without `signals.dns_names`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_dns_name: Option<String>,
    /// Length of the window.
    pub window_seconds: f64,
    /// RTT samples.
    pub rtt_samples: u64,
    /// 10th percentile of the RTT: the path.
    pub rtt_p10_seconds: Option<f64>,
    /// Median.
    pub rtt_p50_seconds: Option<f64>,
    /// 99th percentile.
    pub rtt_p99_seconds: Option<f64>,
    /// Median reply time of clients, to the nearest power of two of a jiffy. `null`: no client, or no sample.
    pub reply_p50_seconds: Option<f64>,
    /// Lowest.
    pub min_rtt_seconds: Option<f64>,
    /// Data segments sent, retransmissions included.
    pub segments_sent: u64,
    /// Loss episodes. A window's count leaves out tail loss probes and timeouts that proved needless.
    pub loss_episodes: u64,
    /// Retransmitted segments by type; `spurious` is a subset of the others.
    pub retransmitted_segments: ByLabel<u64>,
    /// Completed handshakes by role.
    pub connects: ByLabel<u64>,
    /// Failed attempts by reason.
    pub connect_failures: ByLabel<u64>,
    /// Shares of busy time by limit.
    pub limited: LimitedShares,
    /// Payload bytes acknowledged by the peer.
    pub bytes_sent: u64,
    /// Payload bytes received.
    pub bytes_received: u64,
    /// Response times of the subject's end. Absent: no request ended in the window and none waits for an answer, the
    /// role is not known, or response times are not observed: `responses.state` of `/api/v1/pods` says which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub responses: Option<ResponseTimes>,
}

impl EdgeRow {
    /// Failed attempts, without those that only lost a race between addresses.
    pub fn failed_attempts(&self) -> u64 {
        self.connect_failures.iter().filter(|(why, _)| **why != Failure::Raced.label()).map(|(_, n)| n).sum()
    }
}

/// All edges of this Node to one Node, over the window. Edges to addresses without a known Node are one row per peer
/// class. Addresses in `split=` have rows of their own: whether others reach one of them tells a Pod from its Node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeerRow {
    /// This Node.
    pub node: String,
    /// Its zone. `null`: not known, or the cluster has none. Older agents leave it out.
    #[serde(default)]
    pub zone: Option<String>,
    /// The Node at the other end. `null`: unknown, or outside the cluster.
    pub peer_node: Option<String>,
    /// Its zone. `null`: not known, or outside the cluster. Older agents leave it out.
    #[serde(default)]
    pub peer_zone: Option<String>,
    /// The only address that the row is about: one of `split=`. `null`: all others. Older agents leave it out.
    #[serde(default)]
    pub peer: Option<String>,
    /// `namespace/name` of the Pod that has this address. `null`: not known, or no Pod's.
    #[serde(default)]
    pub peer_pod: Option<String>,
    /// A peer acknowledged or sent data, or shook hands, within the last tick. Older agents leave it out.
    #[serde(default)]
    pub answered: bool,
    /// A peer accepted or refused a connection of a client within the last 3 s. `null`: an older agent leaves it out.
    #[serde(default)]
    pub accepted: Option<bool>,
    /// Peer class, such as `same_zone`.
    pub class: String,
    /// Edges: pairs of subject and remote address.
    pub edges: u64,
    /// Of these, edges that sent data.
    pub sending_edges: u64,
    /// Of these, edges with a loss episode.
    pub lossy_edges: u64,
    /// Subjects at this end.
    pub subjects: u64,
    /// Length of the window.
    pub window_seconds: f64,
    /// RTT samples.
    pub rtt_samples: u64,
    /// Median RTT.
    pub rtt_p50_seconds: Option<f64>,
    /// 99th percentile.
    pub rtt_p99_seconds: Option<f64>,
    /// Lowest.
    pub min_rtt_seconds: Option<f64>,
    /// Lowest RTT now and its baseline, of the edges that have both. `null`: none has, or a longer path can't be told
    /// from slow peers. Older agents leave it out.
    #[serde(default)]
    pub min_rtt_baseline: Option<RttBaseline>,
    /// Lowest RTT now and its baseline, of the edges whose RTT rose while nothing tells a longer path from slow peers.
    /// `null`: none, or `min_rtt_baseline` is known. Older agents leave it out.
    #[serde(default)]
    pub rtt_rise: Option<RttBaseline>,
    /// Data segments sent, retransmissions included.
    pub segments_sent: u64,
    /// Loss episodes. A window's count leaves out tail loss probes and timeouts that proved needless.
    pub loss_episodes: u64,
    /// Baseline of loss episodes per segment, 0 … 1, weighted by the segments that each edge sent now. `null`: unknown
    /// for one of the edges that sent. Older agents leave it out.
    #[serde(default)]
    pub loss_baseline: Option<f64>,
    /// The share of the counts above that says nothing about the path to the peer. Older agents leave it out.
    #[serde(default)]
    pub excused: Excused,
    /// Retransmitted segments of all types.
    pub retransmitted_segments: u64,
    /// Completed handshakes, both roles.
    pub connects: u64,
    /// Failed attempts, all reasons.
    pub connect_failures: u64,
}

/// Counts of edges whose retransmissions say nothing about the path: at least half were needless (reordering), or the
/// sender's own packets overflow a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excused {
    /// Of [`PeerRow::sending_edges`].
    pub sending_edges: u64,
    /// Of [`PeerRow::lossy_edges`].
    pub lossy_edges: u64,
    /// Of [`PeerRow::segments_sent`].
    pub segments_sent: u64,
    /// Of [`PeerRow::loss_episodes`].
    pub loss_episodes: u64,
}

/// Lowest RTT of the same edges now, and its baseline.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RttBaseline {
    /// The window's lowest, s. After a path change, the 10th percentile of the newest samples.
    pub now_seconds: f64,
    /// Baseline, s.
    pub usual_seconds: f64,
}

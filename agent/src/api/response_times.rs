//! Response times in `/api/v1/pods` and `/api/v1/edges`.
//!
//! A client's time begins when the request's first byte is sent, a server's when it is received; both end with the
//! answer's first byte. A request that ended without an answer counts with its age.

use super::{ByLabel, ProbeState};
use serde::{Deserialize, Serialize};

/// Response times of one subject.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PodResponses {
    /// Whether response times are observed: the state of the probe `responses`. Without `ok` or `degraded`, missing
    /// times say nothing. `null`: not known, as in the replay of a recording.
    pub state: Option<ProbeState>,
    /// Why the state isn't `ok`. Empty when it is.
    pub why: String,
    /// As a server, of all clients together. `null`: no request ended in the window, and none waits for an answer.
    pub server: Option<ResponseTimes>,
    /// As a client, by callee: those waited for longest first, at most [`PodResponses::MAX_CALLEES`].
    pub callees: Vec<Callee>,
    /// Callees beyond.
    pub more_callees: u64,
}

impl PodResponses {
    /// Callees of one subject that are shown.
    pub const MAX_CALLEES: usize = 16;
}

/// One callee of a client.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Callee {
    /// Remote address; IPv4-mapped ones as IPv4.
    pub peer: String,
    /// Its port. `null`: not known, or the rest of an address with many ports.
    pub port: Option<u16>,
    /// Whether a redirect, such as a sidecar's, keeps the packets on this Node.
    pub redirected: bool,
    /// Peer class, such as `same_zone`.
    pub class: String,
    /// Kind of address: `pod`, `node_or_masqueraded`, `service`, or `range` when only its range is known.
    pub peer_kind: String,
    /// Its Node. `null`: unknown, or outside the cluster.
    pub peer_node: Option<String>,
    /// `namespace/name` of its Pod. `null`: unknown, or not a Pod.
    pub peer_pod: Option<String>,
    /// DNS name that the client looked up for the address. Absent: not known, as without `signals.dns_names`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_dns_name: Option<String>,
    /// Response times, as the client measures them.
    #[serde(flatten)]
    pub times: ResponseTimes,
}

/// Response times of one end over the window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ResponseTimes {
    /// Requests that ended, with or without an answer. Requests that overlap on one connection count as one.
    pub requests: u64,
    /// Whether some connections stand for others, as on a busy Node: the rest of them was not measured. Older agents leave
    /// it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_sampled: Option<bool>,
    /// Requests per second. `null`: the window is empty.
    pub per_second: Option<f64>,
    /// Median, within 10 %. Above 10 s it is 10 s. `null`: no request ended.
    pub p50_seconds: Option<f64>,
    /// 95th percentile.
    pub p95_seconds: Option<f64>,
    /// 99th percentile.
    pub p99_seconds: Option<f64>,
    /// Mean. `null`: no request ended.
    pub mean_seconds: Option<f64>,
    /// Mean per request by stage. A client has `network`, `retransmission` and `peer`, a server `unread` and
    /// `application`; they add up to the mean. `handshake` comes before, of connections made in the window; absent:
    /// none was timed, or the row is an edge's. Empty: no request ended.
    pub stage_seconds: ByLabel<f64>,
    /// Requests that ended in the window after a second or more without an answer.
    pub ended_unanswered: u64,
    /// Requests that wait for an answer for a second or more, as the newest walk found them. `null`: no walk yet.
    pub unanswered: Option<u64>,
    /// Time for which every walk found some. The oldest of them waits for a second or more. `null`: none waits.
    pub unanswered_for_seconds: Option<f64>,
    /// Calls of HTTP and gRPC in the window. `null`: of none that was sampled the outcome is known.
    pub http: Option<HttpCalls>,
    /// The same in normal times, of a mean that forgets half in an hour. `null`: fewer than ten windows or twenty
    /// requests are known.
    pub normally: Option<NormalResponseTimes>,
}

/// Sampled clear-text calls of HTTP and gRPC of one end over the window, as far as their outcome is known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HttpCalls {
    /// Calls in the sample.
    pub sampled: u64,
    /// Those of gRPC among them. Older agents know none.
    #[serde(default)]
    pub grpc: u64,
    /// Share of them that the server failed, 0 … 1: with a status of 500 to 599, or a code of gRPC such as
    /// `UNAVAILABLE`.
    pub error_share: f64,
    /// The same in normal times. `null`: fewer than a hundred calls are known.
    pub normal_error_share: Option<f64>,
}

/// Response times in normal times.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NormalResponseTimes {
    /// Requests per second, of the windows with requests.
    pub per_second: f64,
    /// Median.
    pub p50_seconds: f64,
    /// 95th percentile. `null`: too few requests are known.
    pub p95_seconds: Option<f64>,
    /// 99th percentile. `null`: too few requests are known.
    pub p99_seconds: Option<f64>,
    /// Mean.
    pub mean_seconds: f64,
    /// Mean per request by stage, without `handshake`.
    pub stage_seconds: ByLabel<f64>,
}

impl ResponseTimes {
    /// Time that all requests of the window took together, s.
    pub fn total_seconds(&self) -> f64 {
        self.mean_seconds.unwrap_or(0.0) * self.requests as f64
    }
}

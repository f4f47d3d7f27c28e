//! Where a request's time goes: a Pod as a server, what it waits for its callees, and those for theirs.
//!
//! The two ends of a request are measured by two agents. A client's stage `peer` is its server's `unread` and
//! `application`, and all that lies between the two measurements.

mod join;

use crate::api::{Callee, EdgeRow, HttpCalls, NormalResponseTimes, PodResponses, PodRow, ProbeState, ResponseTimes};
pub(super) use join::Known;
use serde::Serialize;
use std::cmp::Reverse;

pub use join::{PeerSplit, SplitOf};

/// Most levels of callees below a Pod.
pub const MAX_DEPTH: usize = 4;
/// Most Pods of a target that are shown, those that their clients wait for longest.
const MAX_PODS: usize = 3;
/// Most callees of a callee.
const MAX_CALLEES: usize = 4;
/// Most rows.
const MAX_ROWS: usize = 40;
/// Longest name, characters: `namespace/name:port` with the longest that Kubernetes allows.
const MAX_NAME: usize = 324;
/// Longest time and highest rate that are believed.
const MAX_NUMBER: f64 = 1e9;

/// Stages in the order of a request.
const STAGES: [&str; 6] = ["handshake", "network", "retransmission", "unread", "application", "peer"];

/// Where the time goes. Rows of callees follow their client's.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Waterfall {
    /// The rows.
    pub rows: Vec<TimeRow>,
    /// Why rows are missing.
    pub missing: Vec<String>,
}

/// The response times of one end.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TimeRow {
    /// 0: the target; below it the callees, theirs, and so on.
    pub depth: usize,
    /// The Pod that was measured, `namespace/name`.
    pub pod: String,
    /// The Node whose agent measured.
    pub node: String,
    /// Its end.
    pub role: End,
    /// The callee of a client: `namespace/name:port`, or its address. `null`: a server's row.
    pub callee: Option<String>,
    /// The callee's Node. `null`: unknown, or outside.
    pub callee_node: Option<String>,
    /// Requests that ended in the window.
    pub requests: u64,
    /// Requests per second. `null`: the window is empty.
    pub per_second: Option<f64>,
    /// Percentiles and mean. All `null`: no request ended.
    pub now: Times,
    /// The same in normal times. `null`: not known yet.
    pub normally: Option<Times>,
    /// Sampled calls of HTTP and gRPC. `null`: none.
    pub http: Option<HttpCalls>,
    /// Mean per request by stage, in the order of a request.
    pub stages: Vec<Stage>,
    /// The stage `peer` as the callee's agent measured it. `null`: it was not asked, or knows nothing.
    pub peer: Option<PeerSplit>,
    /// Requests that ended without an answer.
    pub ended_unanswered: u64,
    /// Requests that wait for an answer. `null`: not known.
    pub unanswered: Option<u64>,
    /// Time for which some wait, s. `null`: none does.
    pub unanswered_for_seconds: Option<f64>,
    /// Why no row of the callee's own callees follows. `null`: they follow, or it has none.
    pub end_of_path: Option<EndOfPath>,
}

/// The end that was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// It answers.
    Server,
    /// It asks.
    Client,
}

/// Why a path ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndOfPath {
    /// The callee is no Pod, or not known.
    NoPod,
    /// Its agent was not asked, did not answer, or does not know the Pod.
    NotMeasured,
    /// It is above already.
    Cycle,
    /// There are enough rows.
    Depth,
}

/// Response times, s. `null`: no request, or too few.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Times {
    /// Median.
    pub p50_seconds: Option<f64>,
    /// 95th percentile.
    pub p95_seconds: Option<f64>,
    /// 99th percentile.
    pub p99_seconds: Option<f64>,
    /// Mean.
    pub mean_seconds: Option<f64>,
}

/// One stage of a response time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stage {
    /// `handshake`, `network`, `retransmission`, `unread`, `application` or `peer`.
    pub stage: &'static str,
    /// Mean per request.
    pub seconds: f64,
    /// The same in normal times. `null`: not known.
    pub normally_seconds: Option<f64>,
}

/// Builds the rows of the target's Pods. `targets` and `others`: what agents say of the target's Pods, and of their
/// direct and further callees. `edges`: those of all these Pods.
pub fn waterfall(targets: &[&PodRow], others: &[PodRow], edges: &[&EdgeRow]) -> Waterfall {
    let mut out = Builder { known: Known::new(targets, others, edges), waterfall: Waterfall::default() };
    let mut targets: Vec<(&PodRow, &PodResponses)> =
        targets.iter().filter_map(|row| Some((*row, out.observed(row)?))).collect();
    targets.sort_by_key(|(row, responses)| Reverse((weight(responses), Reverse((&row.namespace, &row.name)))));
    for (row, responses) in targets.iter().take(MAX_PODS) {
        out.target(row, responses);
    }
    if targets.len() > MAX_PODS {
        let text = format!("{} of {} Pods are shown, those with most waiting time", MAX_PODS, targets.len());
        out.waterfall.missing.push(text);
    }
    out.waterfall
}

/// Requests that wait, and the time of those that ended, ms.
fn weight(responses: &PodResponses) -> (u64, u64) {
    let all = || responses.server.iter().chain(responses.callees.iter().map(|callee| &callee.times));
    let waiting = all().map(|times| times.unanswered.unwrap_or(0)).fold(0, u64::saturating_add);
    (waiting, (all().map(|times| sane(times.total_seconds())).sum::<f64>() * 1000.0) as u64)
}

struct Builder<'a> {
    known: Known<'a>,
    waterfall: Waterfall,
}

impl<'a> Builder<'a> {
    /// Response times of a Pod. Says why there are none.
    fn observed(&mut self, row: &'a PodRow) -> Option<&'a PodResponses> {
        let responses = row.window.responses.as_ref();
        let is_asked = |r: &PodResponses| r.server.is_some() || !r.callees.is_empty();
        if let Some(responses) = responses.filter(|responses| is_asked(responses)) {
            return Some(responses);
        }
        let node = &row.node;
        let why = match responses.map(|responses| (responses.state, &responses.why)) {
            None => format!("the agent on {node} is too old to observe response times"),
            Some((None, _)) => format!("it is not known whether response times are observed on {node}"),
            Some((Some(ProbeState::Ok | ProbeState::Degraded), _)) => {
                format!("{}/{}: no request ended in the window", row.namespace, row.name)
            }
            Some((Some(ProbeState::Off), _)) => {
                format!("response times are off on {node}: set signals.responses to on")
            }
            Some((Some(state), why)) => format!("response times are {} on {node}: {why}", state.label()),
        };
        if !self.waterfall.missing.contains(&why) && self.waterfall.missing.len() < MAX_PODS {
            self.waterfall.missing.push(why);
        }
        None
    }

    fn target(&mut self, row: &'a PodRow, responses: &'a PodResponses) {
        if let Some(times) = &responses.server {
            self.push(TimeRow { role: End::Server, ..time_row(row, 0, times) });
        }
        self.callees(row, responses, &mut vec![pod_name(row)]);
    }

    /// The rows of a Pod's callees. `path`: the Pods above, and itself.
    fn callees(&mut self, row: &'a PodRow, responses: &'a PodResponses, path: &mut Vec<String>) {
        let most = if path.len() == 1 { PodResponses::MAX_CALLEES } else { MAX_CALLEES };
        for callee in responses.callees.iter().take(most) {
            if self.waterfall.rows.len() >= MAX_ROWS {
                return;
            }
            let below = callee.peer_pod.as_ref().and_then(|pod| self.known.responses(pod));
            let end_of_path = match (&callee.peer_pod, below) {
                (None, _) => Some(EndOfPath::NoPod),
                (Some(pod), _) if path.contains(pod) => Some(EndOfPath::Cycle),
                (_, None) => Some(EndOfPath::NotMeasured),
                (_, Some((_, below))) if path.len() >= MAX_DEPTH && !below.callees.is_empty() => Some(EndOfPath::Depth),
                (_, Some(_)) => None,
            };
            let client = TimeRow {
                role: End::Client,
                callee: Some(callee_name(callee)),
                callee_node: callee.peer_node.as_deref().map(clipped),
                peer: self.known.split(row, callee),
                end_of_path,
                ..time_row(row, path.len(), &callee.times)
            };
            self.push(client);
            if let (Some((callee, responses)), None) = (below, end_of_path) {
                path.push(pod_name(callee));
                self.callees(callee, responses, path);
                path.pop();
            }
        }
    }

    fn push(&mut self, row: TimeRow) {
        if self.waterfall.rows.len() < MAX_ROWS {
            self.waterfall.rows.push(row);
        }
    }
}

/// `namespace/name`.
fn pod_name(row: &PodRow) -> String {
    format!("{}/{}", row.namespace, row.name)
}

fn callee_name(callee: &Callee) -> String {
    if let (None, Some(name)) = (&callee.peer_pod, &callee.peer_dns_name) {
        let port = callee.port.map(|port| format!(":{port}")).unwrap_or_default();
        return clipped(&format!("{name}{port} ({})", callee.peer));
    }
    let who = callee.peer_pod.as_ref().unwrap_or(&callee.peer);
    let who =
        if callee.peer_pod.is_none() && callee.peer_kind == "service" { format!("Service {who}") } else { who.clone() };
    match callee.port {
        Some(port) if callee.peer_pod.is_none() && who.contains(':') => clipped(&format!("[{who}]:{port}")),
        Some(port) => clipped(&format!("{who}:{port}")),
        None => clipped(&who),
    }
}

/// A name that can be shown, whatever an agent sends.
pub(super) fn clipped(text: &str) -> String {
    text.chars().take(MAX_NAME).collect()
}

/// A number that can be shown, whatever an agent sends.
pub(super) fn sane(number: f64) -> f64 {
    if number.is_nan() { 0.0 } else { number.clamp(0.0, MAX_NUMBER) }
}

fn time_row(row: &PodRow, depth: usize, times: &ResponseTimes) -> TimeRow {
    let normal = times.normally.as_ref();
    let stage = |stage: &'static str| {
        let seconds = sane(*times.stage_seconds.get(stage)?);
        let normally_seconds = normal.and_then(|normal| normal.stage_seconds.get(stage)).copied().map(sane);
        Some(Stage { stage, seconds, normally_seconds })
    };
    TimeRow {
        depth,
        pod: clipped(&pod_name(row)),
        node: clipped(&row.node),
        role: End::Server,
        callee: None,
        callee_node: None,
        requests: times.requests,
        per_second: times.per_second.map(sane),
        now: Times {
            p50_seconds: times.p50_seconds.map(sane),
            p95_seconds: times.p95_seconds.map(sane),
            p99_seconds: times.p99_seconds.map(sane),
            mean_seconds: times.mean_seconds.map(sane),
        },
        normally: normal.map(normal_times),
        http: times.http.as_ref().map(|http| HttpCalls {
            sampled: http.sampled,
            grpc: http.grpc.min(http.sampled),
            error_share: sane(http.error_share).min(1.0),
            normal_error_share: http.normal_error_share.map(|share| sane(share).min(1.0)),
        }),
        stages: STAGES.into_iter().filter_map(stage).collect(),
        peer: None,
        ended_unanswered: times.ended_unanswered,
        unanswered: times.unanswered,
        unanswered_for_seconds: times.unanswered_for_seconds.map(sane),
        end_of_path: None,
    }
}

fn normal_times(normal: &NormalResponseTimes) -> Times {
    Times {
        p50_seconds: Some(sane(normal.p50_seconds)),
        p95_seconds: normal.p95_seconds.map(sane),
        p99_seconds: normal.p99_seconds.map(sane),
        mean_seconds: Some(sane(normal.mean_seconds)),
    }
}

#[cfg(test)]
pub(crate) mod tests;

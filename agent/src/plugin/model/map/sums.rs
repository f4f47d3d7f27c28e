//! Sums of the rows of one edge.

use super::{
    super::{nodes::MIN_SEGMENTS, waterfall::sane},
    MapState, Requests, Segments,
    quantile::{Part, quantile},
};
use crate::api::{EdgeRow, NormalResponseTimes, ResponseTimes};
use std::collections::BTreeSet;

/// Loss from which it is unusual, episodes per segment.
const LOSS: f64 = 0.000_5;
/// Share of failed calls, and of failed connection attempts, from which it is unusual.
const FAILED: f64 = 0.01;
/// Fewest sampled calls for a share.
const MIN_CALLS: u64 = 20;
/// Times above this multiple of the normal ones are unusual …
const SLOW: f64 = 2.0;
/// … if they are also so much longer, s.
const SLOW_SECONDS: f64 = 0.005;

/// Requests of several rows.
#[derive(Clone, Debug, Default)]
pub(super) struct RequestSums {
    seen: bool,
    total: Requests,
    parts: Vec<Part>,
    normal_parts: Vec<Part>,
    failed_calls: f64,
    /// Sampled calls of the rows that know their normal share, and those that fail normally.
    normal_calls: (f64, f64),
}

impl RequestSums {
    pub(super) fn add(&mut self, times: &ResponseTimes) {
        self.seen = true;
        let total = &mut self.total;
        total.requests = total.requests.saturating_add(times.requests);
        total.per_second = sum(total.per_second, times.per_second.map(sane));
        total.unanswered = total.unanswered.saturating_add(times.unanswered.unwrap_or(0));
        total.ended_unanswered = total.ended_unanswered.saturating_add(times.ended_unanswered);
        let requests = times.requests as f64;
        self.parts.extend(times.p50_seconds.map(|p50| part(requests, p50, times.p95_seconds, times.p99_seconds)));
        let normal = times.normally.as_ref();
        self.normal_parts.extend(normal.map(
            |NormalResponseTimes { p50_seconds, p95_seconds, p99_seconds, .. }| {
                part(requests, *p50_seconds, *p95_seconds, *p99_seconds)
            },
        ));
        if let Some(http) = &times.http {
            let sampled = http.sampled as f64;
            total.sampled = total.sampled.saturating_add(http.sampled);
            self.failed_calls += sampled * sane(http.error_share).min(1.0);
            if let Some(normal) = http.normal_error_share {
                self.normal_calls.0 += sampled;
                self.normal_calls.1 += sampled * sane(normal).min(1.0);
            }
        }
    }

    /// `None`: no row has requests.
    pub(super) fn finish(self) -> Option<Requests> {
        let share = |failed: f64, of: f64| (of > 0.0).then(|| failed / of);
        self.seen.then(|| Requests {
            p50_seconds: quantile(&self.parts, 0.5),
            p95_seconds: quantile(&self.parts, 0.95),
            normal_p50_seconds: quantile(&self.normal_parts, 0.5),
            normal_p95_seconds: quantile(&self.normal_parts, 0.95),
            error_share: share(self.failed_calls, self.total.sampled as f64),
            normal_error_share: share(self.normal_calls.1, self.normal_calls.0),
            ..self.total
        })
    }
}

fn part(requests: f64, p50: f64, p95: Option<f64>, p99: Option<f64>) -> Part {
    Part { requests, p50: sane(p50), p95: p95.map(sane), p99: p99.map(sane) }
}

fn sum(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    if a.is_none() && b.is_none() { None } else { Some(a.unwrap_or(0.0) + b.unwrap_or(0.0)) }
}

/// The rows of one end of an edge.
#[derive(Clone, Debug, Default)]
pub(super) struct EndSums {
    pub(super) rows: usize,
    pub(super) requests: RequestSums,
    pub(super) segments: Segments,
    pub(super) connects: u64,
    pub(super) failed_connects: u64,
    pub(super) bytes_per_second: Option<f64>,
    pub(super) min_rtt_seconds: Option<f64>,
    pub(super) ports: BTreeSet<u16>,
}

impl EndSums {
    pub(super) fn add(&mut self, row: &EdgeRow) {
        self.rows += 1;
        if let Some(times) = &row.responses {
            self.requests.add(times);
        }
        let segments = &mut self.segments;
        segments.segments = segments.segments.saturating_add(row.segments_sent);
        segments.episodes = segments.episodes.saturating_add(row.loss_episodes);
        segments.loss =
            (segments.segments >= MIN_SEGMENTS).then(|| segments.episodes as f64 / segments.segments as f64);
        self.connects = row.connects.values().fold(self.connects, |sum, n| sum.saturating_add(*n));
        self.failed_connects = self.failed_connects.saturating_add(row.failed_attempts());
        let bytes = row.bytes_sent.saturating_add(row.bytes_received) as f64;
        let seconds = sane(row.window_seconds);
        self.bytes_per_second = sum(self.bytes_per_second, (seconds > 0.0).then(|| bytes / seconds));
        let lowest = [self.min_rtt_seconds, row.min_rtt_seconds.map(sane)];
        self.min_rtt_seconds = lowest.into_iter().flatten().min_by(f64::total_cmp);
        self.ports.extend(row.port);
    }
}

/// The figures of an edge that are unusual.
pub(super) fn unusual(edge: &super::MapEdge) -> Vec<&'static str> {
    let ends = || [&edge.client, &edge.server].into_iter().flatten();
    let attempts = edge.connects.saturating_add(edge.failed_connects);
    let connects = edge.failed_connects > 0 && edge.failed_connects as f64 >= FAILED * attempts as f64;
    [
        ("loss", edge.loss().is_some_and(|loss| loss >= LOSS)),
        ("errors", ends().any(fails)),
        ("connects", connects),
        ("unanswered", ends().any(|end| end.unanswered > 0 || end.ended_unanswered > 0)),
        ("slow", ends().any(is_slow)),
    ]
    .into_iter()
    .filter_map(|(what, is_so)| is_so.then_some(what))
    .collect()
}

fn fails(requests: &Requests) -> bool {
    let normal = requests.normal_error_share.unwrap_or(0.0);
    let share = requests.error_share.filter(|_| requests.sampled >= MIN_CALLS);
    share.is_some_and(|share| share >= FAILED && share > SLOW * normal)
}

/// Whether requests are slower than normally.
pub(super) fn is_slow(requests: &Requests) -> bool {
    let slower = |now: Option<f64>, normal: Option<f64>| {
        now.zip(normal).is_some_and(|(now, normal)| now > SLOW * normal && now - normal > SLOW_SECONDS)
    };
    slower(requests.p50_seconds, requests.normal_p50_seconds)
        || slower(requests.p95_seconds, requests.normal_p95_seconds)
}

/// Health of an edge without hints.
pub(super) fn state(edge: &super::MapEdge) -> MapState {
    let measured = edge.requests().is_some_and(|r| r.requests > 0)
        || edge.loss().is_some()
        || edge.min_rtt_seconds.is_some()
        || edge.connects > 0;
    match (edge.unusual.is_empty(), measured) {
        (false, _) => MapState::Unusual,
        (true, true) => MapState::Well,
        (true, false) => MapState::Unknown,
    }
}

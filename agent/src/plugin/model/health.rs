//! Sorts measurements into normal, unusual, no data and unknown. Missing data is never normal.

mod events;
mod group;

use crate::api::{AgentStats, ContainerState, DnsLookups, PodInfo, PodRow, PodWindow, ProbeState};
use netwhy_abi::{DnsCode, Failure};
use serde::Serialize;

/// One measurement or status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// Name, such as `loss`.
    pub what: String,
    /// The figures, or the reason why they are missing.
    pub figures: String,
}

impl Fact {
    /// From any texts.
    pub fn new(what: impl Into<String>, figures: impl Into<String>) -> Self {
        Self { what: what.into(), figures: figures.into() }
    }
}

/// Measurements by how normal they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Health {
    /// Measured and normal.
    #[serde(rename = "well")]
    pub normal: Vec<Fact>,
    /// Measured and unusual, but not enough for a hint.
    #[serde(rename = "odd")]
    pub unusual: Vec<Fact>,
    /// No data in the window, or not measured here.
    pub no_data: Vec<Fact>,
    /// Missing signals, agents that did not answer, forbidden requests.
    pub unknown: Vec<Fact>,
}

impl Health {
    fn add(&mut self, what: &str, verdict: Option<(bool, String)>, missing: &str) {
        match verdict {
            Some((true, figures)) => self.normal.push(Fact::new(what, figures)),
            Some((false, figures)) => self.unusual.push(Fact::new(what, figures)),
            None => self.no_data.push(Fact::new(what, missing)),
        }
    }

    /// Adds an agent's measurements of a Pod. Shares and ratios are normal only near zero. Between that and the
    /// threshold of a hint they are unusual.
    pub fn of_window(&mut self, row: &PodRow) {
        let w = &row.window;
        let segments = w.counts.segments_sent;
        self.add(
            "loss",
            (segments > 0).then(|| {
                let n = w.counts.loss_episodes;
                (n == 0, format!("{n} loss episodes in {segments} segments sent"))
            }),
            "it sent nothing in the window; only senders measure loss",
        );
        self.add("RTT", rtt(w), "no samples in the window");
        self.add("connects", connects(w), "no connection attempt in the window");
        self.add("DNS", w.dns.as_ref().map(lookups), &no_lookups(&[w]));
        self.of_events(&[w]);
        self.add(
            "accept queue",
            w.counts.connects.get("server").filter(|n| **n > 0 || w.counts.accept_queue_overflows > 0).map(|n| {
                let full = w.counts.accept_queue_overflows;
                (full == 0, format!("{full} rejected, {n} accepted"))
            }),
            "no connection to it in the window",
        );
        self.add("send limits", limited(w), "no busy time in the window");
        self.add(
            "CPU limit",
            w.cpu_throttled_share.map(|share| (share < 0.01, format!("{} of periods throttled", percent(share)))),
            "no CPU limit, or it can't be read",
        );
        self.add(
            "pressure",
            w.pressure.as_ref().map(|p| {
                let worst = p.cpu_some.max(p.memory_some).max(p.io_some);
                let (cpu, memory, io) = (percent(p.cpu_some), percent(p.memory_some), percent(p.io_some));
                (worst < 0.1, format!("waited for CPU {cpu}, memory {memory}, IO {io} of the time"))
            }),
            "the kernel has no pressure information",
        );
        self.add(
            "OOM kills",
            w.counts.oom_kills.map(|n| (n == 0, format!("{n} in the window"))),
            "no readable memory controller",
        );
    }

    /// Adds the Pod's status from the API server.
    pub fn of_status(&mut self, pod: Option<&PodInfo>) {
        let verdict = pod.map(|pod| (!pod.is_troubled() && pod.phase == "Running", status_line(pod)));
        self.add("Pod status", verdict, "not available without Kubernetes");
    }

    /// Adds the signals that the agent lacks.
    pub fn of_agent(&mut self, info: &AgentStats) {
        for probe in info.probes.iter().filter(|p| p.state != ProbeState::Ok) {
            let what = format!("probe {} on {}", probe.name, info.node);
            let why = if probe.why.is_empty() { String::new() } else { format!(": {}", probe.why) };
            self.unknown.push(Fact::new(what, format!("{}{why}", probe.state.label())));
        }
        if info.pods_complete == Some(false) {
            self.unknown.push(Fact::new(format!("Pod names on {}", info.node), "the agent's Pod list is not complete"));
        }
    }
}

fn rtt(w: &PodWindow) -> Option<(bool, String)> {
    let p50 = w.rtt_p50_seconds?;
    let low = w.min_rtt_seconds.map(|s| format!(", lowest {}", seconds(s))).unwrap_or_default();
    let p99 = w.rtt_p99_seconds.map(|s| format!(", p99 {}", seconds(s))).unwrap_or_default();
    // Only the agent's baselines know the normal RTT of an edge, so these figures are not judged here.
    Some((true, format!("median {}{low}{p99} ({} samples)", seconds(p50), w.rtt_samples)))
}

/// Failed attempts to connect. The loser of a race between addresses is no failure.
pub(super) fn failed_attempts(w: &PodWindow) -> u64 {
    w.counts.connect_failures.iter().filter(|(why, _)| **why != Failure::Raced.label()).map(|(_, n)| n).sum()
}

fn connects(w: &PodWindow) -> Option<(bool, String)> {
    let made: u64 = w.counts.connects.values().sum();
    let failed = failed_attempts(w);
    if made + failed == 0 {
        return None;
    }
    let reasons: Vec<String> =
        w.counts.connect_failures.iter().filter(|(_, n)| **n > 0).map(|(why, n)| format!("{n} {why}")).collect();
    let reasons = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) };
    Some((failed == 0, format!("{made} completed, {failed} failed{reasons}")))
}

fn lookups(dns: &DnsLookups) -> (bool, String) {
    let (found, absent) = (DnsCode::NoError.label(), DnsCode::NxDomain.label());
    let errors: u64 = dns.codes.iter().filter(|(code, _)| *code != found && *code != absent).map(|(_, n)| n).sum();
    let codes: Vec<String> =
        dns.codes.iter().filter(|(code, _)| *code != found).map(|(code, n)| format!("{n} {code}")).collect();
    let codes = if codes.is_empty() { String::new() } else { format!(" ({})", codes.join(", ")) };
    let p99 = dns.durations.p99_seconds.map(|s| format!(", p99 {}", seconds(s))).unwrap_or_default();
    let second = match dns.second_missing {
        0 => String::new(),
        n => format!(", the second answer of {n} was late or missing"),
    };
    let text = format!("{} answered{codes}, {} without an answer{second}{p99}", dns.answered, dns.unanswered);
    (errors + dns.unanswered + dns.second_missing == 0, text)
}

/// Why windows have no lookups.
fn no_lookups(windows: &[&PodWindow]) -> String {
    match events::worst(windows, "dns") {
        None => "no lookup over UDP ended in the window, or they are not observed".to_owned(),
        Some(state) if state.is_attached() => "no lookup over UDP ended in the window".to_owned(),
        Some(state) => events::not_observed(state),
    }
}

fn limited(w: &PodWindow) -> Option<(bool, String)> {
    let (receiver, buffer) = (w.limited.receiver?, w.limited.send_buffer?);
    let text = format!(
        "busy time limited {} by peers' receive windows, {} by send buffers",
        percent(receiver),
        percent(buffer)
    );
    Some((receiver < 0.1 && buffer < 0.1, text))
}

/// `Running, 2 of 2 containers ready, 0 restarts`
pub fn status_line(pod: &PodInfo) -> String {
    let all = pod.lasting().count();
    let ready = pod.lasting().filter(|c| c.ready).count();
    let restarts: u32 = pod.containers.iter().map(|c| c.restarts).sum();
    let waiting = pod.containers.iter().find_map(|c| match &c.state {
        ContainerState::Waiting(why) if !why.reason.is_empty() => Some(format!(", {} waits: {}", c.name, why.reason)),
        _ => None,
    });
    let deleting = if pod.deleting_ms.is_some() { ", being deleted" } else { "" };
    let phase = if pod.phase.is_empty() { "no phase" } else { &pod.phase };
    let times = if restarts == 1 { "restart" } else { "restarts" };
    format!("{phase}, {ready} of {all} containers ready, {restarts} {times}{}{deleting}", waiting.unwrap_or_default())
}

/// A share as `0.42 %`.
pub fn percent(share: f64) -> String {
    let p = share * 100.0;
    if p == 0.0 {
        "0 %".to_owned()
    } else if p < 0.1 {
        format!("{p:.3} %")
    } else if p < 10.0 {
        format!("{p:.2} %")
    } else {
        format!("{p:.0} %")
    }
}

/// A duration with the unit that fits: `35 µs`, `1.2 ms`, `3.0 s`, `5 min`.
pub fn seconds(s: f64) -> String {
    match s {
        s if s < 1e-3 => format!("{:.0} µs", s * 1e6),
        s if s < 0.01 => format!("{:.2} ms", s * 1e3),
        s if s < 1.0 => format!("{:.0} ms", s * 1e3),
        s if s < 120.0 => format!("{s:.1} s"),
        s => format!("{:.0} min", s / 60.0),
    }
}

#[cfg(test)]
mod tests;

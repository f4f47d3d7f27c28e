//! Response times of a Pod, as lines of its details.

use crate::{
    api::{Callee, PodRow, ResponseTimes},
    plugin::model::health::seconds,
};

/// Most callees that are shown: those waited for longest.
const MAX_CALLEES: usize = 4;

/// What it answers, and what it waits for. Empty: nothing is known.
pub(super) fn lines(pod: &PodRow) -> Vec<String> {
    let Some(responses) = &pod.window.responses else { return Vec::new() };
    let line = |what: &str, times: &ResponseTimes| Some(format!("responses  {what:<14} {}", figures(times)?));
    let server = responses.server.iter().filter_map(|times| line("as a server", times));
    let callees = responses.callees.iter().take(MAX_CALLEES);
    server.chain(callees.filter_map(|callee| line(&name(callee), &callee.times))).collect()
}

/// `of shop/db-0:5432`, `of api.example.com:443 (203.0.113.7)`
fn name(callee: &Callee) -> String {
    let port = callee.port.map(|port| format!(":{port}")).unwrap_or_default();
    match (&callee.peer_pod, &callee.peer_dns_name) {
        (None, Some(name)) => format!("of {name}{port} ({})", callee.peer),
        (pod, _) => format!("of {}{port}", pod.as_ref().unwrap_or(&callee.peer)),
    }
}

/// `34/s, median 150 ms (normally 55 ms), p95 160 ms`. `None`: no request ended, and none waits.
fn figures(times: &ResponseTimes) -> Option<String> {
    let usual = times.normally.as_ref();
    let figure = |name: &str, now: Option<f64>, usual: Option<f64>| {
        let usual = usual.map(|usual| format!(" (normally {})", seconds(usual))).unwrap_or_default();
        now.map(|now| format!("{name} {}{usual}", seconds(now)))
    };
    let parts = [
        times.per_second.filter(|_| times.requests > 0).map(|rate| format!("{rate:.1}/s")),
        figure("median", times.p50_seconds, usual.map(|usual| usual.p50_seconds)),
        figure("p95", times.p95_seconds, usual.and_then(|usual| usual.p95_seconds)),
        times.unanswered.filter(|count| *count > 0).map(|count| format!("{count} wait for an answer")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

#[cfg(test)]
mod tests;

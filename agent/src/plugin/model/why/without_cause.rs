//! The verdict where no hint names a cause.

use super::{Facts, State, Verdict};
use crate::{
    api::PodWindow,
    plugin::model::health::{Health, failed_attempts},
};
use netwhy_abi::Role;

/// The verdict without a hint.
pub(super) fn verdict_without_hint(facts: &Facts, health: &Health) -> Verdict {
    let name = facts.shown();
    let windows: Vec<&PodWindow> =
        facts.pods.iter().filter_map(|pod| pod.row.as_ref()).map(|row| &row.window).collect();
    let seconds = windows.iter().map(|window| window.seconds).fold(0.0, f64::max);
    let (state, sentence) = if facts.pods.is_empty() {
        (State::NoData, format!("{name} has no Pods"))
    } else if windows.iter().any(|window| window.rtt_samples > 0) {
        let rest = if health.unusual.is_empty() {
            ": all measurements are normal"
        } else {
            "; some figures are unusual, but not enough for a hint"
        };
        (State::NothingFound, format!("No cause found for {name} in the last {seconds:.0} s{rest}"))
    } else {
        without_samples(&name, &windows, seconds)
    };
    let reported_by = facts.agents.first().map(|agent| agent.node.clone()).unwrap_or_default();
    Verdict { state, sentence, cause: None, blame: None, confidence: None, since: None, until: None, reported_by }
}

/// State and sentence where no RTT was measured. Attempts that fail are traffic, and no sign of health.
fn without_samples(name: &str, windows: &[&PodWindow], seconds: f64) -> (State, String) {
    let sum = |of: fn(&PodWindow) -> u64| windows.iter().map(|window| of(window)).sum::<u64>();
    let failed = sum(failed_attempts);
    if failed > 0 {
        let all = failed + sum(|w| w.counts.connects.get(CLIENT).copied().unwrap_or_default());
        let found = format!("No cause found for {name} in the last {seconds:.0} s");
        return (State::NothingFound, format!("{found}, but {failed} of {all} attempts to connect failed"));
    }
    let carried =
        sum(|w| w.counts.segments_sent + w.counts.bytes_received + w.counts.connects.values().copied().sum::<u64>());
    let traffic = if carried > 0 { "too little TCP traffic to measure" } else { "no TCP traffic" };
    (State::NoData, format!("{name} had {traffic} in the last {seconds:.0} s, so its health is unknown"))
}

/// The role of attempts to connect.
const CLIENT: &str = Role::Client.label();

/// Advice where there is no cause to act on.
pub(super) fn next_step_without_cause(facts: &Facts, state: State) -> String {
    match state {
        State::CauseFound => String::new(),
        State::Resolved => {
            "Ask again if it comes back (`-w` keeps asking). `kubectl netwhy hints --since 1h` shows how often it did."
                .into()
        }
        State::NothingFound => {
            "Ask again while it is slow (`-w` keeps asking). Ask about its callers too: only senders measure loss."
                .into()
        }
        State::NoData if facts.pods.is_empty() => "Check whether its selector matches any Pod.".into(),
        State::NoData => "Ask again when it has traffic. `kubectl describe` shows its status.".into(),
    }
}

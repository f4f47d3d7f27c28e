//! The API server's status of the Pod itself, which its phase hides.

use crate::{
    api::{BlameKind, ContainerInfo, ContainerState, Ended, Evidence, PodInfo},
    hints::{
        context::{Context, Subject},
        finding::{Finding, blame, evidence},
        rule::{Family, QueryTemplate, Rule},
    },
};

const STATUS: &[&str] = &["status.containerStatuses", "status.conditions", "Events of the Pod"];

pub(crate) const POD_OOM_KILLED: Rule = Rule {
    id: "pod_oom_killed",
    family: Family::Status,
    order: 10,
    symptom: "oom_kill",
    meaning: "The kernel killed a process of the Pod because it used more memory than its limit. Its connections were \
              reset, and its callers failed.",
    signals: &["netwhy_oom_kills_total", "status.containerStatuses[].lastState.terminated.reason"],
    test: "The Pod's cgroups count a kill in the window, or a container ended with `OOMKilled` within the last 5 \
           minutes. Both are facts: no false alarm by chance.",
    minimum: "One kill.",
    ruled_out_by: "Nothing.",
    action: "Raise the memory limit, or find the memory that grew: compare the working set with the limit before the \
             kill.",
    caused_by: &[],
    caused_by_at_peer: &[],
    queries: &[QueryTemplate { shows: "OOM kills in 10 minutes", promql: "increase(netwhy_oom_kills_total{S}[10m])" }],
};

pub(crate) const POD_RESTARTING: Rule = Rule {
    id: "pod_restarting",
    family: Family::Status,
    order: 20,
    symptom: "restarts",
    meaning: "A container of the Pod ends and is started again, over and over. The phase still says `Running`.",
    signals: STATUS,
    test: "A container waits in `CrashLoopBackOff`, or restarted at least twice with the last end within 10 minutes.",
    minimum: "Two restarts, or the kubelet's own verdict.",
    ruled_out_by: "`pod_oom_killed` explains it: then it is a link of that chain. The Pod is being deleted.",
    action: "Read the log of the previous run (`kubectl logs --previous`), and check its exit code.",
    caused_by: &["pod_oom_killed"],
    caused_by_at_peer: &[],
    queries: &[QueryTemplate { shows: "hints about this Pod", promql: "max by (cause, blame) (netwhy_hint{S})" }],
};

pub(crate) const POD_NOT_RUNNING: Rule = Rule {
    id: "pod_not_running",
    family: Family::Status,
    order: 30,
    symptom: "not_running",
    meaning: "The Pod does not serve. A container can't start (image, configuration, volume), an init container does \
              not finish, a probe fails, or the Pod was evicted.",
    signals: STATUS,
    test: "A container waits for a reason that does not pass by itself (such as `ImagePullBackOff` or \
           `CreateContainerConfigError`). Or it waits for its creation for more than 60 s. Or the Pod has not been \
           ready for more than 30 s, or failed within the last hour. A container that runs for no longer than its startup \
           and readiness probes allow is still starting. A Pod that runs without restarts and was never ready has half \
           the confidence after 10 minutes: it may be a standby by design.",
    minimum: "The kubelet's status.",
    ruled_out_by: "`pod_restarting` or `pod_oom_killed` explains it. The Pod is being deleted, or has completed.",
    action: "Correct the problem that the message names. `kubectl describe pod` shows all details.",
    caused_by: &["pod_oom_killed", "pod_restarting"],
    caused_by_at_peer: &[],
    queries: &[QueryTemplate { shows: "hints about this Pod", promql: "max by (cause, blame) (netwhy_hint{S})" }],
};

/// Time for which an OOM kill counts, ms.
const OOM_MS: i64 = 300_000;
/// Time since the last end for which restarts count, ms.
const RESTART_MS: i64 = 600_000;
/// Time for which a failed Pod counts, ms.
const FAILED_MS: i64 = 3_600_000;
/// Time that the creation of a container may take, ms.
const CREATE_MS: i64 = 60_000;
/// Time for which a Pod may be unready, ms.
const UNREADY_MS: i64 = 30_000;
/// Time after which a Pod that runs and was never ready may be a standby, ms: a rollout has failed by then (the default
/// of `progressDeadlineSeconds`).
const STANDBY_MS: i64 = 600_000;
/// Certainty that such a Pod should serve: nothing here tells.
const STANDBY_CERTAINTY: f64 = 0.5;
/// Restarts that a loop needs.
const MIN_RESTARTS: u32 = 2;
/// Waiting reasons that usually pass by themselves.
const PASSING: [&str; 2] = ["ContainerCreating", "PodInitializing"];
/// The kubelet's name for a restart loop.
const CRASH_LOOP: &str = "CrashLoopBackOff";
/// Weight of a fact, nats: beyond any chance.
const FACT: f64 = 20.0;

pub(crate) fn judge(context: &Context<'_>) -> Vec<Finding> {
    let alive = context.subjects().iter().filter(|s| s.view.gone_since.is_none());
    alive
        .flat_map(|subject| {
            let pod = subject.view.pod.as_deref().filter(|pod| pod.deleting_ms.is_none());
            let now = subject.view.status_now_ms.unwrap_or(context.unix_ms);
            [
                oom(subject, pod, now),
                pod.and_then(|pod| restarting(subject, pod, now)),
                pod.and_then(|pod| not_running(subject, pod, now)),
            ]
        })
        .flatten()
        .collect()
}

fn within(at: Option<i64>, now: i64, ms: i64) -> bool {
    at.is_some_and(|at| now - at <= ms)
}

fn finding(rule: &'static Rule, subject: &Subject<'_>, summary: String, numbers: Vec<Evidence>) -> Finding {
    Finding {
        nats: FACT,
        overwhelming: true,
        summary,
        evidence: numbers,
        ..Finding::new(rule, subject.ix, blame(BlameKind::Pod, subject.name()))
    }
}

/// The run that ended last: that of the present state, else the one before.
fn last_end(container: &ContainerInfo) -> Option<&Ended> {
    match &container.state {
        ContainerState::Ended(ended) => Some(ended),
        _ => container.last.as_ref(),
    }
}

fn restarts(container: &ContainerInfo, name: &str) -> Evidence {
    evidence("restartCount", f64::from(container.restarts), "restarts", name, "api:pods")
}

fn oom(subject: &Subject<'_>, pod: Option<&PodInfo>, now: i64) -> Option<Finding> {
    let name = subject.name();
    let kills = subject.view.window_oom_kills;
    let killed = pod.into_iter().flat_map(|pod| &pod.containers);
    let killed = killed.into_iter().find(|c| last_end(c).is_some_and(|e| e.is_oom() && within(e.at_ms, now, OOM_MS)));
    if kills == 0 && killed.is_none() {
        return None;
    }
    let mut numbers = vec![evidence("netwhy_oom_kills_total", kills as f64, "kills", name, "memory.events")];
    let text = match killed {
        Some(container) => {
            numbers.push(restarts(container, name));
            let limit = container.memory_limit.as_deref().unwrap_or("none of its own");
            format!(
                "container {} was killed for memory (limit: {limit}), {} restarts so far",
                container.name, container.restarts
            )
        }
        None => format!("{kills} of its processes were killed for memory in the window"),
    };
    Some(finding(&POD_OOM_KILLED, subject, format!("{name}: {text}"), numbers))
}

fn restarting(subject: &Subject<'_>, pod: &PodInfo, now: i64) -> Option<Finding> {
    let loops = |c: &&ContainerInfo| {
        matches!(&c.state, ContainerState::Waiting(why) if why.reason == CRASH_LOOP)
            || (c.restarts >= MIN_RESTARTS && within(last_end(c).and_then(|e| e.at_ms), now, RESTART_MS))
    };
    let container = pod.containers.iter().filter(loops).max_by_key(|c| c.restarts)?;
    let name = subject.name();
    let end = match last_end(container) {
        Some(end) => {
            let meaning = end.exit_meaning().map(|text| format!(": {text}")).unwrap_or_default();
            format!("it last ended with exit code {}{meaning}", end.exit_code)
        }
        None => "how it ended is not known".to_owned(),
    };
    let mut numbers = vec![restarts(container, name)];
    if let Some(end) = last_end(container) {
        numbers.push(evidence("exitCode", f64::from(end.exit_code), "code", name, "api:pods"));
    }
    let times = if container.restarts == 1 { "once".to_owned() } else { format!("{} times", container.restarts) };
    let text = format!("{name}: container {} restarted {times}; {end}", container.name);
    Some(finding(&POD_RESTARTING, subject, text, numbers))
}

fn not_running(subject: &Subject<'_>, pod: &PodInfo, now: i64) -> Option<Finding> {
    let name = subject.name();
    let age = (now - pod.created_ms).max(0);
    let (problem, since_ms) = failed(pod, now).or_else(|| waiting(pod, age)).or_else(|| unready(pod, now))?;
    let seconds = since_ms.max(0) as f64 / 1e3;
    let mut numbers = vec![evidence("not_running_for", seconds, "seconds", name, "api:pods")];
    let warning = pod.events.first();
    if let Some(warning) = warning {
        numbers.push(evidence(&warning.why.reason, f64::from(warning.count), "events", name, "api:events"));
    }
    let warning = warning.map(|w| format!("; last warning: {}: {}", w.why.reason, w.why.message)).unwrap_or_default();
    let found = finding(&POD_NOT_RUNNING, subject, format!("{name} does not serve: {problem}{warning}"), numbers);
    if may_be_standby(pod, now) {
        let summary = format!("{}; it was never ready: a standby, if that is by design", found.summary);
        return Some(Finding { certainty: STANDBY_CERTAINTY, summary, ..found });
    }
    Some(found)
}

/// Problem for people, and its duration, ms.
type Wrong = (String, i64);

fn failed(pod: &PodInfo, now: i64) -> Option<Wrong> {
    if pod.phase != "Failed" {
        return None;
    }
    let end = pod.containers.iter().filter_map(last_end).filter_map(|e| e.at_ms).max().unwrap_or(pod.created_ms);
    let why = pod.reason.as_ref().map(|why| format!(": {} {}", why.reason, why.message)).unwrap_or_default();
    (now - end <= FAILED_MS).then(|| (format!("it failed{}", why.trim_end()), now - end))
}

fn waiting(pod: &PodInfo, age: i64) -> Option<Wrong> {
    let waits = |c: &ContainerInfo| match &c.state {
        ContainerState::Waiting(why) if why.reason != CRASH_LOOP => {
            let passes = why.reason.is_empty() || PASSING.contains(&why.reason.as_str());
            (!passes || age > CREATE_MS).then(|| {
                let message = if why.message.is_empty() { String::new() } else { format!(" ({})", why.message) };
                let reason = if why.reason.is_empty() { "no reason given" } else { &why.reason };
                format!("container {} can't start: {reason}{message}", c.name)
            })
        }
        _ => None,
    };
    // Reasons that stay come first: a main container only waits for a stuck init container.
    let stays =
        |c: &&ContainerInfo| matches!(&c.state, ContainerState::Waiting(w) if !PASSING.contains(&w.reason.as_str()));
    let found = pod.containers.iter().filter(stays).find_map(waits).or_else(|| pod.containers.iter().find_map(waits));
    found.map(|problem| (problem, age))
}

fn unready(pod: &PodInfo, now: i64) -> Option<Wrong> {
    if pod.phase == "Succeeded" {
        return None;
    }
    let ready = pod.unmet.iter().find(|c| c.kind == "Ready")?;
    let since = now - ready.since_ms.unwrap_or(pod.created_ms);
    if since <= UNREADY_MS || ready.why.reason == "PodCompleted" {
        return None;
    }
    let running = |c: &&ContainerInfo| matches!(c.state, ContainerState::Running { .. });
    if pod.lasting().any(|c| !c.ready && is_starting(c, now)) {
        return None;
    }
    let container = pod.lasting().filter(running).find(|c| !c.ready);
    let problem = match container {
        Some(c) if c.started == Some(false) => format!("container {} has not passed its startup probe", c.name),
        Some(c) => format!("container {} fails its readiness probe", c.name),
        None => format!("it is not ready: {} {}", ready.why.reason, ready.why.message).trim_end().to_owned(),
    };
    Some((problem, since))
}

/// Whether a container runs for no longer than its own probes allow until it is ready.
fn is_starting(container: &ContainerInfo, now: i64) -> bool {
    let ContainerState::Running { since_ms: Some(since) } = container.state else { return false };
    let startup_ms = if container.started == Some(false) { container.startup_ms } else { 0 };
    now - since < startup_ms + container.readiness_ms
}

/// Whether a Pod runs without restarts, but was never ready, for so long that it may be a standby by design.
fn may_be_standby(pod: &PodInfo, now: i64) -> bool {
    let Some(ready) = pod.unmet.iter().find(|c| c.kind == "Ready") else { return false };
    let since = ready.since_ms.unwrap_or(pod.created_ms);
    let runs = |c: &ContainerInfo| matches!(c.state, ContainerState::Running { .. }) && c.restarts == 0;
    pod.lasting().all(runs) && since - pod.created_ms <= CREATE_MS && now - since > STANDBY_MS
}

#[cfg(test)]
mod tests;

use crate::api::{Condition, ContainerInfo, ContainerKind, ContainerState, Ended, PodEvent, PodInfo, Why};
use crate::hints::testing::*;
use std::sync::Arc;

/// 2024-01-01T00:00:00Z, when synthetic views begin.
const NOW: i64 = 1_704_067_200_000;

fn why(reason: &str) -> Why {
    Why { reason: reason.into(), message: String::new() }
}

fn container(state: ContainerState, restarts: u32, last: Option<Ended>) -> ContainerInfo {
    ContainerInfo {
        name: "app".into(),
        kind: ContainerKind::Main,
        id: None,
        ready: false,
        started: Some(true),
        restarts,
        state,
        last,
        memory_limit: Some("64Mi".into()),
        probes: Vec::new(),
        startup_ms: 0,
        readiness_ms: 0,
    }
}

fn running() -> ContainerState {
    ContainerState::Running { since_ms: Some(NOW) }
}

fn ended(reason: &str, exit_code: i32, ago_s: i64) -> Ended {
    Ended { why: why(reason), exit_code, signal: None, at_ms: Some(NOW - ago_s * 1000) }
}

fn pod(containers: Vec<ContainerInfo>) -> PodInfo {
    PodInfo { phase: "Running".into(), created_ms: NOW - 3_600_000, containers, ..PodInfo::default() }
}

fn unready(ago_s: i64) -> Condition {
    Condition { kind: "Ready".into(), why: why("ContainersNotReady"), since_ms: Some(NOW - ago_s * 1000) }
}

/// Causes that fire after three ticks, with the summary of the first.
fn causes(pod: PodInfo, change: impl Fn(&mut Case)) -> (Vec<String>, String) {
    let mut case = Case::mesh(&["app-1"], &["10.0.0.2"]);
    case.subject("app-1").pod = Some(Arc::new(pod));
    change(&mut case);
    let mut run = Run::new();
    let hints = run.ticks(6, &case);
    let firing = firing(&hints);
    (firing.iter().map(|h| h.cause.clone()).collect(), firing.first().map(|h| h.summary.clone()).unwrap_or_default())
}

#[test]
fn an_oom_kill_is_the_cause_and_the_restarts_are_its_effect() {
    let killed = container(running(), 4, Some(ended("OOMKilled", 137, 60)));
    let (found, summary) = causes(pod(vec![killed]), |_| ());
    assert_eq!(found, ["pod_oom_killed"]);
    assert!(summary.contains("limit: 64Mi") && summary.contains("4 restarts"), "{summary}");
}

#[test]
fn a_kill_that_only_the_cgroup_saw_counts_too() {
    let (found, _) = causes(pod(vec![]), |case| case.subject("app-1").window_oom_kills = 1);
    assert_eq!(found, ["pod_oom_killed"]);
}

#[test]
fn a_step_of_the_wall_clock_ages_no_status() {
    let killed = || pod(vec![container(running(), 4, Some(ended("OOMKilled", 137, 60)))]);
    let creating = || pod(vec![container(ContainerState::Waiting(why("ContainerCreating")), 0, None)]);
    // The view's wall clock is a day behind and a day ahead of the status's.
    for day in [-86_400_000, 86_400_000] {
        let moved = |pod: PodInfo, created_ago_ms: i64| {
            let mut pod = PodInfo { created_ms: NOW + day - created_ago_ms, ..pod };
            for ended in pod.containers.iter_mut().filter_map(|c| c.last.as_mut()) {
                ended.at_ms = ended.at_ms.map(|ms| ms + day);
            }
            pod
        };
        let at_status = |case: &mut Case| case.subject("app-1").status_now_ms = Some(NOW + day);
        assert_eq!(causes(moved(killed(), 3_600_000), at_status).0, ["pod_oom_killed"]);
        assert!(causes(moved(creating(), 5_000), at_status).0.is_empty(), "five seconds old");
    }
}

#[test]
fn an_old_kill_is_history() {
    let killed = container(running(), 1, Some(ended("OOMKilled", 137, 301)));
    assert!(causes(pod(vec![killed]), |_| ()).0.is_empty());
}

#[test]
fn a_crash_loop_shows_although_the_phase_says_running() {
    let looping = container(ContainerState::Waiting(why("CrashLoopBackOff")), 7, Some(ended("Error", 127, 200)));
    let (found, summary) = causes(pod(vec![looping]), |_| ());
    assert_eq!(found, ["pod_restarting"]);
    assert!(summary.contains("restarted 7 times") && summary.contains("command was not found"), "{summary}");
}

#[test]
fn one_restart_or_one_long_ago_is_no_loop() {
    for (restarts, ago) in [(1, 10), (9, 601)] {
        let c = container(running(), restarts, Some(ended("Error", 1, ago)));
        assert!(causes(pod(vec![c]), |_| ()).0.is_empty(), "{restarts} {ago}");
    }
}

#[test]
fn a_container_that_can_not_start_shows_the_reason() {
    for reason in
        ["ImagePullBackOff", "ErrImagePull", "CreateContainerConfigError", "RunContainerError", "InvalidImageName"]
    {
        let stuck = container(ContainerState::Waiting(why(reason)), 0, None);
        let (found, summary) =
            causes(PodInfo { phase: "Pending".into(), created_ms: NOW - 1000, ..pod(vec![stuck]) }, |_| ());
        assert_eq!(found, ["pod_not_running"], "{reason}");
        assert!(summary.contains(reason), "{summary}");
    }
}

#[test]
fn creation_may_take_a_minute() {
    let creating = |age_s: i64| PodInfo {
        phase: "Pending".into(),
        created_ms: NOW - age_s * 1000,
        ..pod(vec![container(ContainerState::Waiting(why("ContainerCreating")), 0, None)])
    };
    assert!(causes(creating(30), |_| ()).0.is_empty());
    assert_eq!(causes(creating(90), |_| ()).0, ["pod_not_running"]);
}

#[test]
fn a_failing_probe_is_named_with_its_warning() {
    let unhealthy =
        PodEvent { why: Why { reason: "Unhealthy".into(), message: "HTTP 503".into() }, count: 9, at_ms: None };
    let failing =
        PodInfo { unmet: vec![unready(45)], events: vec![unhealthy], ..pod(vec![container(running(), 0, None)]) };
    let (found, summary) = causes(failing.clone(), |_| ());
    assert_eq!(found, ["pod_not_running"]);
    assert!(summary.contains("readiness probe") && summary.contains("HTTP 503"), "{summary}");
    assert!(causes(PodInfo { unmet: vec![unready(20)], ..failing.clone() }, |_| ()).0.is_empty(), "not yet");
    assert!(causes(PodInfo { deleting_ms: Some(NOW), ..failing }, |_| ()).0.is_empty(), "it is being deleted");
}

#[test]
fn an_evicted_pod_shows_for_an_hour() {
    let evicted = |ago_s: i64| PodInfo {
        phase: "Failed".into(),
        created_ms: NOW - ago_s * 1000,
        reason: Some(why("Evicted")),
        ..pod(vec![])
    };
    assert_eq!(causes(evicted(600), |_| ()).0, ["pod_not_running"]);
    assert!(causes(evicted(7200), |_| ()).0.is_empty());
}

#[test]
fn a_healthy_or_finished_pod_is_silent() {
    let mut ready = container(running(), 0, None);
    ready.ready = true;
    assert!(causes(pod(vec![ready]), |_| ()).0.is_empty());
    let done = PodInfo {
        phase: "Succeeded".into(),
        unmet: vec![Condition { why: why("PodCompleted"), ..unready(90) }],
        ..pod(vec![container(ContainerState::Ended(ended("Completed", 0, 90)), 0, None)])
    };
    assert!(causes(done, |_| ()).0.is_empty());
}

/// A startup probe of 30 tries, 10 s apart.
#[test]
fn a_container_is_unready_when_its_own_probes_give_it_up() {
    let starting = |ran_s: i64, started| {
        let mut slow = container(ContainerState::Running { since_ms: Some(NOW - ran_s * 1000) }, 0, None);
        (slow.started, slow.startup_ms, slow.readiness_ms) = (Some(started), 300_000, 30_000);
        PodInfo { unmet: vec![unready(ran_s)], ..pod(vec![slow]) }
    };
    assert!(causes(starting(250, false), |_| ()).0.is_empty(), "still starting");
    let (found, summary) = causes(starting(340, false), |_| ());
    assert_eq!(found, ["pod_not_running"]);
    assert!(summary.contains("has not passed its startup probe"), "{summary}");
    // Started, and unready ever since.
    assert_eq!(causes(starting(250, true), |_| ()).0, ["pod_not_running"]);
}

#[test]
fn a_pod_that_was_never_ready_may_be_a_standby() {
    let since = |ago_s: i64, restarts| {
        let ran = container(ContainerState::Running { since_ms: Some(NOW - ago_s * 1000) }, restarts, None);
        PodInfo { unmet: vec![unready(ago_s)], created_ms: NOW - (ago_s + 2) * 1000, ..pod(vec![ran]) }
    };
    let confidence = |pod: PodInfo| {
        let mut case = Case::mesh(&["app-1"], &["10.0.0.2"]);
        case.subject("app-1").pod = Some(Arc::new(pod));
        let hints = firing(&Run::new().ticks(6, &case));
        assert_eq!(hints.len(), 1);
        (hints[0].confidence, hints[0].summary.contains("a standby, if that is by design"))
    };
    let (sure, named) = confidence(since(300, 0));
    assert!(sure > 0.8 && !named);
    let (unsure, named) = confidence(since(7_200, 0));
    assert!(unsure < 0.6 && named);
    // One that was ready before, or was restarted, is none.
    let fell = PodInfo { created_ms: NOW - 90_000_000, ..since(7_200, 0) };
    assert!(confidence(fell).0 > 0.8 && confidence(since(7_200, 1)).0 > 0.8);
}

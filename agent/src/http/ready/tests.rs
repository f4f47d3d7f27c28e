use super::*;
use crate::{api::WatchStatus, metrics::fixture};

fn ready_at(seconds: u64, change: impl FnOnce(&mut NodeView, &mut AgentStats)) -> Result<(), String> {
    let (mut view, mut agent) = (fixture::view(vec![]), fixture::agent());
    change(&mut view, &mut agent);
    ready(&view, &agent, view.at + Duration::from_secs(seconds))
}

#[test]
fn ready_needs_programs_pods_a_window_and_a_fresh_sample() {
    assert_eq!(ready_at(10, |_, _| ()), Ok(()));
    assert_eq!(ready_at(0, |_, agent| agent.pods_complete = None), Ok(()), "standalone has no Pod list");
    assert!(ready_at(0, |_, agent| agent.attached = false).unwrap_err().contains("not attached"));
    assert!(ready_at(0, |_, agent| agent.pods_complete = Some(false)).unwrap_err().contains("Pod list"));
    assert!(ready_at(0, |view, _| view.window_complete = false).unwrap_err().contains("first window"));
    assert!(ready_at(11, |_, _| ()).unwrap_err().contains("11 s old"));
}

#[test]
fn an_unreachable_api_server_only_degrades() {
    let mut agent = fixture::agent();
    agent.watches.clear();
    assert!(degraded(&agent).is_empty());
    let last_error = Some("watching pods: refused: wait".to_owned());
    let name = "pods".to_owned();
    agent.watches.push(WatchStatus {
        name,
        complete: true,
        last_error,
        age_seconds: Some(71.6),
        ..WatchStatus::default()
    });
    assert_eq!(degraded(&agent), ["degraded: the data of pods are 72 s old: watching pods: refused: wait"]);
    assert_eq!(ready(&fixture::view(vec![]), &agent, fixture::view(vec![]).at), Ok(()));
}

#[test]
fn every_reason_is_reported_at_once() {
    let reasons = ready(&NodeView::default(), &AgentStats::default(), Duration::from_secs(5)).unwrap_err();
    assert_eq!(reasons.lines().count(), 2, "{reasons}");
}

#[test]
fn alive_until_a_minute_without_samples() {
    let view = fixture::view(vec![]);
    let started = view.at - Duration::from_secs(1);
    assert_eq!(alive(&view, started, view.at + Duration::from_secs(60)), Ok(()));
    assert!(alive(&view, started, view.at + Duration::from_secs(61)).is_err());
}

#[test]
fn a_first_snapshot_that_never_comes_ends_life_after_a_minute() {
    let (view, started) = (NodeView::default(), Duration::from_secs(1_000_000));
    assert_eq!(alive(&view, started, started + Duration::from_secs(60)), Ok(()));
    let why = alive(&view, started, started + Duration::from_secs(61)).unwrap_err();
    assert_eq!(why, "there is no snapshot 61 s after the start, more than 60 s");
}

#[test]
fn a_refusing_kernel_and_hanging_cgroup_files_only_degrade() {
    let mut agent = fixture::agent();
    agent.watches.clear();
    agent.kernel_errors[0].last_error = Some("read the iterator task_file: Argument list too long".to_owned());
    agent.cgroup_age_seconds = Some(42.3);
    let expected = [
        "degraded: the kernel refuses walk: read the iterator task_file: Argument list too long",
        "degraded: the data of cgroup files are 42 s old: reading them hangs",
    ];
    assert_eq!(degraded(&agent), expected);
    assert_eq!(ready(&fixture::view(vec![]), &agent, fixture::view(vec![]).at), Ok(()));
}

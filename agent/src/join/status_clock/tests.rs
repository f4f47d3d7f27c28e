use super::*;
use crate::api::{Condition, Why};

const BEGIN_MS: u64 = 1_700_000_000_000;
const HOUR_MS: u64 = 3_600_000;

/// A Pod that is not ready since this long before [`BEGIN_MS`].
fn unready(ago_ms: i64) -> PodInfo {
    let since_ms = Some(BEGIN_MS as i64 - ago_ms);
    PodInfo { unmet: vec![Condition { kind: "Ready".into(), why: Why::default(), since_ms }], ..PodInfo::default() }
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_step_of_the_wall_clock_ages_no_status() {
    let pod = Arc::new(unready(5_000));
    for after_ms in [BEGIN_MS - HOUR_MS, BEGIN_MS + HOUR_MS] {
        let first = StatusClock::follow(None, &pod, at(100), BEGIN_MS);
        assert_eq!(first.now_ms, BEGIN_MS as i64, "the wall clock, when it is first seen");
        let second = StatusClock::follow(Some(first), &pod, at(101), after_ms);
        assert_eq!(second.now_ms, BEGIN_MS as i64 + 1_000, "a second passed, whatever the wall clock says");
        // The API server's list is read again: another object with the same times.
        let third = StatusClock::follow(Some(second), &Arc::new(unready(5_000)), at(130), after_ms);
        assert_eq!(third.now_ms, BEGIN_MS as i64 + 30_000);
    }
}

#[test]
fn a_status_with_new_times_has_the_wall_clock_of_its_own_moment() {
    let first = StatusClock::follow(None, &Arc::new(unready(5_000)), at(100), BEGIN_MS);
    let stepped = BEGIN_MS + HOUR_MS;
    let second = StatusClock::follow(Some(first), &Arc::new(unready(-3_600_000)), at(101), stepped);
    assert_eq!(second.now_ms, stepped as i64);
}

#[test]
fn a_warning_alone_is_no_new_time() {
    let first = StatusClock::follow(None, &Arc::new(unready(5_000)), at(100), BEGIN_MS);
    let warned = PodInfo { reason: Some(Why::default()), ..unready(5_000) };
    let second = StatusClock::follow(Some(first), &Arc::new(warned), at(110), BEGIN_MS + HOUR_MS);
    assert_eq!(second.now_ms, BEGIN_MS as i64 + 10_000);
}

use super::*;
use crate::pods::Change;

const START_MS: u64 = 1_700_000_000_000;

fn index(pods: &[(&str, Option<CloseUpRequest>)]) -> PodIndex {
    let mut index = PodIndex::default();
    for (uid, close_up) in pods {
        let (uid, name) = ((*uid).to_owned(), format!("pod-{uid}"));
        let pod = PodInfo { uid, name, phase: "Running".to_owned(), close_up: *close_up, ..PodInfo::default() };
        index.apply(Change::Applied(pod), Duration::ZERO);
    }
    index
}

/// A request that ends so many seconds after the start.
fn until(seconds: i64) -> Option<CloseUpRequest> {
    Some(CloseUpRequest::Until { unix_ms: START_MS as i64 + seconds * 1000 })
}

/// So many seconds after the start, with a wall clock that went `step` seconds further.
fn after(seconds: u64, step: i64) -> Moment {
    let unix_ms = (START_MS + seconds * 1000).saturating_add_signed(step * 1000);
    Moment { at: Duration::from_secs(1000 + seconds), unix_ms }
}

fn names(requests: &Requests) -> Vec<&str> {
    requests.stats().pods.iter().map(|row| row.pod.as_str()).collect()
}

#[test]
fn a_close_up_ends_by_itself_whatever_the_wall_clock_does() {
    let pods = index(&[("a", until(600)), ("b", None)]);
    let mut requests = Requests::default();
    requests.follow(&pods, 4, after(0, 0));
    assert_eq!(names(&requests), ["pod-a"]);
    assert_eq!(requests.stats().pods[0].seconds_left, 600);
    for step in [-7200, 7200] {
        requests.follow(&pods, 4, after(599, step));
        assert_eq!(requests.stats().pods[0].seconds_left, 1, "{step}");
    }
    requests.follow(&pods, 4, after(600, -7200));
    assert!(names(&requests).is_empty(), "the same annotation begins nothing anew");
    requests.follow(&index(&[("a", until(900))]), 4, after(601, 0));
    assert_eq!(requests.stats().pods[0].seconds_left, 299, "another end is another request");
    requests.follow(&index(&[("a", None)]), 4, after(602, 0));
    assert!(names(&requests).is_empty(), "without the annotation it is over");
}

#[test]
fn an_end_in_the_past_begins_nothing_and_one_too_far_counts_as_an_hour() {
    let mut requests = Requests::default();
    let pods = index(&[("past", until(-1)), ("far", until(1_000_000)), ("bad", Some(CloseUpRequest::Unreadable))]);
    requests.follow(&pods, 4, after(0, 0));
    assert_eq!((names(&requests), requests.stats().unreadable), (vec!["pod-far"], 1));
    assert_eq!(requests.stats().pods[0].seconds_left, 3600);
    requests.follow(&pods, 4, after(3600, 0));
    assert!(names(&requests).is_empty());
}

#[test]
fn those_that_asked_first_keep_their_places() {
    let mut requests = Requests::default();
    requests.follow(&index(&[("c", until(60))]), 2, after(0, 0));
    let all = index(&[("a", until(600)), ("b", until(600)), ("c", until(60))]);
    requests.follow(&all, 2, after(1, 0));
    assert_eq!((names(&requests), requests.stats().waiting), (vec!["pod-c", "pod-a"], 1));
    requests.follow(&all, 2, after(61, 0));
    assert_eq!((names(&requests), requests.stats().waiting), (vec!["pod-a", "pod-b"], 0), "a place became free");
    requests.follow(&all, 0, after(62, 0));
    assert_eq!((names(&requests).len(), requests.stats().waiting), (0, 2), "none are allowed");
}

#[test]
fn all_cgroups_of_the_pod_are_meant_and_no_others() {
    const A: &str = "0b8d6a3c-1f4e-4a7b-9c2d-5e6f7a8b9c0d";
    const B: &str = "1b8d6a3c-1f4e-4a7b-9c2d-5e6f7a8b9c0d";
    let container = "3f0c".repeat(16);
    let group = |id: u64, path: String| CgroupFacts { id, path: Some(path), alive: true, ..CgroupFacts::default() };
    let groups = [
        group(1, format!("/kubepods/burstable/pod{A}")),
        group(2, format!("/kubepods/burstable/pod{A}/{container}")),
        group(3, format!("/kubepods/burstable/pod{B}/{container}")),
        group(4, "/system.slice/ssh.service".to_owned()),
        CgroupFacts { alive: false, ..group(5, format!("/kubepods/burstable/pod{A}/{}", "ab12".repeat(16))) },
        CgroupFacts { path: None, ..group(6, String::new()) },
    ];
    let pods = index(&[(A, until(60)), (B, None)]);
    let mut requests = Requests::default();
    assert!(requests.cgroups(&pods, &groups).is_empty());
    requests.follow(&pods, 4, after(0, 0));
    assert_eq!(requests.cgroups(&pods, &groups), BTreeSet::from([1, 2]));
}

use super::*;

#[test]
fn a_path_names_its_resource() {
    let activity = Activity::new(|| Duration::ZERO, Timeouts::default());
    let of = |path| activity.index_of_path(path).map(|index| RESOURCES[index]);
    assert_eq!(of("/api/v1/pods"), Some("pods"));
    assert_eq!(of("/api/v1/nodes/node-b"), Some("nodes"));
    assert_eq!(of("/apis/discovery.k8s.io/v1/endpointslices"), Some("endpointslices"));
    assert_eq!(of("/api/v1/namespaces/shop/events"), Some("events"));
    assert_eq!(of("/version"), None);
}

#[test]
fn watches_that_end_at_once_back_off_until_one_lasts() {
    static NOW_MS: AtomicU64 = AtomicU64::new(1);
    let timeouts = Timeouts::default();
    let activity = Activity::new(|| Duration::from_millis(NOW_MS.load(Ordering::Relaxed)), timeouts);
    assert_eq!(activity.pause_before_watch(0), Duration::ZERO);
    assert_eq!(activity.pause_before_watch(1), Duration::ZERO, "resources don't wait for each other");
    let mut last = Duration::ZERO;
    for n in 0..8 {
        let pause = activity.pause_before_watch(0);
        let base = (timeouts.first_backoff * 2u32.pow(n)).min(timeouts.max_backoff);
        assert!(pause >= base && pause <= base * 2, "{n}: {pause:?}");
        last = pause;
        NOW_MS.fetch_add(pause.as_millis() as u64 + 1, Ordering::Relaxed);
    }
    assert!(last >= timeouts.max_backoff);
    NOW_MS.fetch_add(timeouts.min_watch.as_millis() as u64 + last.as_millis() as u64, Ordering::Relaxed);
    assert_eq!(activity.pause_before_watch(0), Duration::ZERO);
}

#[test]
fn each_resource_has_its_own_age() {
    let activity = Activity::new(|| Duration::from_secs(7), Timeouts::default());
    assert_eq!(activity.age("pods"), None);
    activity.note_response(0);
    assert_eq!(activity.age("pods"), Some(Duration::ZERO));
    assert_eq!(activity.age("nodes"), None);
}

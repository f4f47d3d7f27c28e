use super::*;

fn pod(uid: &str) -> PodInfo {
    PodInfo { uid: uid.into(), name: format!("pod-{uid}"), ..PodInfo::default() }
}

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn uids(index: &PodIndex) -> Vec<&str> {
    index.live().map(|p| p.uid.as_str()).collect()
}

#[test]
fn what_was_deleted_while_disconnected_disappears_with_the_next_list() {
    let mut index = PodIndex::default();
    for change in [Change::Init, Change::Listed(pod("a")), Change::Listed(pod("b"))] {
        index.apply(change, s(1));
    }
    assert!(!index.is_complete(), "half a list");
    assert_eq!(uids(&index), ["a", "b"], "but its Pods are known already");
    index.apply(Change::InitDone, s(1));
    index.apply(Change::Applied(pod("c")), s(2));
    for change in [Change::Init, Change::Listed(pod("b")), Change::Listed(pod("d"))] {
        index.apply(change, s(3));
    }
    assert_eq!(uids(&index), ["a", "b", "c"], "a list in progress changes nothing");
    assert!(index.is_complete());
    index.apply(Change::InitDone, s(4));
    assert_eq!(uids(&index), ["b", "d"]);
    assert!(index.find("a").is_some() && index.find("c").is_some(), "tombstones");
}

#[test]
fn a_broken_off_list_is_forgotten() {
    let mut index = PodIndex::default();
    for change in [Change::Init, Change::Listed(pod("a")), Change::InitDone, Change::Init, Change::Listed(pod("x"))] {
        index.apply(change, s(1));
    }
    for change in [Change::Init, Change::Listed(pod("a")), Change::InitDone] {
        index.apply(change, s(2));
    }
    assert_eq!(uids(&index), ["a"]);
    assert!(index.find("x").is_none());
}

#[test]
fn a_deleted_pod_can_be_found_for_ten_minutes() {
    let mut index = PodIndex::default();
    index.apply(Change::Applied(pod("a")), s(0));
    index.apply(Change::Deleted("a".into()), s(10));
    assert!(index.is_empty());
    index.apply(Change::Applied(pod("b")), s(609));
    assert!(index.find("a").is_some());
    index.apply(Change::Applied(pod("b")), s(611));
    assert!(index.find("a").is_none());
}

#[test]
fn an_address_leads_to_the_pod_that_has_it_now() {
    let addr: IpAddr = "10.1.0.7".parse().unwrap();
    let with = |uid: &str| PodInfo { addresses: vec![addr], ..pod(uid) };
    let owner = |index: &PodIndex| index.by_address(addr).map(|p| p.uid.clone());
    let mut index = PodIndex::default();
    index.apply(Change::Applied(with("a")), s(0));
    index.apply(Change::Applied(PodInfo { phase: "Succeeded".into(), ..with("a") }), s(1));
    index.apply(Change::Applied(with("b")), s(2));
    assert_eq!(owner(&index).as_deref(), Some("b"), "taken over from one that is over");
    index.apply(Change::Deleted("a".into()), s(3));
    assert_eq!(owner(&index).as_deref(), Some("b"));
    index.apply(Change::Applied(PodInfo { host_network: true, ..with("h") }), s(4));
    assert_eq!(owner(&index).as_deref(), Some("b"), "the Node's address is nobody's own");
    index.apply(Change::Deleted("b".into()), s(5));
    assert_eq!(owner(&index), None);
}

#[test]
fn tombstones_are_bounded() {
    let mut index = PodIndex::default();
    for i in 0..TOMBSTONES + 10 {
        let uid = format!("{i:06}");
        index.apply(Change::Applied(pod(&uid)), s(1));
        index.apply(Change::Deleted(uid), Duration::from_millis(i as u64));
    }
    assert_eq!(index.gone.len(), TOMBSTONES);
    assert!(index.find("000009").is_none() && index.find("000010").is_some(), "the oldest go");
}

#[test]
fn static_pods_are_found_by_their_manifests_hash() {
    let mut index = PodIndex::default();
    index.apply(Change::Applied(PodInfo { static_hash: Some("h1".into()), ..pod("a") }), s(0));
    assert_eq!(index.find("h1").map(|p| p.uid.as_str()), Some("a"));
    index.apply(Change::Applied(PodInfo { static_hash: Some("h2".into()), ..pod("a2") }), s(1));
    index.apply(Change::Deleted("a".into()), s(1));
    assert_eq!(index.find("h1").map(|p| p.uid.as_str()), Some("a"), "the old one's cgroup may linger");
    index.apply(Change::Applied(pod("z")), s(700));
    index.apply(Change::Deleted("z".into()), s(700));
    assert_eq!(index.find("h2").map(|p| p.uid.as_str()), Some("a2"));
}

#[test]
fn events_stay_while_the_pod_is_in_trouble() {
    let troubled = PodInfo { phase: "Failed".into(), ..pod("a") };
    let event = PodEvent { why: crate::api::Why::default(), count: 3, at_ms: None };
    let mut index = PodIndex::default();
    index.apply(Change::Applied(troubled.clone()), s(0));
    index.set_events("a", vec![event; 9]);
    index.apply(Change::Applied(troubled), s(1));
    assert_eq!(index.find("a").map(|p| p.events.len()), Some(PodInfo::MAX_EVENTS));
    index.apply(Change::Applied(pod("a")), s(2));
    assert_eq!(index.find("a").map(|p| p.events.len()), Some(0), "recovered");
}

use super::*;
use crate::state::SubjectKind;
use netwhy_abi::PeerClass;
use std::net::Ipv4Addr;

const NOW: Duration = Duration::from_secs(1_000);

fn pod(name: &str) -> SubjectId {
    SubjectId { kind: SubjectKind::Pod, namespace: "shop".into(), name: name.into(), workload: String::new() }
}

fn address(number: usize) -> Ipv6Addr {
    Ipv4Addr::from(0xcb00_0000 + u32::try_from(number).unwrap()).to_ipv6_mapped()
}

fn answer(cgroup: u64, name: &str, number: usize) -> Answer {
    Answer { cgroup, name: name.into(), addresses: vec![address(number)], ttl_seconds: 1 }
}

/// The name of an address outside.
fn of(names: &Names, subject: &SubjectId, number: usize) -> Option<String> {
    let key = EdgeKey::new(1, address(number).octets());
    names.of(subject, &key, &Peer::range(PeerClass::External)).map(|name| name.to_string())
}

#[test]
fn an_address_has_the_name_that_its_own_pod_looked_up_last() {
    let (web, job, mut names) = (pod("web"), pod("job"), Names::default());
    let owner = |cgroup| if cgroup == 1 { Some(&web) } else { Some(&job) };
    names.take(NOW, &[answer(1, "a.example", 7), answer(2, "b.example", 7), answer(1, "c.example", 8)], owner);
    assert_eq!(of(&names, &web, 7).as_deref(), Some("a.example"));
    assert_eq!(of(&names, &job, 7).as_deref(), Some("b.example"));
    assert_eq!(of(&names, &job, 8), None, "the other Pod's");
    names.take(NOW, &[answer(1, "new.example", 7)], owner);
    assert_eq!(of(&names, &web, 7).as_deref(), Some("new.example"));
}

#[test]
fn peers_that_the_cluster_knows_and_clients_keep_their_address() {
    let (web, mut names) = (pod("web"), Names::default());
    names.take(NOW, &[answer(1, "a.example", 7)], |_| Some(&web));
    let key = EdgeKey::new(1, address(7).octets());
    let outside = Peer::range(PeerClass::External);
    assert!(names.of(&web, &key, &outside).is_some());
    assert!(names.of(&web, &key, &Peer::range(PeerClass::InCluster)).is_some(), "a range names nobody");
    let known = [
        Peer { kind: PeerKind::Service, ..outside.clone() },
        Peer { node: Some("node-b".into()), ..outside.clone() },
        Peer { pod: Some("shop/db-0".into()), ..outside.clone() },
    ];
    for peer in known {
        assert_eq!(names.of(&web, &key, &peer), None, "{peer:?}");
    }
    let server = EdgeKey { role: EdgeKey::role_number(Some(Role::Server)), ..key };
    assert_eq!(names.of(&web, &server, &outside), None);
    assert_eq!(names.of(&web, &EdgeKey { netns: 5, ..key }, &outside), None);
    assert_eq!(names.of(&web, &EdgeKey { redirected: 1, ..key }, &outside), None);
}

#[test]
fn names_last_ten_minutes_to_a_day() {
    let (web, mut names) = (pod("web"), Names::default());
    let lasting = |number, ttl_seconds| Answer { ttl_seconds, ..answer(1, "a.example", number) };
    names.take(NOW, &[lasting(1, 5), lasting(2, 3_600), lasting(3, u32::MAX)], |_| Some(&web));
    let mut alive = |seconds| {
        names.forget(NOW + Duration::from_secs(seconds), |_| true);
        [1, 2, 3].map(|number| of(&names, &web, number).is_some())
    };
    assert_eq!(alive(599), [true; 3]);
    assert_eq!(alive(600), [false, true, true]);
    assert_eq!(alive(3_600), [false, false, true]);
    assert_eq!(alive(86_400), [false; 3]);
}

#[test]
fn names_go_with_their_subject_and_when_the_signal_is_turned_off() {
    let (web, mut names) = (pod("web"), Names::default());
    names.take(NOW, &[answer(1, "a.example", 7)], |_| Some(&web));
    names.forget(NOW, |_| false);
    assert_eq!(of(&names, &web, 7), None);
    names.take(NOW, &[answer(1, "a.example", 7)], |_| Some(&web));
    names.set_off(false);
    assert!(of(&names, &web, 7).is_some());
    names.set_off(true);
    names.take(NOW, &[answer(1, "a.example", 7)], |_| Some(&web));
    assert_eq!(of(&names, &web, 7), None);
}

#[test]
fn answers_wait_for_their_cgroups_name() {
    let (web, mut names) = (pod("web"), Names::default());
    names.take(NOW, &[answer(1, "a.example", 7)], |_| None);
    names.take(NOW + Duration::from_secs(5), &[], |_| Some(&web));
    assert_eq!(of(&names, &web, 7).as_deref(), Some("a.example"));
    names.take(NOW, &[answer(1, "b.example", 8)], |_| None);
    names.take(NOW + PENDING, &[], |_| None);
    names.take(NOW + PENDING, &[], |_| Some(&web));
    assert_eq!(of(&names, &web, 8), None, "it waited too long");
    let many: Vec<Answer> = (0..MAX_UNOWNED + 9).map(|number| answer(1, "c.example", number)).collect();
    names.take(NOW, &many, |_| None);
    assert_eq!(names.unowned.len(), MAX_UNOWNED);
}

#[test]
fn the_oldest_names_make_room_and_one_pod_takes_none_of_the_others() {
    let (greedy, mut names) = (pod("greedy"), Names::default());
    for number in 0..MAX_ADDRESSES + 10 {
        names.take(NOW + Duration::from_secs(number as u64), &[answer(1, "a.example", number)], |_| Some(&greedy));
    }
    assert_eq!(names.len(), MAX_ADDRESSES);
    assert_eq!((of(&names, &greedy, 9), of(&names, &greedy, 10).is_some()), (None, true));
    let small = pod("small");
    names.take(NOW, &[answer(1, "b.example", 1)], |_| Some(&small));
    for other in 0..NAMED_ADDRESSES / MAX_ADDRESSES {
        let other = pod(&format!("other-{other}"));
        let many: Vec<Answer> = (0..MAX_ADDRESSES).map(|number| answer(1, "c.example", number)).collect();
        names.take(NOW, &many, |_| Some(&other));
    }
    assert_eq!(names.len(), NAMED_ADDRESSES);
    assert!(of(&names, &small, 1).is_some());
}

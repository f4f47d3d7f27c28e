use crate::{
    api::{BlameKind, Hint},
    hints::testing::{
        Case,
        requests::{Scene, Stream, quick},
        verdict,
    },
};
use netwhy_abi::Role;

const PEERS: [&str; 3] = ["10.0.0.7", "10.0.0.8", "10.0.0.9"];

/// A scene in which `errors` of each 20 calls a second failed for a minute.
fn scene(role: Role, errors: u64) -> Scene {
    let mut scene = Scene::new(Case::mesh(&["cart"], &PEERS), ("cart", PEERS[0]), role);
    for _ in 0..60 {
        scene.stream.call(20, errors);
        assert_eq!(scene.second(50, quick), vec![]);
    }
    scene
}

/// Seconds with so many errors until the first hint, and that hint.
fn fail(scene: &mut Scene, errors: u64) -> Option<(u64, Hint)> {
    (1..=15).find_map(|second| {
        scene.stream.call(20, errors);
        scene.second(50, quick).into_iter().next().map(|hint| (second, hint))
    })
}

#[test]
fn a_pod_that_fails_is_named_by_its_own_side() {
    let (after, hint) = fail(&mut scene(Role::Server, 0), 5).unwrap();
    assert!(after <= 6, "{after} s");
    assert_eq!(verdict(&hint), ("pod_errors", BlameKind::Pod, "cart"));
    assert!(hint.summary.contains("cart answers with server errors: "), "{}", hint.summary);
    assert!(hint.evidence[0].signal.contains("status=~"), "{hint:?}");
    assert!(hint.evidence[0].baseline.is_some_and(|usual| usual < 0.001), "{hint:?}");
    assert!(hint.ruled_out.iter().any(|r| r.cause == "path_loss"), "{hint:?}");
}

#[test]
fn a_peer_that_fails_is_named_by_its_client() {
    let (_, hint) = fail(&mut scene(Role::Client, 0), 5).unwrap();
    assert_eq!(verdict(&hint), ("peer_errors", BlameKind::PeerPod, PEERS[0]));
    assert!(hint.summary.starts_with("10.0.0.7 answers cart with server errors: "), "{}", hint.summary);
}

#[test]
fn a_share_that_was_as_high_before_is_no_news() {
    assert!(fail(&mut scene(Role::Server, 3), 5).is_none());
    assert!(fail(&mut scene(Role::Server, 3), 12).is_some());
}

/// A new check of something that the Pod does not have: the others are answered as ever.
#[test]
fn new_clients_that_always_fail_are_silent_until_others_fail_too() {
    let (mut scene, mut check) = (scene(Role::Server, 0), Stream::default());
    let mut second = |scene: &mut Scene, errors: u64| {
        check.call(2, 2);
        let edge = scene.case.edge("cart", PEERS[1]);
        (edge.role, edge.port, edge.responses) = (Some(Role::Server), 80, Some(Box::new(check.view())));
        scene.stream.call(20, errors);
        scene.second(50, quick)
    };
    for at in 0..30 {
        assert_eq!(second(&mut scene, 0), vec![], "second {at}");
    }
    let hints = (0..10).map(|_| second(&mut scene, 5)).last();
    assert_eq!(verdict(&hints.unwrap()[0]), ("pod_errors", BlameKind::Pod, "cart"));
}

#[test]
fn without_a_baseline_there_is_no_hint() {
    let mut scene = Scene::new(Case::mesh(&["cart"], &PEERS), ("cart", PEERS[0]), Role::Server);
    for _ in 0..5 {
        scene.stream.call(20, 20);
        assert_eq!(scene.second(50, quick), vec![]);
    }
}

#[test]
fn a_hint_stays_while_requests_fail_and_its_baseline_with_it() {
    let mut scene = scene(Role::Server, 0);
    fail(&mut scene, 10).unwrap();
    for _ in 0..120 {
        scene.stream.call(20, 10);
        assert_eq!(scene.second(50, quick).len(), 1);
    }
    let last = (0..30).map(|_| {
        scene.stream.call(20, 0);
        scene.second(50, quick)
    });
    assert_eq!(last.last().unwrap(), vec![]);
}

use crate::{
    api::{BlameKind, Hint},
    hints::testing::{
        Case,
        requests::{Scene, quick},
        verdict,
    },
};
use netwhy_abi::{Retransmit, Role};

const PEERS: [&str; 3] = ["10.0.0.7", "10.0.0.8", "10.0.0.9"];

fn scene(role: Role) -> Scene {
    let mut scene = Scene::new(Case::mesh(&["cart"], &PEERS), ("cart", PEERS[0]), role);
    scene.is_silent(40, 50, quick);
    scene
}

/// Only the requests themselves arrive, and no answer.
fn hush(mut scene: Scene) -> Scene {
    let tally = scene.case.tally("cart", PEERS[0]);
    (tally.bytes_acked, tally.bytes_received, tally.data_segs_out) = (800, 800, 4);
    scene
}

/// Seconds in which nothing is answered, and requests wait from the second one on. Gives the first hint, and when.
fn stop(scene: &mut Scene, seconds: u64, requests: u64) -> Option<(u64, Hint)> {
    (1..=seconds).find_map(|second| {
        let at = scene.run.next_at();
        scene.stream.wait(if second == 1 { 0 } else { requests }, at);
        scene.second(0, quick).into_iter().next().map(|hint| (second, hint))
    })
}

#[test]
fn a_stopped_peer_is_named_within_five_seconds() {
    let mut scene = hush(scene(Role::Client));
    let (after, hint) = stop(&mut scene, 8, 4).unwrap();
    assert!(after <= 5, "{after} s");
    assert_eq!(verdict(&hint), ("peer_not_answering", BlameKind::PeerPod, PEERS[0]));
    assert!(hint.summary.contains("its kernel acknowledges: 4 requests have waited"), "{}", hint.summary);
    assert!(hint.summary.contains("2 other peers answer"), "{}", hint.summary);
    assert!(hint.ruled_out.iter().any(|r| r.cause == "peer_unreachable"), "{hint:?}");
    // It stays for as long as they wait, and ends after they are answered.
    for _ in 0..60 {
        scene.stream.wait(4, scene.run.next_at());
        assert_eq!(scene.second(0, quick).len(), 1);
    }
    scene.stream.wait(0, scene.run.next_at());
    assert_eq!((0..7).map(|_| scene.second(50, quick)).last().unwrap(), vec![]);
}

/// A stop that is too short for two windows in a row, and then so many seconds as usual. Gives for each whether the peer is
/// named.
fn pause(scene: &mut Scene, usual: u64) -> Vec<bool> {
    let second = |second: u64| {
        let (waiting, answers) = if second < 3 { (if second == 0 { 0 } else { 4 }, 0) } else { (0, 50) };
        scene.stream.wait(waiting, scene.run.next_at());
        // The first answers are those that waited.
        let mut late = if second == 3 { 3 } else { 0 };
        let hints = scene.second(answers, |random| {
            let is_late = late > 0;
            late -= u32::from(is_late);
            if is_late { 2_500_000 } else { quick(random) }
        });
        hints.iter().any(|hint| hint.cause == "peer_not_answering")
    };
    (0..3 + usual).map(second).collect()
}

#[test]
fn a_peer_that_stops_again_and_again_is_named_and_stays_named_between() {
    let mut scene = hush(scene(Role::Client));
    assert!(!pause(&mut scene, 5).contains(&true), "one pause");
    assert!(pause(&mut scene, 5).ends_with(&[true; 6]), "another one");
    for _ in 0..4 {
        assert!(!pause(&mut scene, 5).contains(&false));
    }
    // After twice the time between two, it is over.
    assert!((0..20).map(|_| scene.second(50, quick)).last().unwrap().is_empty());
}

/// 8 s of every 20. The first stop raises the hint, the second one shows that more follow.
#[test]
fn stops_that_come_again_are_one_hint() {
    let mut scene = hush(scene(Role::Client));
    let mut stop = || -> Vec<Option<Hint>> {
        let second = |second: u64| {
            let (waiting, answers) = if second < 8 { (if second == 0 { 0 } else { 4 }, 0) } else { (0, 50) };
            scene.stream.wait(waiting, scene.run.next_at());
            let mut late = if second == 8 { 4 } else { 0 };
            let hints = scene.second(answers, |random| {
                let is_late = late > 0;
                late -= u32::from(is_late);
                if is_late { 7_500_000 } else { quick(random) }
            });
            hints.into_iter().find(|hint| hint.cause == "peer_not_answering")
        };
        (0..20).map(second).collect()
    };
    let first = stop();
    let begin = first[..5].iter().flatten().next().expect("within 5 s").clone();
    assert!(first[19].is_none(), "one stop may be the only one");
    assert!(stop()[3..].iter().all(Option::is_some));
    for _ in 0..3 {
        for hint in stop() {
            let hint = hint.expect("it holds between two stops");
            assert_eq!((&hint.id, &hint.first_seen), (&begin.id, &begin.first_seen));
        }
    }
    assert_eq!(scene.run.engine.totals().get("peer_not_answering"), Some(&1));
}

#[test]
fn pauses_that_are_minutes_apart_are_no_trouble() {
    let mut scene = hush(scene(Role::Client));
    for _ in 0..3 {
        assert!(!pause(&mut scene, 70).contains(&true));
    }
}

#[test]
fn one_connection_that_waits_is_enough_once_it_waits_for_far_longer_than_usual() {
    let (after, _) = stop(&mut hush(scene(Role::Client)), 8, 1).unwrap();
    assert!(after <= 6, "{after} s");
}

/// The wait is rarer the longer it takes, but it stays one wait.
#[test]
fn one_request_that_waits_for_long_is_one_evidence() {
    let mut scene = hush(scene(Role::Client));
    let (_, first) = stop(&mut scene, 8, 1).unwrap();
    let wait = |_| {
        scene.stream.wait(1, scene.run.next_at());
        scene.second(0, quick)
    };
    let hints = (0..60).map(wait).last().unwrap();
    let (first, last) = (first.confidence, hints[0].confidence);
    assert!(last > first && last < 0.75, "{first} {last}");
}

#[test]
fn clients_that_give_up_and_try_again_show_it_too() {
    let mut scene = hush(scene(Role::Client));
    let hint = (0..6).find_map(|_| {
        scene.stream.wait(2, scene.run.next_at());
        scene.stream.second(Role::Client, &[], 0);
        scene.stream.give_up(2, 1_500_000);
        scene.tick().into_iter().next()
    });
    assert_eq!(hint.unwrap().cause, "peer_not_answering");
}

#[test]
fn a_pod_that_does_not_answer_is_named_by_its_own_side() {
    let mut scene = hush(scene(Role::Server));
    let (after, hint) = stop(&mut scene, 8, 4).unwrap();
    assert!(after <= 5, "{after} s");
    assert_eq!(verdict(&hint), ("pod_not_reading", BlameKind::Pod, "cart"));
    assert!(hint.summary.contains("received from one client: 4 requests"), "{}", hint.summary);
}

#[test]
fn polls_that_the_server_holds_back_are_normal() {
    for role in Role::ALL {
        let mut scene = Scene::new(Case::mesh(&["cart"], &PEERS), ("cart", PEERS[0]), role);
        // Two clients poll for 20 s at a time, beside quick requests.
        let poll = |scene: &mut Scene, second: u64| {
            let at = scene.run.next_at();
            scene.stream.wait(if second.is_multiple_of(20) { 0 } else { 2 }, at);
            let slow = second.is_multiple_of(20);
            let mut left = if slow { 2 } else { 0 };
            scene.second(10, |random| {
                let polled = left > 0;
                left -= u32::from(polled);
                if polled { 20_000_000 } else { quick(random) }
            })
        };
        for second in 0..200 {
            assert_eq!(poll(&mut scene, second), vec![], "{role:?}, second {second}");
        }
        // The quick ones pause.
        let mut scene = hush(scene);
        assert!(stop(&mut scene, 20, 2).is_none(), "{role:?}");
    }
}

#[test]
fn a_first_long_poll_beside_answers_is_no_outage() {
    let mut scene = hush(scene(Role::Client));
    for second in 0..60 {
        let at = scene.run.next_at();
        scene.stream.wait(3, at);
        assert_eq!(scene.second(50, quick), vec![], "second {second}");
    }
}

#[test]
fn a_slow_peer_is_not_one_that_never_answers() {
    let mut scene = hush(scene(Role::Client));
    for second in 0..20 {
        let at = scene.run.next_at();
        scene.stream.wait(6, at);
        let hints = scene.second(3, |random| 1_500_000 + random.below(500_000) as u32);
        let slow = hints.iter().all(|hint| hint.cause == "peer_slow");
        assert!(second < 2 || slow, "second {second}: {hints:?}");
    }
}

#[test]
fn a_peer_whose_kernel_is_silent_too_is_unreachable_instead() {
    let mut scene = hush(scene(Role::Client));
    let tally = scene.case.tally("cart", PEERS[0]);
    tally.retransmits[Retransmit::Timeout as usize] = 2;
    assert!(stop(&mut scene, 10, 4).is_none_or(|(_, hint)| hint.cause != "peer_not_answering"));
}

#[test]
fn an_upload_that_takes_its_time_is_no_outage() {
    for role in Role::ALL {
        let mut scene = scene(role);
        let tally = scene.case.tally("cart", PEERS[0]);
        *(if role == Role::Client { &mut tally.bytes_acked } else { &mut tally.bytes_received }) = 50_000_000;
        assert!(stop(&mut scene, 20, 1).is_none(), "{role:?}");
    }
}

/// Connections whose traffic turns from requests to messages one way.
#[test]
fn a_client_that_goes_on_sending_waits_for_no_answer() {
    // In so many segments each of the three requests would have.
    for (segments, is_request) in [(900, false), (25, true)] {
        let mut scene = hush(scene(Role::Client));
        scene.case.tally("cart", PEERS[0]).data_segs_out = segments;
        assert_eq!(stop(&mut scene, 20, 3).is_some(), is_request, "{segments}");
    }
}

#[test]
fn nothing_is_stuck_without_a_baseline() {
    let mut scene = hush(Scene::new(Case::mesh(&["cart"], &PEERS), ("cart", PEERS[0]), Role::Client));
    assert!(stop(&mut scene, 20, 4).is_none());
}

#[test]
fn an_older_walk_says_nothing_new() {
    let mut scene = hush(scene(Role::Client));
    let at = scene.run.next_at();
    for _ in 0..10 {
        scene.stream.wait(1, at);
        // Walks are rare here: since the first one there was none.
        scene.run.walked_at = Some(at);
        assert_eq!(scene.second(0, quick), vec![]);
    }
}

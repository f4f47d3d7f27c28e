mod young;

use super::higher_load;
use crate::{
    api::BlameKind,
    hints::testing::{
        Case, lose,
        requests::{Lcg, Scene, Stream, every, quick},
        rtts, times_of, verdict,
    },
    sample::{Responses, Tally},
};
use netwhy_abi::{Failure, PeerClass, Retransmit, Role};

const PEERS: [&str; 3] = ["10.0.0.7", "10.0.0.8", "10.0.0.9"];

fn client() -> Scene {
    Scene::new(Case::mesh(&["cart"], &PEERS), ("cart", PEERS[0]), Role::Client)
}

fn server() -> Scene {
    Scene::new(Case::mesh(&["api"], &PEERS), ("api", PEERS[0]), Role::Server)
}

/// One request in `n` takes 200 ms.
fn slow_once_in(n: u64) -> impl FnMut(&mut Lcg) -> u32 {
    move |random| if random.once_in(n) { 200_000 } else { quick(random) }
}

#[test]
fn a_fifth_of_slow_requests_blames_the_peer_with_its_stage() {
    let mut scene = client();
    scene.is_silent(40, 50, quick);
    let (after, hint) = scene.first_hint(8, 50, slow_once_in(5));
    assert!(after <= 6, "{after} s");
    assert_eq!(verdict(&hint), ("peer_slow", BlameKind::PeerPod, PEERS[0]));
    assert!(hint.summary.contains("not for the network"), "{}", hint.summary);
    assert!(hint.summary.contains("per request peer "), "the stage that grew comes first: {}", hint.summary);
    let p95 = hint.evidence.iter().find(|e| e.signal.contains("quantile=\"0.95\"")).unwrap();
    assert!(p95.observed > 0.15 && p95.baseline.unwrap() < 0.002, "{p95:?}");
    let because: Vec<_> = hint.ruled_out.iter().map(|r| (r.cause.as_str(), r.because.as_str())).collect();
    assert!(because.iter().any(|(c, b)| *c == "path_latency" && b.contains("explains at most 0.")), "{because:?}");
    let loss = because.iter().find(|(cause, _)| *cause == "path_loss").unwrap();
    assert!(loss.1.starts_with("retransmissions take 0.00 ms per request (usually 0.00 ms); 0 segments"), "{loss:?}");
    assert!(hint.blame.alternatives.is_empty(), "{hint:?}");
}

#[test]
fn answers_that_may_be_lost_do_not_acquit_the_path() {
    let mut scene = client();
    scene.is_silent(40, 50, quick);
    // Too few for a rule about loss, as many as the slow requests.
    scene.case.tally("cart", PEERS[0]).retransmits[Retransmit::TailLossProbe as usize] = 30;
    let (_, hint) = scene.first_hint(8, 50, slow_once_in(5));
    assert_eq!(verdict(&hint), ("peer_slow", BlameKind::PeerPod, PEERS[0]));
    assert_eq!(hint.blame.other_names(), ["node-a↔10.0.0.7"]);
    assert!(!hint.summary.contains("not for the network"), "{}", hint.summary);
    assert!(hint.ruled_out.iter().all(|ruled| ruled.cause != "path_loss"), "{hint:?}");
}

#[test]
fn a_few_requests_a_second_are_enough() {
    let mut scene = client();
    scene.is_silent(60, 4, quick);
    let (after, _) = scene.first_hint(12, 4, slow_once_in(3));
    assert!(after >= 3, "{after} s");
}

/// No window has enough of them for a finding.
#[test]
fn one_slow_request_in_seven_shows_at_two_per_second() {
    // So few round trips say nothing about the path: the requests that stay fast do.
    let mut client = client();
    client.case.tally("cart", PEERS[0]).rtt = rtts(&[(100, 6)]);
    for (mut scene, cause) in [(client, "peer_slow"), (server(), "pod_application_slow")] {
        scene.is_silent(200, 2, quick);
        let (after, hint) = scene.first_hint(40, 2, every(7, 200_000));
        assert!(after >= 15, "{after} s");
        assert_eq!(hint.cause, cause);
        assert!(hint.summary.contains(" windows take more than "), "{}", hint.summary);
    }
}

#[test]
fn stalls_among_few_requests_are_no_slowdown() {
    for mut scene in [client(), server()] {
        scene.is_silent(120, 2, quick);
        for _ in 0..4 {
            scene.is_silent(2, 2, |random| 900_000 + random.below(100_000) as u32);
            scene.is_silent(40, 2, quick);
        }
    }
}

#[test]
fn a_long_tail_that_was_there_before_is_normal_and_more_of_it_is_not() {
    let mut scene = client();
    scene.is_silent(300, 50, slow_once_in(12));
    assert_eq!(scene.first_hint(15, 50, slow_once_in(3)).1.cause, "peer_slow");
}

#[test]
fn short_stalls_are_no_slowdown() {
    let mut scene = client();
    scene.is_silent(40, 50, quick);
    for _ in 0..4 {
        // All requests of a second wait for its end, as in a collection of garbage.
        scene.is_silent(1, 50, |random| 100_000 + random.below(800_000) as u32);
        scene.is_silent(29, 50, quick);
    }
}

#[test]
fn a_stall_that_is_over_opens_no_hint() {
    for seconds in 1..=4 {
        for share in [1, 2, 5] {
            let (mut client, mut server) = (client(), server());
            for scene in [&mut client, &mut server] {
                scene.is_silent(40, 50, quick);
                scene.is_silent(seconds, 50, slow_once_in(share));
                scene.is_silent(30, 50, quick);
            }
        }
    }
}

#[test]
fn a_slowdown_opens_its_hint_while_it_lasts_and_resolves_it_soon_after() {
    let mut scene = client();
    scene.is_silent(40, 50, quick);
    let (after, _) = scene.first_hint(6, 50, slow_once_in(5));
    assert!(after >= 4, "{after} s");
    let clean = (1..15).find(|_| scene.second(50, quick).is_empty()).unwrap();
    assert!(clean <= 8, "{clean} s");
}

#[test]
fn stalls_that_come_again_are_a_slowdown() {
    let mut scene = client();
    scene.is_silent(40, 50, quick);
    scene.is_silent(1, 50, slow_once_in(2));
    scene.is_silent(4, 50, quick);
    let mut second = 0;
    let (after, hint) = scene.first_hint(10, 50, |random| {
        second += 1;
        // The first of every five seconds.
        if second / 50 % 5 == 0 && random.once_in(2) { 200_000 } else { quick(random) }
    });
    assert!(after <= 3, "{after} s");
    assert_eq!(hint.cause, "peer_slow");
}

#[test]
fn a_slowdown_that_clients_hardly_notice_is_silent() {
    // All by 3 ms, or 1 in 50 by 100 ms: 2 ms a request.
    let mut scene = client();
    scene.is_silent(40, 200, quick);
    scene.is_silent(60, 200, |random| quick(random) + 3_000);
    let mut scene = client();
    scene.is_silent(40, 200, quick);
    scene.is_silent(60, 200, |random| if random.once_in(50) { 100_000 } else { quick(random) });
    let mut scene = client();
    scene.is_silent(40, 200, quick);
    let (_, hint) = scene.first_hint(20, 200, |random| if random.once_in(50) { 700_000 } else { quick(random) });
    assert_eq!(hint.cause, "peer_slow", "14 ms a request");
}

#[test]
fn twice_the_load_explains_slow_requests() {
    let mut scene = client();
    scene.is_silent(300, 50, quick);
    scene.is_silent(4, 160, quick);
    scene.is_silent(30, 160, slow_once_in(5));
    // As many requests, but larger ones.
    let mut scene = client();
    scene.is_silent(300, 50, quick);
    scene.case.tally("cart", PEERS[0]).bytes_received *= 3;
    scene.is_silent(30, 50, slow_once_in(5));
}

/// A step to twice the load shows as less, by chance and while the window reaches back before it.
#[test]
fn a_load_that_nearly_doubles_explains_slow_requests() {
    for mut scene in [client(), server()] {
        scene.is_silent(120, 20, quick);
        scene.is_silent(8, 36, quick);
        scene.is_silent(30, 36, slow_once_in(5));
    }
}

#[test]
fn as_many_more_of_few_requests_are_chance() {
    assert_eq!(higher_load(1_000.0), 1.5);
    assert!((higher_load(16.0) - 1.75).abs() < 1e-9);
    assert_eq!((higher_load(4.0), higher_load(0.0)), (2.0, 2.0));
}

#[test]
fn nothing_is_slow_without_a_baseline() {
    client().is_silent(60, 50, slow_once_in(5));
}

#[test]
fn a_longer_path_is_not_the_peers_time_and_a_longer_wait_than_the_path_explains_is() {
    let later = |by: u32| move |random: &mut Lcg| quick(random) + by;
    // Round trips are 15 ms longer too.
    let mut scene = client();
    scene.is_silent(40, 50, quick);
    let tally = scene.case.tally("cart", PEERS[0]);
    (tally.rtt, tally.min_rtt_us, tally.connects) = (rtts(&[(15_100, 100)]), Some(15_100), [0, 0]);
    scene.is_silent(30, 50, later(15_000));
    // Acknowledgements are delayed by 40 ms, answers by 150 ms.
    let mut scene = client();
    scene.is_silent(40, 50, quick);
    let tally = scene.case.tally("cart", PEERS[0]);
    (tally.rtt, tally.min_rtt_us, tally.connects) = (rtts(&[(40_000, 100)]), Some(40_000), [0, 0]);
    let (_, hint) = scene.first_hint(8, 50, later(150_000));
    assert_eq!(verdict(&hint), ("peer_slow", BlameKind::PeerPod, PEERS[0]));
    assert!(hint.ruled_out.iter().any(|r| r.because.contains("explains at most 41 ms of 149 ms")), "{hint:?}");
}

#[test]
fn all_requests_later_over_round_trips_as_usual_are_the_peers_time() {
    let mut scene = client();
    scene.is_silent(40, 50, quick);
    let (_, hint) = scene.first_hint(8, 50, |random| quick(random) + 15_000);
    assert_eq!(verdict(&hint), ("peer_slow", BlameKind::PeerPod, PEERS[0]));
}

#[test]
fn retransmissions_are_not_the_peers_time() {
    let mut scene = client();
    scene.is_silent(40, 50, quick);
    for _ in 0..20 {
        let mut second = Responses { durations: times_of(&[(1_000, 40), (210_000, 10)]), ..Responses::default() };
        (second.network_us, second.retransmission_us) = (5_000, 2_090_000);
        scene.stream.push(second);
        let hints = scene.tick();
        assert!(hints.is_empty(), "{hints:?}");
    }
}

#[test]
fn requests_without_an_answer_are_the_slowest() {
    let mut scene = client();
    scene.is_silent(40, 50, quick);
    for _ in 0..8 {
        scene.second(40, quick);
        scene.stream.give_up(10, 2_000_000);
    }
    let hints = scene.tick();
    assert_eq!(verdict(&hints[0]), ("peer_not_answering", BlameKind::PeerPod, PEERS[0]));
    // Nobody knows how long their answers would have taken.
    assert!(hints[0].summary.contains(" requests ended without an answer (usually"), "{}", hints[0].summary);
    assert!(!hints[0].summary.contains("typically"), "{}", hints[0].summary);
    let signals: Vec<&str> = hints[0].evidence.iter().map(|one| one.signal.as_str()).collect();
    assert!(signals.contains(&"requests_given_up"), "{signals:?}");
    assert!(signals.iter().all(|signal| !signal.contains("quantile")), "{signals:?}");
}

#[test]
fn a_slow_peer_of_which_some_requests_are_given_up_is_slow() {
    let mut scene = client();
    scene.is_silent(40, 50, quick);
    for _ in 0..8 {
        scene.second(48, slow_once_in(4));
        scene.stream.give_up(2, 2_000_000);
    }
    let hints = scene.tick();
    assert_eq!(verdict(&hints[0]), ("peer_slow", BlameKind::PeerPod, PEERS[0]));
    assert!(hints[0].summary.contains(", typically "), "{}", hints[0].summary);
}

#[test]
fn a_peer_outside_needs_no_acquittal_of_the_path() {
    let mut case = Case::mesh(&["cart"], &PEERS);
    case.edge("cart", PEERS[0]).class = PeerClass::External;
    let mut scene = Scene::new(case, ("cart", PEERS[0]), Role::Client);
    scene.is_silent(40, 50, quick);
    let tally = scene.case.tally("cart", PEERS[0]);
    (tally.rtt, tally.connects) = (rtts(&[]), [0, 0]);
    let (_, hint) = scene.first_hint(8, 50, |random| quick(random) + 90_000);
    assert_eq!(verdict(&hint), ("external_slow", BlameKind::External, PEERS[0]));
}

#[test]
fn acknowledgements_that_nobody_waits_for_are_not_judged_where_requests_are_timed() {
    let mut normal = Case::mesh(&["cart"], &PEERS);
    for edge in &mut normal.edges {
        edge.role = Some(Role::Client);
    }
    let mut scene = Scene::new(normal, ("cart", PEERS[0]), Role::Client);
    scene.is_silent(40, 50, quick);
    // A sender whose reader polls: acknowledgements wait for 40 ms.
    let tally = scene.case.tally("cart", PEERS[1]);
    (tally.rtt, tally.connects) = (rtts(&[(100, 17), (41_000, 80)]), [0, 0]);
    scene.is_silent(30, 50, quick);
}

#[test]
fn a_slow_application_is_named_by_its_own_times() {
    let mut scene = server();
    scene.is_silent(40, 50, quick);
    let (after, hint) = scene.first_hint(8, 50, slow_once_in(5));
    assert!(after <= 6, "{after} s");
    assert_eq!(verdict(&hint), ("pod_application_slow", BlameKind::Pod, "api"));
    assert!(hint.summary.contains("per request application "), "{}", hint.summary);
    assert!(hint.ruled_out.iter().any(|r| r.cause == "path_latency"), "{hint:?}");
}

/// Its time begins with the first segment of a request.
#[test]
fn a_server_does_not_acquit_the_way_of_large_requests_while_packets_are_lost() {
    let blamed = |bytes_received: u64, resent: u64, unread_us: u64| {
        let mut scene = server();
        scene.case.tally("api", PEERS[0]).bytes_received = bytes_received;
        scene.is_silent(40, 50, quick);
        // Too few for a rule about loss.
        scene.case.tally("api", PEERS[0]).retransmits[Retransmit::TailLossProbe as usize] = resent;
        scene.other_us = unread_us;
        let (_, hint) = scene.first_hint(8, 50, slow_once_in(5));
        assert_eq!(hint.cause, "pod_application_slow");
        hint
    };
    let hint = blamed(20_000_000, 30, 100);
    assert_eq!(
        (hint.blame.kind, &hint.blame.other_names()[..2]),
        (BlameKind::Undecided, &["api", "node-a↔10.0.0.7"][..])
    );
    assert!(hint.summary.contains("or its requests arrive late"), "{}", hint.summary);
    assert!(hint.ruled_out.iter().all(|ruled| ruled.cause != "path_latency"), "{hint:?}");
    // As many packets are lost as requests are slow: so are first segments.
    let hint = blamed(100_000, 120, 1_000_000);
    assert_eq!(hint.blame.kind, BlameKind::Undecided);
    assert!(hint.blame.other_names().contains(&"node-a↔10.0.0.7"), "{hint:?}");
    // Small requests, no losses, or requests that were there and unread.
    for (bytes_received, resent, unread_us) in [(100_000, 30, 100), (20_000_000, 0, 100), (20_000_000, 30, 1_000_000)] {
        let hint = blamed(bytes_received, resent, unread_us);
        assert_eq!((hint.blame.kind, hint.blame.name.as_str()), (BlameKind::Pod, "api"));
        assert!(hint.summary.contains("not the network"), "{}", hint.summary);
    }
}

/// The client alone sees that its segments are lost. This end sees that of its answers, or of their acknowledgements.
#[test]
fn a_server_that_waits_for_lost_segments_of_requests_is_not_slow() {
    let is_named = |bytes_received: u64, episodes: u64, probes: u64| {
        let mut scene = server();
        let tally = scene.case.tally("api", PEERS[0]);
        (tally.bytes_received, tally.data_segs_out) = (bytes_received, 2_500);
        scene.is_silent(40, 50, quick);
        // Too few for a rule about loss: most of what it sent again had arrived.
        let tally = scene.case.tally("api", PEERS[0]);
        lose(tally, episodes);
        tally.retransmits[Retransmit::TailLossProbe as usize] = probes;
        tally.retransmits[Retransmit::Spurious as usize] = probes;
        let mut draw = slow_once_in(5);
        (0..8).any(|_| scene.second(50, &mut draw).iter().any(|hint| hint.cause == "pod_application_slow"))
    };
    assert!(!is_named(1_600_000, 4, 160), "one of 15 segments explains most of the slow requests");
    assert!(is_named(1_600_000, 4, 10), "so few losses don't");
    assert!(is_named(1_600_000, 0, 160), "needless probes alone are a habit");
    assert!(is_named(100_000, 4, 160), "nothing is missing of a request with one segment");
}

/// On a busy machine no read may be seen.
#[test]
fn a_server_without_stages_is_named_too() {
    let mut scene = server();
    let second = |scene: &mut Scene, times: &[(u32, u64)]| {
        scene.stream.push(Responses { durations: times_of(times), ..Responses::default() });
        scene.tick()
    };
    for _ in 0..40 {
        assert_eq!(second(&mut scene, &[(1_000, 50)]), vec![]);
    }
    let hints = (0..8).map(|_| second(&mut scene, &[(1_000, 40), (200_000, 10)])).last().unwrap();
    assert_eq!(verdict(&hints[0]), ("pod_application_slow", BlameKind::Pod, "api"));
    assert!(hints[0].summary.contains("its stages are not known"), "{}", hints[0].summary);
}

#[test]
fn throttling_that_leaves_requests_unread_is_the_cause() {
    let mut scene = server();
    scene.is_silent(40, 50, quick);
    scene.case.subject("api").window_cpu.as_mut().unwrap().throttled_periods = 40;
    scene.other_us = 1_000_000;
    scene.first_hint(3, 50, slow_once_in(3));
    let hints = (0..8).map(|_| scene.second(50, slow_once_in(3))).last().unwrap();
    assert_eq!(hints.len(), 1, "{hints:?}");
    assert_eq!(verdict(&hints[0]), ("pod_cpu_throttled", BlameKind::Pod, "api"));
    assert!(hints[0].chain.iter().any(|link| link == "pod_application_slow"), "{:?}", hints[0].chain);
    assert!(hints[0].evidence.iter().any(|e| e.signal == "slow_requests"), "{:?}", hints[0].evidence);
}

#[test]
fn a_callee_that_takes_the_time_acquits_the_server() {
    let mut scene = server();
    let mut calls = Stream::default();
    let mut tick = |scene: &mut Scene, times: &[u32]| {
        calls.second(Role::Client, times, 100);
        let edge = scene.case.edge("api", PEERS[1]);
        (edge.role, edge.port, edge.responses) = (Some(Role::Client), 5432, Some(Box::new(calls.view())));
        let mut times = times.iter().map(|us| us + 1_000);
        scene.second(50, |_| times.next().unwrap())
    };
    for _ in 0..40 {
        assert_eq!(tick(&mut scene, &[1_000; 50]), vec![]);
    }
    let mut slow = [1_000; 50];
    slow[..10].fill(200_000);
    let hints = (0..8).map(|_| tick(&mut scene, &slow)).last().unwrap();
    assert_eq!(hints.len(), 1, "{hints:?}");
    assert_eq!(verdict(&hints[0]), ("peer_slow", BlameKind::PeerPod, PEERS[1]));
}

/// A server that connects to a callee for each of its requests, and keeps no connection.
fn connecting_server() -> Scene {
    let mut case = Case::mesh(&["api"], &PEERS);
    let callee = case.edge("api", PEERS[1]);
    (callee.role, callee.port) = (Some(Role::Client), 5432);
    Scene::new(case, ("api", PEERS[0]), Role::Server)
}

#[test]
fn a_callee_that_answers_no_attempt_to_connect_acquits_the_server() {
    let mut scene = connecting_server();
    scene.is_silent(40, 50, quick);
    // As many attempts as slow requests, and as long.
    let tally = scene.case.tally("api", PEERS[1]);
    *tally = Tally { given_up_ms: 100 * 200, ..Tally::default() };
    tally.connect_failures[Failure::GivenUp as usize] = 100;
    for _ in 0..8 {
        let hints = scene.second(50, slow_once_in(5));
        assert!(hints.iter().all(|hint| hint.cause == "peer_unreachable"), "{hints:?}");
    }
    assert!(!scene.second(50, slow_once_in(5)).is_empty());
}

/// One attempt in the background waits for seconds, and every fifth request is late by 200 ms.
#[test]
fn a_retry_in_the_background_acquits_no_server() {
    let mut scene = connecting_server();
    scene.is_silent(40, 50, quick);
    let tally = scene.case.tally("api", PEERS[1]);
    *tally = Tally::default();
    tally.connects[Role::Client as usize] = 500;
    tally.retransmits[Retransmit::Syn as usize] = 12;
    assert_eq!(scene.first_hint(8, 50, slow_once_in(5)).1.cause, "pod_application_slow");
}

#[test]
fn syns_that_are_lost_on_the_way_to_a_callee_acquit_the_server() {
    let slow = |random: &mut Lcg| if random.once_in(5) { 1_000_000 } else { quick(random) };
    let mut scene = connecting_server();
    scene.is_silent(40, 50, quick);
    let tally = scene.case.tally("api", PEERS[1]);
    tally.connects[Role::Client as usize] = 500;
    tally.retransmits[Retransmit::Syn as usize] = 100;
    scene.is_silent(10, 50, slow);
    // A few don't explain it.
    scene.case.tally("api", PEERS[1]).retransmits[Retransmit::Syn as usize] = 4;
    assert_eq!(scene.first_hint(8, 50, slow).1.cause, "pod_application_slow");
}

/// A new client polls for seconds, as agreed: what the others ask is answered as ever.
#[test]
fn new_clients_with_longer_requests_make_no_slow_server() {
    let mut scene = server();
    scene.is_silent(40, 50, quick);
    let mut polls = Stream::default();
    let mut tick = |scene: &mut Scene, draw: fn(&mut Lcg) -> u32| {
        polls.second(Role::Server, &[2_000_000; 6], 100);
        let edge = scene.case.edge("api", PEERS[1]);
        (edge.role, edge.port, edge.responses) = (Some(Role::Server), 80, Some(Box::new(polls.view())));
        scene.second(50, draw)
    };
    for at in 0..9 {
        let hints = tick(&mut scene, quick);
        assert!(hints.is_empty(), "second {at}: {:?}", hints.iter().map(|h| &h.summary).collect::<Vec<_>>());
    }
    // Beside them, a slow server is seen.
    let hints =
        (0..8).map(|_| tick(&mut scene, |random| if random.once_in(3) { 300_000 } else { quick(random) })).last();
    assert!(hints.unwrap().iter().any(|hint| hint.cause == "pod_application_slow"));
}

/// Requests of a second by their times, of which each observed one stands for so many.
fn observed(times: &[(u32, u64)], weight: u64) -> Responses {
    let durations = times_of(times);
    let squares = weight * durations.count();
    Responses { application_us: durations.sum_us, durations, squares, ..Responses::default() }
}

/// On a busy machine few connections are observed, for a while only those of a client that polls.
#[test]
fn a_sample_of_other_clients_makes_no_slow_server() {
    let mut scene = server();
    let mut polls = crate::hints::testing::requests::Stream::default();
    let mut tick = |scene: &mut Scene, quick: Responses, polled: Responses| {
        polls.push(polled);
        let edge = scene.case.edge("api", PEERS[1]);
        (edge.role, edge.port, edge.responses) = (Some(Role::Server), 80, Some(Box::new(polls.view())));
        scene.stream.push(quick);
        scene.tick()
    };
    for _ in 0..40 {
        let hints = tick(&mut scene, observed(&[(1_000, 50)], 1), observed(&[(2_000_000, 3)], 1));
        assert_eq!(hints, vec![]);
    }
    for at in 0..20 {
        let hints = tick(&mut scene, Responses::default(), observed(&[(2_000_000, 16)], 16));
        assert!(hints.is_empty(), "second {at}: {:?}", hints.iter().map(|h| &h.summary).collect::<Vec<_>>());
    }
    // The quick ones became slow.
    let slow = || observed(&[(1_000, 32), (300_000, 32)], 16);
    let hints = (0..10).map(|_| tick(&mut scene, slow(), observed(&[(2_000_000, 16)], 16))).last();
    assert!(hints.unwrap().iter().any(|hint| hint.cause == "pod_application_slow"));
}

/// The server restarts, and the connections that are observed since then are those of a client that polls.
#[test]
fn a_sample_of_unknown_clients_speaks_once_they_are_several() {
    const PEERS: [&str; 5] = ["10.0.0.7", "10.0.0.8", "10.0.0.9", "10.0.0.10", "10.0.0.11"];
    let speaks = |clients: &[&str]| {
        let mut scene = Scene::new(Case::mesh(&["api"], &PEERS), ("api", PEERS[0]), Role::Server);
        let mut streams: Vec<(&str, Stream)> = clients.iter().map(|peer| (*peer, Stream::default())).collect();
        for _ in 0..40 {
            scene.stream.push(observed(&[(1_000, 50)], 16));
            assert_eq!(scene.tick(), vec![]);
        }
        let mut hints = Vec::new();
        for second in 0..14 {
            for (peer, polls) in &mut streams {
                // So rarely that no baseline of its own is known until the end.
                let is_due = second % 2 == 0;
                polls.push(if is_due { observed(&[(2_000_000, 16)], 16) } else { Responses::default() });
                let edge = scene.case.edge("api", peer);
                (edge.role, edge.port, edge.responses) = (Some(Role::Server), 80, Some(Box::new(polls.view())));
            }
            scene.stream.push(Responses::default());
            hints.extend(scene.tick());
        }
        hints.iter().any(|hint| hint.cause == "pod_application_slow")
    };
    assert!(!speaks(&PEERS[1..2]) && !speaks(&PEERS[1..3]));
    assert!(speaks(&PEERS[1..]));
}

/// A client that polls as well, over the same edge: its other requests are as many and as fast as ever.
#[test]
fn requests_that_come_on_top_are_another_kind() {
    for mut scene in [client(), server()] {
        scene.is_silent(40, 10, quick);
        let mut times = [1_000; 20];
        times[10..].fill(2_000_000);
        let mut at = 0;
        let mut draw = |_: &mut Lcg| {
            at += 1;
            times[at % times.len()]
        };
        for second in 0..10 {
            let hints = scene.second(16, &mut draw);
            assert!(hints.is_empty(), "{second}: {:?}", hints.iter().map(|h| &h.summary).collect::<Vec<_>>());
        }
        // A third of the usual ones became slow.
        let (after, _) = scene.first_hint(12, 10, |random| if random.once_in(2) { 2_000_000 } else { quick(random) });
        assert!(after <= 12);
    }
}

use crate::{
    api::BlameKind,
    hints::testing::{Case, Run, firing, lookups, rtts, verdict},
    sample::Tally,
    state::DnsView,
};
use netwhy_abi::PeerClass;

const SERVER: &str = "10.96.0.10";
const OTHER: &str = "10.96.0.11";

/// Pods that look names up at one server: 20 lookups of 2 ms each.
fn normal(pods: &[&str]) -> Case {
    let mut case = Case::mesh(pods, &["10.0.0.7"]);
    case.dns = pods.iter().map(|pod| fine(pod, SERVER)).collect();
    case
}

fn fine(pod: &str, server: &str) -> DnsView {
    lookups(pod, server, &[(2_000, 20)], 0)
}

fn with(case: &Case, rows: Vec<DnsView>) -> Case {
    Case { dns: rows, ..case.clone() }
}

#[test]
fn slow_server_is_blamed_with_median_and_baseline() {
    let normal = normal(&["cart"]);
    let slow = with(&normal, vec![lookups("cart", SERVER, &[(300_000, 20)], 0)]);
    let hint = Run::warm(&normal).expect_one(&slow);
    assert_eq!(verdict(&hint), ("dns_slow", BlameKind::PeerPod, SERVER));
    assert!(hint.summary.contains("20 of 20 took longer than 100 ms (normally 1.9 ms)"), "{}", hint.summary);
    let p50 = &hint.evidence[0];
    assert_eq!(p50.signal, "netwhy_dns_lookup_seconds{quantile=\"0.5\"}");
    assert!((p50.observed / 0.3 - 1.0).abs() < 0.1 && (p50.baseline.unwrap() / 0.002 - 1.0).abs() < 0.1, "{p50:?}");
}

/// Bytes that are acknowledged show from walk to walk, round trips in each tick.
#[test]
fn round_trips_acquit_the_path_between_walks() {
    let normal = normal(&["cart"]);
    let mut slow = with(&normal, vec![lookups("cart", SERVER, &[(300_000, 20)], 0)]);
    slow.edge("cart", "10.0.0.7").recent = Tally { rtt: rtts(&[(100, 3)]), ..Tally::default() };
    assert_eq!(verdict(&Run::warm(&normal).expect_one(&slow)), ("dns_slow", BlameKind::PeerPod, SERVER));
}

/// Names that aren't cached take as long in normal times. When most do, the server is slow.
#[test]
fn a_server_whose_typical_lookup_is_slow_is_found_below_the_limit() {
    let mix = |slow| lookups("cart", SERVER, &[(500, 40 - slow), (34_000, slow)], 0);
    let normal = with(&normal(&["cart"]), vec![mix(6)]);
    let hint = Run::warm(&normal).expect_one(&with(&normal, vec![mix(38)]));
    assert_eq!(verdict(&hint), ("dns_slow", BlameKind::PeerPod, SERVER));
    assert!(hint.summary.contains("38 of 40 took longer than 20 ms"), "{}", hint.summary);
    Run::warm(&normal).expect_silence(5, &with(&normal, vec![mix(15)]));
    // A few ms more harm nobody.
    let little = vec![lookups("cart", SERVER, &[(9_000, 40)], 0)];
    Run::warm(&normal).expect_silence(5, &with(&normal, little));
}

#[test]
fn lookups_that_nobody_answers_are_bad_ones() {
    let normal = normal(&["cart"]);
    let hint = Run::warm(&normal).expect_one(&with(&normal, vec![lookups("cart", SERVER, &[], 4)]));
    assert_eq!(verdict(&hint), ("dns_slow", BlameKind::PeerPod, SERVER));
    assert!(hint.summary.contains("4 of 4 without an answer"), "{}", hint.summary);
}

#[test]
fn one_retried_lookup_in_twenty_is_enough() {
    let normal = normal(&["cart"]);
    let some = |slow| with(&normal, vec![lookups("cart", SERVER, &[(2_000, 200 - slow), (2_502_000, slow)], 0)]);
    assert_eq!(Run::warm(&normal).expect_one(&some(14)).cause, "dns_slow");
    Run::warm(&normal).expect_silence(5, &some(9));
}

#[test]
fn bad_lookups_that_are_no_hint_yet_become_normal_after_minutes() {
    let normal = normal(&["cart"]);
    let some = |slow| with(&normal, vec![lookups("cart", SERVER, &[(2_000, 20 - slow), (300_000, slow)], 0)]);
    let after = |seconds| {
        let mut run = Run::new();
        run.expect_silence(200, &normal);
        run.expect_silence(seconds, &some(4));
        run
    };
    assert_eq!(after(60).expect_one(&some(7)).cause, "dns_slow");
    after(400).expect_silence(3, &some(7));
}

#[test]
fn few_slow_or_many_hardly_slower_lookups_are_silent() {
    let normal = normal(&["cart"]);
    let silent = |answered: &[(u32, u64)], unanswered| {
        Run::warm(&normal).expect_silence(5, &with(&normal, vec![lookups("cart", SERVER, answered, unanswered)]));
    };
    silent(&[(2_000, 20)], 1);
    silent(&[], 3);
    silent(&[(15_000, 20)], 0);
    silent(&[(2_000, 12), (90_000, 8)], 0);
}

#[test]
fn a_server_that_was_always_slow_is_normal() {
    let mut normal = normal(&["cart"]);
    normal.dns = vec![lookups("cart", SERVER, &[(150_000, 20)], 0)];
    let mut run = Run::warm(&normal);
    run.expect_silence(5, &with(&normal, vec![lookups("cart", SERVER, &[(400_000, 20)], 0)]));
    let slow = with(&normal, vec![lookups("cart", SERVER, &[(600_000, 20)], 0)]);
    assert_eq!(Run::warm(&normal).expect_one(&slow).cause, "dns_slow");
}

#[test]
fn before_a_baseline_only_seconds_are_slow() {
    let normal = normal(&["cart"]);
    let of = |us| with(&normal, vec![lookups("cart", SERVER, &[(us, 20)], 0)]);
    Run::new().expect_silence(9, &of(900_000));
    assert_eq!(Run::new().expect_one(&of(1_500_000)).cause, "dns_slow");
}

#[test]
fn servers_outside_are_external() {
    let mut normal = normal(&["cart"]);
    normal.dns[0].server.class = PeerClass::External;
    let mut slow = lookups("cart", SERVER, &[(300_000, 20)], 0);
    slow.server.class = PeerClass::External;
    let hint = Run::warm(&normal).expect_one(&with(&normal, vec![slow]));
    assert_eq!(verdict(&hint), ("dns_slow", BlameKind::External, SERVER));
}

#[test]
fn few_lookups_of_many_pods_are_tested_together() {
    let pods = ["a", "b", "c", "d"];
    let normal = normal(&pods);
    let each = |n| with(&normal, pods.iter().map(|pod| lookups(pod, SERVER, &[], n)).collect());
    let hints = firing(&Run::warm(&normal).ticks(3, &each(1)));
    assert_eq!(hints.len(), 3, "one incident of four Pods has three hints");
    let hint = &hints[0];
    assert_eq!(verdict(hint), ("dns_slow", BlameKind::PeerPod, SERVER), "other paths of this Node are fine: {hint:?}");
}

/// One address, and a resolver of its own in each Pod.
#[test]
fn loopback_resolvers_of_different_pods_are_different_servers() {
    let pods = ["a", "b", "c", "d"];
    let rows = |answered: &[(u32, u64)], unanswered: u64| -> Vec<DnsView> {
        let row = |(netns, pod): (u32, &&str)| {
            let mut row = lookups(pod, "127.0.0.53", answered, unanswered);
            row.server.netns = netns;
            row
        };
        (1..).zip(&pods).map(row).collect()
    };
    let mut normal = normal(&pods);
    normal.dns = rows(&[(2_000, 20)], 0);
    Run::warm(&normal).expect_silence(5, &with(&normal, rows(&[], 1)));
    // One that is slow is not excused by those of others.
    let mut mixed = rows(&[(2_000, 20)], 0);
    mixed[0].window = rows(&[(300_000, 20)], 0)[0].window.clone();
    let hint = Run::warm(&normal).expect_one(&with(&normal, mixed));
    assert_eq!((hint.subject.name.as_str(), hint.blame.kind), ("a", BlameKind::Pod), "{:?}", hint.blame);
}

#[test]
fn no_answers_from_any_server_to_any_pod_make_the_node_a_suspect() {
    let pods = ["a", "b"];
    let both = |n: &dyn Fn(&str, &str) -> DnsView| {
        pods.iter().flat_map(|pod| [n(pod, SERVER), n(pod, OTHER)]).collect::<Vec<_>>()
    };
    let normal = with(&normal(&pods), both(&fine));
    let dead = with(&normal, both(&|pod, server| lookups(pod, server, &[], 5)));
    let hints = firing(&Run::warm(&normal).ticks(3, &dead));
    assert_eq!(hints.len(), 2);
    // The servers may share what they depend on.
    assert_eq!(verdict(&hints[0]), ("dns_slow", BlameKind::Undecided, ""), "{:?}", hints[0].blame);
    assert!(hints[0].blame.mentions("node-a") && hints[0].blame.mentions(SERVER), "{:?}", hints[0].blame);
}

#[test]
fn a_server_that_is_quick_for_others_is_suspected_beside_the_pod_itself() {
    let normal = normal(&["a", "b", "c"]);
    let rows = vec![lookups("a", SERVER, &[(300_000, 20)], 0), fine("b", SERVER), fine("c", SERVER)];
    let hint = Run::warm(&normal).expect_one(&with(&normal, rows));
    assert_eq!(hint.subject.name, "a");
    assert_eq!(hint.blame.kind, BlameKind::Undecided, "{:?}", hint.blame);
    assert!(hint.blame.mentions(SERVER) && hint.blame.mentions("a"), "{:?}", hint.blame);
    assert!(hint.confidence < 0.8);
}

#[test]
fn a_cause_that_slows_the_pod_has_dns_in_its_chain() {
    let normal = normal(&["cart"]);
    let mut slow = with(&normal, vec![lookups("cart", SERVER, &[(300_000, 20)], 0)]);
    slow.subject("cart").window_cpu.as_mut().unwrap().throttled_periods = 60;
    let hint = Run::warm(&normal).expect_one(&slow);
    assert_eq!(hint.cause, "pod_cpu_throttled");
    assert!(hint.chain.contains(&"dns_slow".to_owned()), "{:?}", hint.chain);
}

#[test]
fn a_hint_without_further_lookups_names_the_reason() {
    let normal = normal(&["cart"]);
    let mut run = Run::warm(&normal);
    run.expect_one(&with(&normal, vec![lookups("cart", SERVER, &[(300_000, 20)], 0)]));
    let hints = run.ticks(10, &with(&normal, Vec::new()));
    assert!(hints[0].summary.ends_with("resolved: no more lookups to judge"), "{}", hints[0].summary);
}

/// Connections to other peers became slow as well. Lookups alone can't separate the server from the path.
#[test]
fn a_slow_path_is_a_suspect_beside_the_server() {
    let mut normal = normal(&["cart"]);
    for edge in &mut normal.edges {
        edge.peer_node = Some("node-b".into());
    }
    let mut slow = with(&normal, vec![lookups("cart", SERVER, &[(300_000, 20)], 0)]);
    assert_eq!(verdict(&Run::warm(&normal).expect_one(&slow)), ("dns_slow", BlameKind::PeerPod, SERVER));
    slow.tally("cart", "10.0.0.7").rtt = crate::hints::testing::rtts(&[(100, 60), (60_000, 40)]);
    let hints = firing(&Run::warm(&normal).ticks(3, &slow));
    let dns = hints.iter().find(|h| h.cause == "dns_slow").unwrap_or_else(|| panic!("{hints:?}"));
    assert_eq!(dns.blame.kind, BlameKind::Undecided, "{:?}", dns.blame);
    assert_eq!(dns.blame.other_names()[..2], [SERVER, "node-a"]);
}

/// The server's Node fell silent, or this one. Only connections without a timeout acquit them.
#[test]
fn a_node_without_any_answer_is_a_suspect() {
    let mut normal = Case::mesh(&["cart"], &["10.0.0.7", "10.0.0.8"]);
    let on = |mut row: DnsView| {
        row.server.peer_node = Some("node-b".into());
        row
    };
    normal.edge("cart", "10.0.0.7").peer_node = Some("node-b".into());
    normal.dns = vec![on(fine("cart", SERVER))];
    let mut dead = with(&normal, vec![on(lookups("cart", SERVER, &[], 4))]);
    let probability = |case: &Case, name: &str| {
        let hint = Run::warm(&normal).expect_one(case);
        let all: Vec<_> = hint.blame.candidates().collect();
        assert_eq!((hint.cause.as_str(), all[0].name.as_str()), ("dns_slow", SERVER), "{all:?}");
        all.iter().filter(|one| one.name == name).map(|one| one.probability).sum::<f64>()
    };
    let known = [probability(&dead, "node-b"), probability(&dead, "node-a")];
    let mut quiet = |peer: &str| {
        let edge = dead.edge("cart", peer);
        (edge.recent, edge.answered) = (edge.window.clone(), false);
        dead.clone()
    };
    let silent = quiet("10.0.0.7");
    assert!(probability(&silent, "node-b") > known[0] + 0.02);
    let all_silent = quiet("10.0.0.8");
    assert!(probability(&all_silent, "node-a") > known[1] + 0.02);
    let slow = Case { dns: vec![on(lookups("cart", SERVER, &[(300_000, 20)], 0))], ..silent.clone() };
    assert!(probability(&slow, "node-b") < probability(&silent, "node-b"), "answers come");
}

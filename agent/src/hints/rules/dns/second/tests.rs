use crate::{
    api::BlameKind,
    hints::testing::{Case, NODE, Run, host, lookups, set, verdict},
    sample::Signal,
    state::DnsView,
};

const SERVER: &str = "10.96.0.10";

/// A Pod's lookups, of which some lack the second answer.
fn row(pod: &str, all: u64, missing: u64) -> DnsView {
    let mut row = lookups(pod, SERVER, &[(2_000, all - missing)], missing);
    row.window.second_missing = missing;
    row
}

fn case(rows: Vec<DnsView>) -> Case {
    Case { dns: rows, host: Some(host()), ..Case::mesh(&["cart", "web"], &["10.0.0.7"]) }
}

#[test]
fn one_of_two_answers_that_is_lost_again_and_again_is_a_pattern_with_a_name() {
    let normal = case(vec![row("cart", 50, 0), row("web", 50, 0)]);
    let bad = case(vec![row("cart", 50, 5), row("web", 50, 0)]);
    let hint = Run::warm(&normal).expect_one(&bad);
    let first = hint.blame.candidates().next().map(|one| one.name);
    assert_eq!((hint.cause.as_str(), first.as_deref()), ("dns_answer_lost", Some(SERVER)), "{:?}", hint.blame);
    assert!(hint.blame.mentions(NODE), "{:?}", hint.blame);
    assert!(hint.summary.contains("in 5 of 50 lookups (10 %)"), "{}", hint.summary);
    assert!(hint.action.contains("single-request-reopen"));
}

#[test]
fn few_lookups_of_several_pods_are_tested_together() {
    let normal = case(vec![row("cart", 20, 0), row("web", 20, 0)]);
    let bad = case(vec![row("cart", 20, 2), row("web", 20, 2)]);
    let hints = crate::hints::testing::firing(&Run::warm(&normal).ticks(3, &bad));
    assert!(!hints.is_empty() && hints.iter().all(|hint| hint.cause == "dns_answer_lost"), "{hints:?}");
    Run::warm(&normal).expect_silence(5, &case(vec![row("cart", 20, 1), row("web", 20, 1)]));
}

#[test]
fn lookups_without_any_answer_are_another_cause() {
    let normal = case(vec![row("cart", 50, 0)]);
    let dead = case(vec![lookups("cart", SERVER, &[(2_000, 40)], 10)]);
    assert_eq!(Run::warm(&normal).expect_one(&dead).cause, "dns_slow");
}

#[test]
fn insert_failures_of_this_nodes_tracking_blame_the_node() {
    let normal = case(vec![row("cart", 50, 0)]);
    let mut bad = case(vec![row("cart", 50, 5)]);
    set(bad.host.as_mut().unwrap(), Signal::ConntrackInsertFailed, 5);
    let hint = Run::warm(&normal).expect_one(&bad);
    assert_eq!(verdict(&hint), ("dns_answer_lost", BlameKind::Node, NODE));
}

/// Resolvers that wait for their timeout ask little: each window alone has few lookups, and fewer without an answer.
#[test]
fn answers_that_are_lost_at_a_low_rate_do_not_become_normal_before_they_are_named() {
    let normal = case(vec![row("cart", 40, 0), row("web", 40, 0)]);
    let mut run = Run::warm(&normal);
    // Windows that hold one more every other second, as they slide over the begin of the fault.
    for (cart, web) in [(1, 0), (1, 1), (1, 2), (1, 2), (2, 2), (2, 1), (1, 2), (2, 2), (1, 3), (2, 2)] {
        run.ticks(2, &case(vec![row("cart", 40, cart), row("web", 40, web)]));
    }
    let hints = crate::hints::testing::firing(&run.ticks(3, &case(vec![row("cart", 40, 2), row("web", 40, 3)])));
    assert!(hints.iter().any(|hint| hint.cause == "dns_answer_lost"), "{hints:?}");
}

use super::*;
use crate::eval::generated::{draw::draw, truth::Truth};

/// A fault of Pod `web-a`, or a control; the simple rivals name `first` at their first limit, and nobody at others.
fn case(number: u64, is_fault: bool, first: Culprit) -> Case {
    let pod = || vec![Culprit::Pod("web-a".into())];
    let truth = || Truth { culprits: pod(), causes: vec!["peer_slow"], effects: Vec::new() };
    let mut voting = vec![Culprit::Nobody; VOTES.len()];
    voting[0] = first;
    let robust_z = vec![Culprit::Nobody; DEVIATIONS.len()];
    Case {
        plan: draw(7, number),
        truth: is_fault.then(truth),
        bite: None,
        victims: Vec::new(),
        severities: Vec::new(),
        answers: vec![(29.0, Answer { culprit: Culprit::Pod("web-a".into()), ..Answer::nothing() })],
        spoken: Vec::new(),
        cpu_wait: None,
        rivals: Some(Given { table: "7.csv".into(), onset: 100.0, voting, robust_z }),
    }
}

fn line(case: &str, onset: &str, ranks: &[&str]) -> String {
    json!({ "case": case, "method": "BARO", "onset": onset, "ranks": ranks, "failed": null }).to_string()
}

fn row<'a>(rows: &'a [Row], name: &str) -> &'a Row {
    rows.iter().find(|row| row.name == name).unwrap()
}

#[test]
fn the_entity_of_the_first_column_is_judged_as_our_own_answer_is() {
    let cases = [0, 1, 2].map(|number| case(number, number < 2, Culprit::Nobody));
    let lines = [
        line("7-0", "given", &["pod-web-a_latency-tcp-rtt-seconds", "node-a_node-cpus"]),
        line("7-1", "given", &["node-a_node-cpus", "pod-web-a_latency-tcp-rtt-seconds"]),
        line("7-2", "given", &["pod-web-a_latency-tcp-rtt-seconds"]),
    ];
    let rows = rows(&cases, &read(&lines.join("\n")).unwrap());
    let theirs = row(&rows, "BARO, onset given");
    assert_eq!((theirs.right(), theirs.tally.wrong, theirs.tally.top1_blame()), (1, 1, Some(0.5)));
    assert_eq!((theirs.controls, theirs.controls_named, theirs.failed), (1, 1, 0));
    assert_eq!((row(&rows, "netwhy").right(), row(&rows, "netwhy").controls_named), (2, 1));
}

#[test]
fn without_an_answer_nobody_is_named_and_what_failed_is_counted() {
    let cases = [0, 1, 2].map(|number| case(number, true, Culprit::Nobody));
    let failed = r#"{"case": "7-1", "method": "BARO", "onset": "own", "ranks": [], "failed": "IndexError: x"}"#;
    let rows = rows(&cases, &read(&format!("{}\n{failed}\n", line("7-0", "own", &[]))).unwrap());
    let theirs = row(&rows, "BARO, onset found by itself");
    assert_eq!((theirs.tally.abstained, theirs.right(), theirs.failed), (3, 0, 2), "7-2 has no line");
}

#[test]
fn simple_rivals_get_the_limit_that_serves_them_best() {
    let right = case(0, true, Culprit::Pod("web-a".into()));
    assert_eq!(row(&rows(std::slice::from_ref(&right), &[]), "007-style voting").right(), 1);
    let wrong = case(1, true, Culprit::Node("a".into()));
    assert_eq!(row(&rows(&[right, wrong], &[]), "007-style voting").tally.wrong, 1, "silence would be right in none");
}

#[test]
fn cases_without_a_table_count_for_nobody() {
    let mut without = case(0, true, Culprit::Nobody);
    without.rivals = None;
    assert_eq!(row(&rows(&[without], &[]), "netwhy").tally.cases, 0);
}

#[test]
fn a_line_that_is_no_answer_is_refused() {
    assert!(read("Traceback").is_err());
    assert_eq!(read("\n").unwrap(), []);
}

#[test]
fn rows_are_printed_under_their_heads() {
    let text = text(&rows(&[case(0, true, Culprit::Nobody)], &[]));
    let ends: Vec<usize> = text.lines().filter(|line| !line.is_empty()).map(|line| line.chars().count()).collect();
    assert!(text.contains("1 of 1 (1.000)") && ends.iter().all(|end| *end == ends[0]), "{text}");
}

use super::super::machine::{Choice, chosen};
use super::*;

const CONSOLE: &str = "[    0.1] quiet\r\n@@netwhy booted 2.10 6.1.0-56-cloud-amd64\r\n@@netwhy begin preflight\r\n\
        kernel  ok  6.1\r\n@@netwhy end preflight 0\r\n@@netwhy begin smoke\r\nno loopback\r\n@@netwhy end smoke 2\r\n\
        @@netwhy begin kernel_signals\r\ntest a::good ... ok\r\ntest b::bad ... \r\n\
        thread 'b::bad' panicked at b.rs:7:5:\r\nleft: 1\r\nstack backtrace:\r\n   0: b\r\nFAILED\r\n\
        test c::lacks ... SKIP c::lacks: machine: no owner\r\nok\r\n@@netwhy end kernel_signals 101\r\n";

fn verdicts(outcome: &Outcome) -> Vec<(&str, &Verdict)> {
    outcome.tests.iter().map(|test| (test.name.as_str(), &test.verdict)).collect()
}

#[test]
fn every_test_has_its_verdict() {
    let outcome = Outcome::read(&format!("{CONSOLE}@@netwhy done\r\n"));
    assert!(outcome.complete);
    assert_eq!((outcome.boot_seconds, outcome.preflight.as_str()), (2.1, "kernel  ok  6.1\n"));
    let skipped = Verdict::Skipped("machine: no owner".to_owned());
    let bad = Verdict::Failed("thread 'b::bad' panicked at b.rs:7:5:\nleft: 1".to_owned());
    let wanted = [
        ("preflight", &Verdict::Passed),
        ("smoke", &Verdict::Failed("no loopback\n".to_owned())),
        ("a::good", &Verdict::Passed),
        ("b::bad", &bad),
        ("c::lacks", &skipped),
    ];
    assert_eq!(verdicts(&outcome), wanted);
}

#[test]
fn a_machine_that_stops_leaves_its_test_unfinished() {
    let text =
        format!("{CONSOLE}@@netwhy begin kernel_more\r\ntest d::slow ... \r\n[ 9.9] Kernel panic - not syncing\r\n");
    let outcome = Outcome::read(&text);
    assert!(!outcome.complete && outcome.panic.is_some());
    assert_eq!(verdicts(&outcome).last(), Some(&("d::slow", &Verdict::Unfinished)));
}

#[test]
fn a_program_that_ends_badly_before_its_first_test_has_failed() {
    let outcome = Outcome::read("@@netwhy begin kernel_x\nnot found\n@@netwhy end kernel_x 127\n");
    assert_eq!(verdicts(&outcome), [("kernel_x", &Verdict::Failed("not found\n".to_owned()))]);
}

#[test]
fn tests_are_counted_as_they_end() {
    let mut progress = Progress::default();
    let lines =
        ["running 2 tests", "test a ... ok", "test b ... ", "a word", "FAILED", "running 1 test", "test c ... ok"];
    let seen: Vec<_> = lines.iter().filter_map(|line| progress.line(line)).collect();
    assert_eq!(seen, [(0, 2), (1, 2), (2, 2), (2, 3), (3, 3)]);
}

fn script_of(choices: &[Choice]) -> String {
    let programs = Programs {
        agent: "/b/netwhy-agent".into(),
        taken_over: "/b/taken_over".into(),
        traffic: "/b/netwhy-traffic".into(),
        tests: vec![("machines".to_owned(), "/b/machines".into())],
    };
    script(&programs, &chosen(choices)[0], Some("v1::"))
}

#[test]
fn a_machine_is_set_up_before_its_agent_and_tests_know_its_name() {
    let plain = script_of(&[]);
    assert!(plain.contains("\nmount -t cgroup2 cgroup /sys/fs/cgroup\nfor module in "), "{plain}");
    assert!(plain.contains(" end preflight $(($? - 0))\"\n") && plain.contains(" begin smoke\"\n"), "{plain}");
    let v1 = script_of(&[Choice::V1]);
    assert!(!v1.contains("cgroup2") && v1.contains(" NETWHY_TEST_MACHINE=v1\n"), "{v1}");
    // No agent runs there: preflight has to say so.
    assert!(v1.contains(" end preflight $(($? - 69))\"\n") && !v1.contains(" begin smoke"), "{v1}");
    assert!(v1.contains("/b/machines --test-threads=1 --nocapture") && v1.contains(" v1:: 2>&1\n"), "{v1}");
}

#[test]
fn a_machine_without_its_tests_or_with_a_skipped_one_has_failed() {
    let skipped = "@@netwhy begin machines\ntest v1::a ... SKIP v1::a: machine: another\nok\n@@netwhy end machines 0\n";
    for (text, well) in [(skipped.replace("SKIP", ""), true), (skipped.to_owned(), false), (String::new(), false)] {
        let mut outcome = Outcome::read(&format!("{text}@@netwhy done\n"));
        assert!(outcome.ended_well(), "before: {outcome:?}");
        outcome.demand("v1");
        assert_eq!(outcome.ended_well(), well, "{outcome:?}");
    }
}

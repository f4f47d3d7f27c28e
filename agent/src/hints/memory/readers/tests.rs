use super::*;

const SECOND: Duration = Duration::from_secs(1);
const KEEP: f64 = 0.998;

/// So many seconds of windows with these late readers, each quiet or not.
fn learn(memory: &mut ReaderMemory, begin: u32, seconds: u32, late_readers: u64, is_quiet: bool) {
    let tally = Tally { late_readers, ..Tally::default() };
    (begin..begin + seconds).for_each(|at| memory.learn(&tally, is_quiet, at * SECOND, KEEP));
}

fn steady() -> ReaderMemory {
    let mut memory = ReaderMemory::default();
    learn(&mut memory, 0, 60, 0, false);
    memory
}

#[test]
fn a_run_of_late_windows_is_learned_when_it_ends_without_a_finding() {
    let mut memory = steady();
    learn(&mut memory, 60, 20, 2, false);
    assert!(!memory.excuses(), "a reader that becomes slow is not normal");
    learn(&mut memory, 80, 1, 0, false);
    assert!(memory.excuses());
    let mut found = steady();
    learn(&mut found, 60, 20, 2, false);
    found.distrust();
    learn(&mut found, 80, 1, 0, false);
    assert!(!found.excuses(), "it ended with a finding");
}

#[test]
fn what_was_late_from_the_first_or_for_long_is_normal() {
    let mut first = ReaderMemory::default();
    learn(&mut first, 0, 10, 2, false);
    assert!(first.excuses());
    let mut long = steady();
    learn(&mut long, 60, 60, 2, true);
    assert!(!long.excuses());
    learn(&mut long, 120, 1, 2, true);
    assert!(long.excuses());
}

#[test]
fn traffic_that_pauses_now_and_then_says_nothing_when_it_falls() {
    let mut memory = steady();
    learn(&mut memory, 60, 5, 0, true);
    assert!(!memory.excuses(), "one short pause");
    learn(&mut memory, 65, 5, 0, true);
    assert!(memory.excuses());
}

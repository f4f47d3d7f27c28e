use super::*;
use crate::{hints::testing::times_of, state::ResponseView};
use netwhy_abi::Role;

const SECOND: Duration = Duration::from_secs(1);
/// A baseline that is old enough for the whole lag.
const LONG: Duration = Duration::from_secs(3600);

/// A window of `n` requests at each of these seconds.
fn observe(pending: &mut Pending, seconds: impl IntoIterator<Item = u32>, n: u64) {
    let window = Responses { durations: times_of(&[(1_000, n)]), ..Responses::default() };
    let now = ResponseView { window, ..ResponseView::default() };
    for second in seconds {
        let at = second * SECOND;
        pending.observe(&Requests { role: Role::Client, now: &now, bytes: None, at, length: 10 * SECOND });
    }
}

/// Requests of the windows that are taken.
fn taken(pending: &mut Pending, known: Duration) -> Vec<u64> {
    std::iter::from_fn(|| pending.take_due(known)).map(|past| past.responses.durations.count()).collect()
}

#[test]
fn a_window_is_learned_once_and_only_after_the_lag() {
    let mut pending = Pending::default();
    observe(&mut pending, 1..=10, 1);
    observe(&mut pending, 11..=39, 2);
    assert!(!pending.is_due(LONG));
    observe(&mut pending, [40], 3);
    assert!(pending.is_due(LONG));
    assert_eq!(taken(&mut pending, LONG), [1]);
    assert!(!pending.is_due(LONG), "the next one ended at 20 s");
    // A baseline of 20 s learns after 10 s.
    assert_eq!(taken(&mut pending, 20 * SECOND), [2, 2]);
}

#[test]
fn windows_do_not_overlap_what_was_learned_before() {
    let mut pending = Pending::default();
    pending.restart(15 * SECOND);
    observe(&mut pending, 16..=24, 1);
    observe(&mut pending, 25..=70, 2);
    assert_eq!(taken(&mut pending, LONG), [2, 2]);
}

#[test]
fn what_waits_while_trouble_is_seen_is_never_learned() {
    let mut pending = Pending::default();
    observe(&mut pending, 1..=25, 1);
    pending.distrust(1);
    // This one begins before the trouble.
    observe(&mut pending, 26..=30, 2);
    observe(&mut pending, 31..=70, 3);
    assert_eq!(taken(&mut pending, LONG), [3]);
}

#[test]
fn windows_speak_together_that_do_not_overlap_the_present_one() {
    let mut pending = Pending::default();
    for (end, n) in [(10, 1), (20, 2), (30, 3)] {
        observe(&mut pending, end - 9..=end, n);
    }
    let before = |pending: &Pending| pending.before().map(|window| window.durations.count()).collect::<Vec<_>>();
    assert_eq!(before(&pending), [2, 1], "the newest is the present one");
    observe(&mut pending, 31..=35, 4);
    assert_eq!(before(&pending), [2, 1]);
    pending.distrust(1);
    assert_eq!(before(&pending), [2, 1], "evidence of what is known to be wrong");
    // After a pause they are too old.
    observe(&mut pending, [100], 5);
    assert_eq!(before(&pending), [0_u64; 0]);
}

#[test]
fn a_suspicion_holds_windows_back_for_two_minutes() {
    let mut pending = Pending::default();
    let mut held_back = |second: u32, is_suspect: bool| {
        observe(&mut pending, [second], 1);
        pending.is_held_back(is_suspect)
    };
    assert!(!held_back(10, false));
    assert!(held_back(20, true));
    // It comes and goes: normal in the end.
    assert!(!held_back(30, false));
    assert!(held_back(130, true));
    assert!(!held_back(140, true));
    // After as long a time without, it counts anew.
    assert!(!held_back(200, false));
    assert!(!held_back(260, false));
    assert!(held_back(270, true));
}

/// Requests of the windows before the present one, and of those before them.
fn seen(pending: &Pending) -> (Vec<(u64, bool)>, f64) {
    let history = pending.history();
    let newest = history.newest.iter().map(|before| (before.responses.durations.count(), before.is_normal)).collect();
    (newest, history.older.above(0).1)
}

#[test]
fn what_was_learned_already_stays_evidence() {
    let mut pending = Pending::default();
    let window = Responses { durations: times_of(&[(1_000, 7)]), ..Responses::default() };
    let now = ResponseView { window, ..ResponseView::default() };
    for second in 1..=40 {
        let at = second * SECOND;
        pending.observe_only(&Requests { role: Role::Client, now: &now, bytes: None, at, length: 10 * SECOND });
        pending.restart(at);
    }
    // Those that end at 10, 20 and 30 s.
    assert_eq!(seen(&pending), (vec![(7, true); 3], 0.0));
    assert_eq!(taken(&mut pending, 2 * SECOND), [0_u64; 0]);
    observe(&mut pending, 41..=100, 1);
    let (newest, older) = seen(&pending);
    assert_eq!(newest, vec![(1, true); 4]);
    assert!((older / 29.0 - 1.0).abs() < 0.02, "four of 7 and one of 1: {older}");
}

/// Else it would soon be as usual.
#[test]
fn a_trouble_is_no_history() {
    let mut pending = Pending::default();
    observe(&mut pending, 1..=30, 1);
    pending.distrust(2);
    assert_eq!(seen(&pending), (vec![(1, false), (1, true)], 0.0));
    for second in 31..=200 {
        observe(&mut pending, [second], 5);
        pending.distrust(1);
    }
    let (newest, older) = seen(&pending);
    assert!(newest.iter().all(|(_, is_normal)| !is_normal), "{newest:?}");
    assert!((older - 1.0).abs() < 0.01, "{older}");
}

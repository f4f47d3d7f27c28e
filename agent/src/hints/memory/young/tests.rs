use super::*;
use crate::{hints::testing::times_of, state::ResponseView};
use netwhy_abi::Role;

const SECOND: Duration = Duration::from_secs(1);

/// A window of `n` requests at each of these seconds.
fn add(young: &mut Young, seconds: impl IntoIterator<Item = u32>, n: u64, known: Duration) {
    let window = Responses { durations: times_of(&[(1_000, n)]), ..Responses::default() };
    let now = ResponseView { window, ..ResponseView::default() };
    for second in seconds {
        let requests =
            Requests { role: Role::Client, now: &now, bytes: None, at: second * SECOND, length: 10 * SECOND };
        young.add(&requests, SECOND, known);
    }
}

/// Requests of the windows that are taken, and their new seconds.
fn taken(young: &mut Young, second: u32, known: Duration) -> Vec<(u64, u64)> {
    let part = |part: Part| (part.responses.durations.count(), part.elapsed.as_secs());
    std::iter::from_fn(|| young.take_due(second * SECOND, known)).map(part).collect()
}

#[test]
fn the_first_windows_are_learned_at_once() {
    let mut young = Young::default();
    add(&mut young, 1..=2, 3, Duration::ZERO);
    assert_eq!(taken(&mut young, 2, Duration::ZERO), [(3, 1), (3, 1)]);
}

#[test]
fn later_ones_wait_for_half_of_the_time_that_is_known() {
    let (mut young, known) = (Young::default(), 20 * SECOND);
    add(&mut young, 1..=3, 1, known);
    add(&mut young, 4..=12, 2, known);
    assert!(!young.is_due(11 * SECOND, known));
    assert_eq!(taken(&mut young, 12, known), [(1, 2)], "one of two seconds is new");
    assert_eq!(taken(&mut young, 22, known), [(2, 2); 5]);
}

#[test]
fn a_window_with_trouble_in_it_is_never_learned() {
    let (mut young, known) = (Young::default(), 20 * SECOND);
    add(&mut young, 1..=10, 1, known);
    young.distrust(10 * SECOND);
    add(&mut young, 11..=19, 2, known);
    assert!(!young.is_due(60 * SECOND, known));
    add(&mut young, 20..=21, 3, known);
    assert_eq!(taken(&mut young, 31, known), [(3, 2)]);
}

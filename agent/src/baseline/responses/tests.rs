use super::*;
use crate::metrics::fixture::fine_histogram;

/// A second of a server: `n` requests of so many µs each, a tenth of it unread.
fn window(n: usize, us: u32) -> Responses {
    let unread_us = u64::from(us / 10) * n as u64;
    let application_us = u64::from(us) * n as u64 - unread_us;
    Responses { durations: fine_histogram(&vec![us; n]), unread_us, application_us, ..Responses::default() }
}

fn teach(known: &mut ResponseBaseline, window: &Responses, times: usize) {
    let second = Duration::from_secs(1);
    for _ in 0..times {
        known.learn(&Lesson { role: Role::Server, window, length: 10 * second, elapsed: second });
    }
}

#[test]
fn a_steady_server_has_its_times_rate_and_stages() {
    let mut known = ResponseBaseline::default();
    teach(&mut known, &window(400, 5_000), 60);
    let normal = known.normal(Role::Server).unwrap();
    assert!((normal.per_second - 40.0).abs() < 0.01, "{normal:?}");
    assert!((normal.p50_us / 5_000.0 - 1.0).abs() < 0.1, "{normal:?}");
    let stages: Vec<(&str, f64)> = normal.stages_us.iter().map(|(name, us)| (*name, us.round())).collect();
    assert_eq!(stages, [("unread", 500.0), ("application", 4_500.0)]);
    assert!((normal.mean_us() - 5_000.0).abs() < 1.0);
}

#[test]
fn nothing_is_known_before_a_whole_window_and_enough_requests() {
    let mut known = ResponseBaseline::default();
    teach(&mut known, &window(400, 5_000), 9);
    assert_eq!(known.normal(Role::Server), None, "nine windows");
    teach(&mut known, &window(400, 5_000), 1);
    assert!(known.normal(Role::Server).is_some());
    let mut rare = ResponseBaseline::default();
    teach(&mut rare, &window(1, 5_000), 50);
    assert_eq!(rare.normal(Role::Server), None, "five requests");
    teach(&mut rare, &window(1, 5_000), 40);
    assert!(rare.normal(Role::Server).is_some(), "nine requests");
}

#[test]
fn a_lesson_of_several_seconds_counts_as_so_many() {
    let (mut known, length) = (ResponseBaseline::default(), Duration::from_secs(10));
    let window = window(400, 5_000);
    known.learn(&Lesson { role: Role::Server, window: &window, length, elapsed: Duration::from_secs(4) });
    assert_eq!(known.normal(Role::Server), None);
    known.learn(&Lesson { role: Role::Server, window: &window, length, elapsed: Duration::from_secs(6) });
    assert!((known.normal(Role::Server).unwrap().per_second - 40.0).abs() < 0.1);
}

#[test]
fn requests_that_stand_for_others_are_as_many_as_were_observed() {
    // Each of 20 stands for 16.
    let sampled = Responses { squares: 16 * 320, ..window(320, 5_000) };
    let mut known = ResponseBaseline::default();
    teach(&mut known, &sampled, 3);
    assert!((known.observed() - 6.0).abs() < 0.1, "{}", known.observed());
    teach(&mut known, &sampled, 7);
    assert!((known.observed() - 20.0).abs() < 0.1, "{}", known.observed());
    assert!(known.normal(Role::Server).is_some());
}

#[test]
fn windows_without_a_request_neither_teach_nor_forget() {
    let mut known = ResponseBaseline::default();
    teach(&mut known, &window(400, 5_000), 60);
    let before = known.normal(Role::Server);
    teach(&mut known, &Responses::default(), 7_200);
    assert_eq!(known.normal(Role::Server), before);
}

#[test]
fn a_slowdown_becomes_normal_only_after_the_half_life() {
    let mut known = ResponseBaseline::default();
    teach(&mut known, &window(400, 2_000), 36_000);
    teach(&mut known, &window(400, 50_000), 1_800);
    let soon = known.normal(Role::Server).unwrap();
    assert!(soon.p50_us < 2_300.0 && soon.p95_us.unwrap() > 45_000.0, "{soon:?}");
    teach(&mut known, &window(400, 50_000), 3_600);
    assert!(known.normal(Role::Server).unwrap().p50_us > 45_000.0);
}

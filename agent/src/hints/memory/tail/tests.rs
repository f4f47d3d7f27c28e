use super::*;
use crate::{baseline::Lesson, hints::testing::times_of, sample::Responses};
use netwhy_abi::Role;
use std::time::Duration;

/// A window of requests, the same in each second.
fn view(times: &[(u32, u64)]) -> ResponseView {
    let of = |share: f64| {
        let part: Vec<(u32, u64)> = times.iter().map(|(us, n)| (*us, (*n as f64 * share).round() as u64)).collect();
        Responses { durations: times_of(&part), ..Responses::default() }
    };
    ResponseView { window: of(1.0), recent: of(0.3), ..ResponseView::default() }
}

/// The memory after some seconds of a normal window.
fn known(times: &[(u32, u64)], seconds: u32) -> Tail {
    let (mut all, mut tail, now) = (ResponseBaseline::default(), Tail::default(), view(times));
    let (second, window) = (Duration::from_secs(1), &now.window);
    for _ in 0..seconds {
        all.learn(&Lesson { role: Role::Client, window, length: 10 * second, elapsed: second });
        tail.learn(&all, window, 0.9999, &Thresholds::default());
    }
    tail
}

fn judge(known: &Tail, times: &[(u32, u64)]) -> Option<Slow> {
    known.judge(&view(times), &Thresholds::default())
}

#[test]
fn normal_windows_are_normal() {
    for times in [&[(1_000, 500)][..], &[(1_000, 400), (150_000, 100)], &[(20_000, 10), (2_000_000, 10)]] {
        assert_eq!(judge(&known(times, 60), times), None, "{times:?}");
    }
}

#[test]
fn the_share_of_slow_requests_decides_from_both_sides() {
    let known = known(&[(1_000, 500)], 60);
    let slow = judge(&known, &[(1_000, 400), (200_000, 100)]).unwrap();
    assert_eq!((slow.slow, slow.requests, slow.usual_share), (100, 500, 0.0));
    assert!((slow.typical_us / 200_000.0 - 1.0).abs() < 0.1, "{slow:?}");
    // 4 % at 200 ms are more than 5 ms a request in the mean, 2 % are not.
    assert!(judge(&known, &[(1_000, 960 * 4), (200_000, 40 * 4)]).is_some());
    assert_eq!(judge(&known, &[(1_000, 980 * 4), (200_000, 20 * 4)]), None);
    // Enough time, too few requests.
    assert_eq!(judge(&known, &[(1_000, 8), (200_000, 3)]), None);
}

#[test]
fn requests_that_stand_for_others_are_as_sure_as_the_observed_ones() {
    let known = known(&[(1_000, 500)], 60);
    let mut now = view(&[(1_000, 400), (200_000, 100)]);
    let mut judge = |weight: u64| {
        for part in [&mut now.window, &mut now.recent] {
            part.squares = weight * part.durations.count();
        }
        known.judge(&now, &Thresholds::default())
    };
    let (each, some) = (judge(1).unwrap(), judge(4).unwrap());
    assert_eq!((each.slow, each.requests), (some.slow, some.requests));
    assert!((each.ln_p / some.ln_p - 4.0).abs() < 1e-9, "{each:?} {some:?}");
    // One connection that stands for 128 had three of four slow requests.
    assert_eq!(judge(128), None);
}

#[test]
fn slow_is_what_people_notice_beside_the_usual_quantile() {
    // Where 150 ms are usual, 200 ms more are much and 60 ms more are not.
    let known = known(&[(150_000, 500)], 60);
    assert!(judge(&known, &[(150_000, 400), (350_000, 100)]).is_some());
    assert_eq!(judge(&known, &[(210_000, 500)]), None);
}

#[test]
fn what_takes_seconds_anyway_may_vary_by_half() {
    let known = known(&[(2_000_000, 500)], 60);
    assert_eq!(judge(&known, &[(2_900_000, 500)]), None);
    assert!(judge(&known, &[(4_500_000, 500)]).is_some());
}

#[test]
fn a_share_that_normal_windows_reached_is_normal() {
    let (calm, stall) = (view(&[(1_000, 1_000)]), view(&[(1_000, 900), (200_000, 100)]));
    let (mut all, mut tail) = (ResponseBaseline::default(), Tail::default());
    let (second, limits) = (Duration::from_secs(1), Thresholds::default());
    for at in 0..300 {
        let now = if at % 100 == 99 { &stall } else { &calm };
        all.learn(&Lesson { role: Role::Client, window: &now.window, length: 10 * second, elapsed: second });
        tail.learn(&all, &now.window, 0.9999, &limits);
    }
    assert!(known(&[(1_000, 1_000)], 300).judge(&stall, &limits).is_some());
    assert_eq!(tail.judge(&view(&[(1_000, 900), (200_000, 90)]), &limits), None);
    assert!(tail.judge(&view(&[(1_000, 700), (200_000, 300)]), &limits).is_some());
}

#[test]
fn slow_requests_of_one_moment_are_a_stall() {
    let known = known(&[(1_000, 500)], 60);
    let mut now = view(&[(1_000, 450), (200_000, 50)]);
    now.recent = Responses { durations: times_of(&[(1_000, 150)]), ..Responses::default() };
    assert_eq!(known.judge(&now, &Thresholds::default()), None, "over");
    now.recent = Responses { durations: times_of(&[(1_000, 100), (200_000, 50)]), ..Responses::default() };
    assert_eq!(known.judge(&now, &Thresholds::default()), None, "just begun");
}

use super::*;
use crate::hints::testing::requests::Lcg;

/// The logarithms of the chance, and of the one that is a finding. `seen`: windows.
fn look(since: (f64, f64), before: (f64, f64), seen: f64) -> (f64, f64) {
    (Counts { since, before }.ln_p(), ln_alpha(seen, 1))
}

fn is_proven(since: (f64, f64), before: (f64, f64), seen: f64) -> bool {
    let (ln_p, ln_alpha) = look(since, before, seen);
    ln_p <= ln_alpha
}

#[test]
fn a_baseline_proves_no_more_than_its_length_allows() {
    // 1 in 13, after 24 s and 10 s at 10/s.
    assert!(is_proven((15.0, 200.0), (0.0, 240.0), 5.0));
    assert!(!is_proven((15.0, 200.0), (0.0, 100.0), 3.0));
    // All of them are slow, and so may have been those before.
    assert!(!is_proven((20.0, 100.0), (0.0, 20.0), 2.0));
}

#[test]
fn what_was_as_frequent_before_proves_nothing() {
    assert_eq!(look((15.0, 200.0), (18.0, 240.0), 5.0).0, 0.0);
    assert!(!is_proven((15.0, 200.0), (6.0, 240.0), 5.0));
    assert!(is_proven((60.0, 200.0), (18.0, 240.0), 5.0));
}

#[test]
fn an_old_baseline_keeps_to_the_chance_of_other_tests() {
    let tests = f64::from(MAX_WINDOWS);
    assert!((ln_alpha(1_000.0, 1) - (TAIL_ALPHA / tests).ln()).abs() < 1e-9);
    assert!((ln_alpha(10.0, 2) - (3e-4 / (2.0 * tests)).ln()).abs() < 1e-9);
}

/// Whether some look at a life of windows, each with so many slow ones of so many, proves a change.
fn is_alarmed(windows: &[(f64, f64)]) -> bool {
    let sum = |part: &[(f64, f64)]| part.iter().fold((0.0, 0.0), |sum, more| (sum.0 + more.0, sum.1 + more.1));
    (1..windows.len()).any(|newest| {
        (0..MAX_WINDOWS as usize).take_while(|joined| *joined < newest).any(|joined| {
            let (before, since) = windows[..=newest].split_at(newest - joined);
            let (before, since) = (sum(before), sum(since));
            since.0 >= MIN_SLOW && is_proven(since, before, newest as f64 + 1.0)
        })
    })
}

/// 1e5 windows of edges where nothing changes, from 2 to 10 requests a second.
#[test]
fn shares_that_never_change_hardly_ever_alarm() {
    let (mut random, mut alarms) = (Lcg(7), 0);
    for (requests, once_in) in [(20, 5), (50, 13), (100, 20), (100, 50)] {
        for _ in 0..625 {
            let mut slow = || (0..requests).filter(|_| random.once_in(once_in)).count() as f64;
            let windows: Vec<(f64, f64)> = (0..40).map(|_| (slow(), f64::from(requests))).collect();
            alarms += u32::from(is_alarmed(&windows));
        }
    }
    // 0.2 % of the edges.
    assert!(alarms <= 5, "{alarms}");
}

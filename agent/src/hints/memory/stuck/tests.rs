use super::*;
use crate::{baseline::Lesson, hints::testing::times_of, sample::Responses, state::Waiting};
use netwhy_abi::Role;

const BEGIN: Duration = Duration::from_secs(100);

/// The memory of an edge after a minute of these requests per window.
fn times(times: &[(u32, u64)]) -> ResponseBaseline {
    let mut all = ResponseBaseline::default();
    let window = Responses { durations: times_of(times), ..Responses::default() };
    let second = Duration::from_secs(1);
    for _ in 0..60 {
        all.learn(&Lesson { role: Role::Client, window: &window, length: 10 * second, elapsed: second });
    }
    all
}

/// So many requests wait, and `recent` were answered in the last seconds.
fn waiting(requests: u64, recent: &[(u32, u64)]) -> ResponseView {
    let recent = Responses { durations: times_of(recent), ..Responses::default() };
    ResponseView { recent, waiting: Some(Waiting { requests, since: BEGIN }), ..ResponseView::default() }
}

fn ln_p(now: &ResponseView, usual: &[(u32, u64)], seconds: u64) -> Option<f64> {
    judge(now, &times(usual), Waits::default(), BEGIN + Duration::from_secs(seconds)).map(|stuck| stuck.ln_p)
}

#[test]
fn the_chance_falls_with_the_age_and_with_the_number_of_requests() {
    let usual = [(3_000, 500)];
    let one = |seconds| ln_p(&waiting(1, &[]), &usual, seconds).unwrap();
    assert!(one(10) < one(2) && one(2) < one(1));
    assert!(one(1) > STUCK_ALPHA.ln(), "a single request after 2 s");
    assert!(one(10) <= STUCK_ALPHA.ln());
    assert!(ln_p(&waiting(2, &[]), &usual, 1).unwrap() <= STUCK_ALPHA.ln(), "two after 2 s");
    // Where requests take longer, waits must.
    assert!(ln_p(&waiting(1, &[]), &[(200_000, 500)], 10).unwrap() > STUCK_ALPHA.ln());
}

#[test]
fn waits_that_are_normal_and_answers_that_go_on_are_no_outage() {
    let now = waiting(5, &[]);
    assert!(ln_p(&now, &[(2_000, 500)], 2).is_some());
    assert_eq!(ln_p(&now, &[(2_000, 490), (20_000_000, 10)], 2), None, "2 % take a second or more");
    assert_eq!(ln_p(&waiting(5, &[(2_000, 140)]), &[(2_000, 500)], 2), None, "150 are usual in 3 s");
    assert!(ln_p(&waiting(5, &[(2_000, 70)]), &[(2_000, 500)], 2).is_some(), "half of them is few");
    assert_eq!(ln_p(&waiting(5, &[(1_500_000, 3)]), &[(2_000, 500)], 2), None, "late answers are answers");
    assert_eq!(ln_p(&now, &[(2_000, 500)], 0), None, "seen by one walk");
    assert_eq!(ln_p(&ResponseView { waiting: None, ..now }, &[(2_000, 500)], 2), None);
}

#[test]
fn walks_that_often_find_waiting_requests_make_them_normal() {
    let (now, times) = (waiting(5, &[]), times(&[(2_000, 500)]));
    let mut waits = Waits::default();
    for at in 0..300 {
        let now = ResponseView { waiting: now.waiting.filter(|_| at % 50 == 0), ..ResponseView::default() };
        waits.learn(&now, 0.9999);
    }
    let judge = |waits| judge(&now, &times, waits, BEGIN + Duration::from_secs(2));
    assert_eq!(judge(waits), None);
    assert!(judge(Waits::default()).is_some());
}

/// Clients that wait for less than a second leave nothing for a walk to find.
#[test]
fn requests_that_clients_give_up_count_when_nothing_is_answered() {
    let usual = [(3_000, 500)];
    let given_up = |unanswered: u64, answered: u64| {
        let mut recent =
            Responses { durations: times_of(&[(3_000, answered), (u32::MAX, unanswered)]), ..Responses::default() };
        recent.unanswered = unanswered;
        ResponseView { recent, ..ResponseView::default() }
    };
    assert!(ln_p(&given_up(4, 0), &usual, 0).unwrap() <= STUCK_ALPHA.ln());
    assert_eq!(ln_p(&given_up(2, 0), &usual, 0), None, "two are few");
    assert_eq!(ln_p(&given_up(4, 1), &usual, 0), None, "something is answered");
    assert_eq!(ln_p(&given_up(4, 0), &[(3_000, 490), (u32::MAX, 10)], 0), None, "clients often give up here");
}

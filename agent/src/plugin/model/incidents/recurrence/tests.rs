use super::*;

const HOUR: i64 = 60 * MINUTE;

fn nightly(days: &[i64], minute: i64) -> Vec<i64> {
    days.iter().map(|day| day * DAY + minute * MINUTE).collect()
}

#[test]
fn the_same_hour_on_three_days_is_daily() {
    let about = |text: &str, days, of_days| Some(Recurrence::Daily { about: text.into(), days, of_days });
    assert_eq!(of(&nightly(&[0, 1, 2], 180)), about("03:00Z", 3, 3));
    assert_eq!(of(&nightly(&[0, 1, 3], 180)), about("03:00Z", 3, 4), "a night may be missing");
    assert_eq!(of(&nightly(&[0, 1], 180)), None, "twice is no rule");
    assert_eq!(of(&nightly(&[0, 3, 6], 180)), None, "three nights of seven are no rule");
}

#[test]
fn a_window_around_midnight_is_one() {
    let begins = [23 * HOUR + 50 * MINUTE, 2 * DAY + 5 * MINUTE, 3 * DAY - 5 * MINUTE, 4 * DAY + 10 * MINUTE];
    let Some(Recurrence::Daily { about, days, of_days }) = of(&begins) else { panic!("{:?}", of(&begins)) };
    assert_eq!((about.as_str(), days, of_days), ("00:05Z", 4, 4));
}

#[test]
fn one_occurrence_in_three_may_be_at_another_time() {
    let mut begins = nightly(&[0, 1, 2, 3], 180);
    begins.extend([10 * HOUR, 15 * HOUR]);
    begins.sort_unstable();
    assert!(matches!(of(&begins), Some(Recurrence::Daily { days: 4, .. })), "{:?}", of(&begins));
    begins.push(3 * DAY + 20 * HOUR);
    assert_eq!(of(&begins), None, "three of seven are elsewhere");
}

#[test]
fn what_fires_all_day_is_not_daily() {
    let begins: Vec<i64> = (0..7 * 24).map(|hour| hour * HOUR + (hour % 5) * 9 * MINUTE).collect();
    assert_eq!(of(&begins), None);
}

#[test]
fn equal_intervals_are_a_rule_from_four_times_on() {
    let every = |hours: &[i64]| of(&hours.iter().map(|hour| hour * HOUR).collect::<Vec<_>>());
    assert_eq!(every(&[0, 6, 12, 18]), Some(Recurrence::Interval { seconds: 6 * 3600, times: 4 }));
    assert_eq!(every(&[0, 6, 12]), None);
    assert_eq!(every(&[0, 6, 12, 20]), None, "a tenth off at most");
    assert_eq!(of(&[]), None);
    assert_eq!(of(&[5, 5, 5, 5]), None);
}

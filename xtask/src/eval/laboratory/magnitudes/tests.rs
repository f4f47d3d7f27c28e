use super::*;
use std::collections::BTreeSet;

const SINGLE: [&Magnitude; 16] = [
    &ZONE_LOSS,
    &POD_LOSS,
    &BURSTY_LOSS,
    &LOSS_OF_TWO,
    &POLICER,
    &QUEUE,
    &PAIR_DELAY,
    &QUOTA,
    &QUOTA_OF_TWO,
    &THREADS,
    &READS,
    &SLOW_READER,
    &SEND_BUFFER,
    &DNS_DELAY,
    &EXTERNAL,
    &LOCK[0],
];

fn every() -> impl Iterator<Item = &'static Magnitude> {
    SINGLE.into_iter().chain(&PAIR_LOSS).chain(&NODE_DELAY).chain(&LOCK[1..])
}

#[test]
fn further_rounds_stay_in_the_range_and_off_what_rules_were_worked_on_at() {
    for magnitude in every() {
        let (least, most, _) = magnitude.range;
        let drawn: Vec<f64> = (2..=40).map(|round| Draw::new(Set::Report, round).of(magnitude)).collect();
        for value in &drawn {
            assert!((least..=most).contains(value), "{value} is not in {least} … {most}");
            assert!(![magnitude.first, magnitude.tune].contains(value), "{value}");
        }
        let distinct: BTreeSet<String> = drawn.iter().map(ToString::to_string).collect();
        assert!(distinct.len() >= 3, "{least} … {most}: {distinct:?}");
        assert!(distinct.iter().all(|value| value.len() <= 6), "{distinct:?}");
    }
}

#[test]
fn a_round_is_the_same_each_time_and_the_first_and_tuning_are_not_drawn() {
    let all = |set, round| {
        let mut draw = Draw::new(set, round);
        every().map(|magnitude| draw.of(magnitude)).collect::<Vec<_>>()
    };
    assert_eq!(all(Set::Report, 5), all(Set::Report, 5));
    assert_ne!(all(Set::Report, 5), all(Set::Report, 6));
    assert_eq!(all(Set::Report, 1), every().map(|magnitude| magnitude.first).collect::<Vec<_>>());
    assert_eq!(all(Set::Tune, 5), all(Set::Tune, 1));
}

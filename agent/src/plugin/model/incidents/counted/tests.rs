use super::*;

const STEP: i64 = 60_000;

/// Values at the ends of steps 0, 1, …; `None`: no series.
fn firings(values: &[Option<f64>]) -> Vec<(i64, i64, i64)> {
    let at = |n: usize| i64::try_from(n).unwrap() * STEP;
    let samples: Vec<(i64, f64)> =
        values.iter().enumerate().filter_map(|(n, value)| Some((at(n), (*value)?))).collect();
    let counted = Counted { samples: &samples, first: 0, last: at(values.len() - 1), step: STEP };
    let all = counted.firings(&Firing::default());
    all.iter().map(|firing| (firing.from / 1000, firing.to / 1000, firing.fired_ms as i64 / 1000)).collect()
}

#[test]
fn what_a_series_begins_with_counts_and_what_was_before_does_not() {
    assert_eq!(firings(&[None, Some(12.0), Some(12.0)]), [(0, 60, 12)]);
    assert_eq!(firings(&[Some(500.0), Some(500.0), Some(530.0)]), [(60, 120, 30)]);
}

#[test]
fn a_run_of_steps_is_one_firing_with_exact_ends() {
    assert_eq!(firings(&[None, Some(20.0), Some(80.0), Some(90.0), Some(90.0)]), [(40, 130, 90)]);
    assert_eq!(firings(&[None, Some(20.0), Some(20.0), Some(30.0)]), [(0, 60, 20), (120, 180, 10)]);
}

#[test]
fn scrapes_that_fall_late_into_a_step_lose_nothing() {
    // Scrapes each 40 s in steps of 60 s: 40 and 80 s are counted in turn.
    assert_eq!(firings(&[None, Some(40.0), Some(120.0), Some(160.0), Some(160.0)])[0].2, 160);
}

#[test]
fn a_restart_of_the_agent_counts_from_zero() {
    assert_eq!(firings(&[Some(500.0), Some(30.0)]), [(0, 60, 30)]);
    // It was gone for more than 15 minutes, and grew above its old value since.
    let mut values = vec![None; 20];
    values[0] = Some(10.0);
    values[19] = Some(25.0);
    assert_eq!(firings(&values), [(18 * 60, 19 * 60, 25)]);
    // A scrape that failed is no new series.
    assert_eq!(firings(&[Some(10.0), None, Some(25.0)]), [(60, 120, 15)]);
}

#[test]
fn values_of_no_counter_are_left_out() {
    let nonsense = [Some(f64::NAN), Some(-5.0), Some(f64::INFINITY), Some(1e300), Some(1e18)];
    // The huge ones count as two steps each.
    assert_eq!(firings(&nonsense), [(120, 240, 240)]);
}

#[test]
fn the_last_step_lasts() {
    let samples = [(0, 0.0), (STEP, 5.0)];
    let counted = Counted { samples: &samples, first: 0, last: STEP, step: STEP };
    assert!(counted.firings(&Firing::default())[0].lasts);
    assert!(!Counted { last: 2 * STEP, ..counted }.firings(&Firing::default())[0].lasts);
}

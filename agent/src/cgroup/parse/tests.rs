use super::*;

#[test]
fn own_limits_are_high_and_max_and_not_those_of_children() {
    let text = "low 9\nhigh 2\nmax 3\noom 1\noom_kill 1\noom_group_kill 0\n";
    assert_eq!(memory_limit_hits(text), Ok(5));
    assert_eq!(memory_limit_hits("high 2\n"), Err(Malformed::Missing("max")));
}

#[test]
fn v2_cpu_stat_has_bandwidth_only_with_the_controller() {
    let plain = "usage_usec 310176497\nuser_usec 262175072\nsystem_usec 48001425\nnice_usec 0\n";
    assert_eq!(cpu_stat_v2(plain), Ok((310_176_497, None)));
    let full = format!(
        "{plain}core_sched.force_idle_usec 0\nnr_periods 30\nnr_throttled 7\nthrottled_usec 812345\nnr_bursts 0\nburst_usec 0\n"
    );
    let want = Bandwidth { periods: 30, throttled_periods: 7, throttled_us: 812_345 };
    assert_eq!(cpu_stat_v2(&full), Ok((310_176_497, Some(want))));
}

#[test]
fn v1_throttled_time_is_nanoseconds() {
    let text = "nr_periods 12\nnr_throttled 11\nthrottled_time 987654321\nnr_bursts 0\nburst_time 0\n";
    let want = Bandwidth { periods: 12, throttled_periods: 11, throttled_us: 987_654 };
    assert_eq!(cpu_stat_v1(text), Ok(want));
}

#[test]
fn limits_are_thousandths_of_a_core_and_unlimited_is_none() {
    assert_eq!(cpu_max("max 100000\n"), Ok(None));
    assert_eq!(cpu_max("50000 100000\n"), Ok(Some(500)));
    assert_eq!(cpu_max("250000 100000\n"), Ok(Some(2_500)));
    assert_eq!(cpu_max("100 0\n"), Ok(None));
    assert_eq!(cfs_quota("-1\n", "100000\n"), Ok(None));
    assert_eq!(cfs_quota("10000\n", "100000\n"), Ok(Some(100)));
}

#[test]
fn pressure_before_5_13_has_no_full_line_for_cpu() {
    let some = "some avg10=0.00 avg60=0.00 avg300=0.11 total=15627821\n";
    assert_eq!(pressure(some), Ok(Stall { some_us: 15_627_821, full_us: 0 }));
    let both = format!("{some}full avg10=1.50 avg60=0.00 avg300=0.00 total=42\n");
    assert_eq!(pressure(&both), Ok(Stall { some_us: 15_627_821, full_us: 42 }));
}

#[test]
fn oom_kills_are_neither_oom_events_nor_group_kills() {
    assert_eq!(oom_kills("low 0\nhigh 0\nmax 9\noom 8\noom_kill 3\noom_group_kill 1\n"), Ok(3));
    assert_eq!(oom_kills("oom_kill_disable 0\nunder_oom 0\noom_kill 5\n"), Ok(5));
}

#[test]
fn unexpected_text_is_an_error_not_a_zero() {
    assert_eq!(cpu_stat_v2(""), Err(Malformed::Missing("usage_usec")));
    assert_eq!(cpu_stat_v2("usage_usec 1\nnr_periods 3\n"), Err(Malformed::Missing("nr_throttled")));
    assert_eq!(cpu_stat_v1("nr_periods x\n"), Err(Malformed::Number("x".into())));
    assert_eq!(cpu_max("max\n"), Err(Malformed::Missing("period")));
    assert_eq!(cfs_quota("ten", "100000"), Err(Malformed::Number("ten".into())));
    assert_eq!(pressure("full avg10=0 total=1\n"), Err(Malformed::Missing("some")));
    assert_eq!(pressure("some avg10=0\n"), Err(Malformed::Missing("total=")));
    assert_eq!(oom_kills("oom_kill_disable 0\n"), Err(Malformed::Missing("oom_kill")));
    assert_eq!(single("\n"), Err(Malformed::Number(String::new())));
    assert_eq!(single("18446744073709551616\n"), Err(Malformed::Number("18446744073709551616".into())));
}

//! Contents of cgroup control files → numbers. Pure. Ignores unknown keys, which newer kernels add.

/// CFS bandwidth counters of one `cpu.stat`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bandwidth {
    /// Enforcement periods.
    pub(super) periods: u64,
    /// Periods throttled.
    pub(super) throttled_periods: u64,
    /// Time throttled, µs.
    pub(super) throttled_us: u64,
}

/// The two PSI totals of one `*.pressure` file, µs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stall {
    /// At least one task stalled.
    pub(super) some_us: u64,
    /// All tasks stalled; 0 if the kernel has no such line (`cpu.pressure` before 5.13).
    pub(super) full_us: u64,
}

/// Text that differs from the kernel's documentation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    /// A required key is missing.
    #[error("no `{0}`")]
    Missing(&'static str),
    /// A value is not a number.
    #[error("`{0}` is not a number")]
    Number(String),
}

/// v2 `cpu.stat`: CPU time used, µs, and bandwidth counters. The latter are `None` if the cpu controller is off for the
/// cgroup.
pub(super) fn cpu_stat_v2(text: &str) -> Result<(u64, Option<Bandwidth>), Malformed> {
    let usage_us = value(text, "usage_usec")?.ok_or(Malformed::Missing("usage_usec"))?;
    Ok((usage_us, bandwidth(text, "throttled_usec", 1)?))
}

/// v1 `cpu.stat`, which has times in ns.
pub(super) fn cpu_stat_v1(text: &str) -> Result<Bandwidth, Malformed> {
    bandwidth(text, "throttled_time", 1_000)?.ok_or(Malformed::Missing("nr_periods"))
}

fn bandwidth(text: &str, time: &'static str, per_us: u64) -> Result<Option<Bandwidth>, Malformed> {
    let Some(periods) = value(text, "nr_periods")? else { return Ok(None) };
    Ok(Some(Bandwidth {
        periods,
        throttled_periods: value(text, "nr_throttled")?.ok_or(Malformed::Missing("nr_throttled"))?,
        throttled_us: value(text, time)?.ok_or(Malformed::Missing(time))? / per_us,
    }))
}

/// v2 `cpu.max` (`max 100000`, `50000 100000`; µs): the limit in thousandths of a core, `None` when unlimited.
pub(super) fn cpu_max(text: &str) -> Result<Option<u64>, Malformed> {
    let (quota, period) = text.trim_end().split_once(' ').ok_or(Malformed::Missing("period"))?;
    let period = number(period)?;
    if quota == "max" {
        return Ok(None);
    }
    Ok(millicores(number(quota)?, period))
}

/// v1 `cpu.cfs_quota_us` (−1: unlimited) with `cpu.cfs_period_us`: like [`cpu_max`].
pub(super) fn cfs_quota(quota: &str, period: &str) -> Result<Option<u64>, Malformed> {
    let period = number(period.trim_end())?;
    if quota.starts_with('-') {
        return Ok(None);
    }
    Ok(millicores(number(quota.trim_end())?, period))
}

fn millicores(quota_us: u64, period_us: u64) -> Option<u64> {
    quota_us.saturating_mul(1_000).checked_div(period_us)
}

/// `*.pressure`: `some avg10=… avg60=… avg300=… total=N`, and the same with `full`.
pub(super) fn pressure(text: &str) -> Result<Stall, Malformed> {
    let total = |kind: &str| {
        let line = text.lines().find_map(|l| l.strip_prefix(kind)?.strip_prefix(' '));
        line.map(|l| l.split(' ').find_map(|f| f.strip_prefix("total=")).ok_or(Malformed::Missing("total=")))
    };
    let some_us = number(total("some").ok_or(Malformed::Missing("some"))??)?;
    let full_us = total("full").transpose()?.map(number).transpose()?.unwrap_or(0);
    Ok(Stall { some_us, full_us })
}

/// Limit hits in v2 `memory.events`: memory was reclaimed above `memory.high` or refused at `memory.max`.
pub(super) fn memory_limit_hits(text: &str) -> Result<u64, Malformed> {
    let count = |key| value(text, key)?.ok_or(Malformed::Missing(key));
    Ok(count("high")? + count("max")?)
}

/// `oom_kill` of v2 `memory.events` or v1 `memory.oom_control`.
pub(super) fn oom_kills(text: &str) -> Result<u64, Malformed> {
    value(text, "oom_kill")?.ok_or(Malformed::Missing("oom_kill"))
}

/// A file that holds one number.
pub(super) fn single(text: &str) -> Result<u64, Malformed> {
    number(text.trim_end())
}

/// Value of a `key value` line. `None`: no such line.
fn value(text: &str, key: &str) -> Result<Option<u64>, Malformed> {
    text.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(' ')).map(number).transpose()
}

fn number(text: &str) -> Result<u64, Malformed> {
    text.parse().map_err(|_| Malformed::Number(text.chars().take(40).collect()))
}

#[cfg(test)]
mod tests {
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
}

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
    Ok(count("high")?.saturating_add(count("max")?))
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
mod tests;

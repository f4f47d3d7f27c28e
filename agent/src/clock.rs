//! The clock of the kernel programs, and the wall clock.

use crate::system;
use std::{fs, sync::OnceLock, time::Duration};

/// `CLOCK_MONOTONIC` as the kernel programs read it (`bpf_ktime_get_ns`): without the offset of the process's time
/// namespace (time_namespaces(7)), which the kernel programs don't have.
#[cfg_attr(
    not(all(feature = "ebpf", target_os = "linux")),
    expect(unreachable_pub, reason = "the kernel room exports it")
)]
pub fn monotonic() -> Duration {
    static OFFSET: OnceLock<i128> = OnceLock::new();
    let offset = OFFSET.get_or_init(|| {
        // Absent without time namespaces.
        fs::read_to_string("/proc/self/timens_offsets").map_or(0, |text| offset_ns(&text))
    });
    Duration::from_nanos(u64::try_from(system::monotonic_ns() - offset).unwrap_or(0))
}

/// The wall clock, ms since the Unix epoch: for stamps alone. It steps, so no duration comes from it.
#[cfg(all(feature = "ebpf", target_os = "linux"))]
#[expect(clippy::disallowed_methods, reason = "the one place")]
pub(crate) fn unix_ms() -> u64 {
    use std::time::SystemTime;
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.as_millis() as u64)
}

/// The offset of the monotonic clock: `monotonic SECONDS NANOSECONDS`. Without such a line it is zero.
fn offset_ns(text: &str) -> i128 {
    let fields = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let offset = |fields: Vec<&str>| match fields[..] {
        ["monotonic", seconds, ns] => Some(seconds.parse::<i128>().ok()? * 1_000_000_000 + ns.parse::<i128>().ok()?),
        _ => None,
    };
    fields.filter_map(offset).next().unwrap_or(0)
}

#[cfg(test)]
mod tests;

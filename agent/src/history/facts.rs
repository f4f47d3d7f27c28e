//! Control files of cgroups, and the programs' own counters, as rows.

use crate::sample::{CgroupFacts, CpuStat, Pressure, Words};
use netwhy_abi::Counter;

/// A value that may be missing: whether it is there, and the value.
fn put_maybe(words: &mut Vec<u64>, value: Option<u64>) {
    words.extend([u64::from(value.is_some()), value.unwrap_or(0)]);
}

fn take_maybe(words: &mut impl Iterator<Item = u64>) -> Option<u64> {
    let (is_there, value) = (u64::take(words), u64::take(words));
    (is_there != 0).then_some(value)
}

/// Without the path: a cgroup has one name all its life.
impl Words for CgroupFacts {
    const WORDS: usize = 24;

    fn put(&self, words: &mut Vec<u64>) {
        let Self { id: _, path: _, alive, cpu, usage_us, cpu_weight, memory_limit_hits, pressure, oom_kills, oom_own } =
            self;
        words.extend([u64::from(*alive), u64::from(*oom_own)]);
        [*usage_us, *cpu_weight, *memory_limit_hits, *oom_kills].iter().for_each(|value| put_maybe(words, *value));
        let CpuStat { periods, throttled_periods, throttled_us, usage_us, limit_millicores } = cpu.unwrap_or_default();
        words.extend([u64::from(cpu.is_some()), periods, throttled_periods, throttled_us, usage_us]);
        put_maybe(words, limit_millicores);
        let Pressure { cpu_some_us, cpu_full_us, memory_some_us, memory_full_us, io_some_us, io_full_us } =
            pressure.unwrap_or_default();
        words.extend([u64::from(pressure.is_some()), cpu_some_us, cpu_full_us]);
        words.extend([memory_some_us, memory_full_us, io_some_us, io_full_us]);
    }

    fn take(words: &mut impl Iterator<Item = u64>) -> Self {
        let (alive, oom_own) = (u64::take(words) != 0, u64::take(words) != 0);
        let [usage_us, cpu_weight, memory_limit_hits, oom_kills] = std::array::from_fn(|_| take_maybe(words));
        let mut word = || words.next().unwrap_or(0);
        let has_cpu = word() != 0;
        let [periods, throttled_periods, throttled_us, cpu_usage_us] = std::array::from_fn(|_| word());
        let limit_millicores = take_maybe(words);
        let mut word = || words.next().unwrap_or(0);
        let has_pressure = word() != 0;
        let [cpu_some_us, cpu_full_us, memory_some_us, memory_full_us, io_some_us, io_full_us] =
            std::array::from_fn(|_| word());
        let cpu = CpuStat { periods, throttled_periods, throttled_us, usage_us: cpu_usage_us, limit_millicores };
        let pressure = Pressure { cpu_some_us, cpu_full_us, memory_some_us, memory_full_us, io_some_us, io_full_us };
        Self {
            alive,
            oom_own,
            usage_us,
            cpu_weight,
            memory_limit_hits,
            oom_kills,
            cpu: has_cpu.then_some(cpu),
            pressure: has_pressure.then_some(pressure),
            ..Self::default()
        }
    }

    fn parts() -> Vec<(&'static str, usize)> {
        // A part whose size changes is another part: give it another name.
        let flags = [("alive", 1), ("oom_own", 1)];
        let values = [("usage", 2), ("cpu_weight", 2), ("memory_limit_hits", 2), ("oom_kills", 2)];
        flags.into_iter().chain(values).chain([("cpu", 7), ("pressure", 7)]).collect()
    }
}

/// The programs' own counters: a table of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counters(pub(super) [u64; Counter::ALL.len()]);

impl Words for Counters {
    const WORDS: usize = Counter::ALL.len();

    fn put(&self, words: &mut Vec<u64>) {
        self.0.put(words);
    }

    fn take(words: &mut impl Iterator<Item = u64>) -> Self {
        Self(Words::take(words))
    }

    fn parts() -> Vec<(&'static str, usize)> {
        Counter::ALL.iter().map(|counter| (counter.label(), 1)).collect()
    }
}

#[cfg(test)]
mod tests;

//! From cumulative snapshots to their growth.

use super::{
    CgroupFacts, Counted, CpuStat, Cumulative as _, Families, Growth, Highest, HostKey, Pressure, Rows, Snapshot,
    Sum as _, SumOf, Table as _, host::HostLedger,
};
use netwhy_abi::{EdgeKey, OverflowKey, RotatingMin, Zero as _, min_slot_epoch};
use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

/// Slots of the rotating minimum that count as the window, besides the current one: 8.6 … 12.9 s.
const MIN_BACK: u32 = 2;

/// Growth between two snapshots.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// Time of the newer one, monotonic.
    pub at: Duration,
    /// Time between the two; zero for the first.
    pub elapsed: Duration,
    /// When the newest walk began. `None`: not known.
    pub walked_at: Option<Duration>,
    /// Growth of the kernel programs' rows, where they counted something.
    pub growth: Families<Growth>,
    /// cgroup control files, all cgroups that have any.
    pub facts: Vec<(u64, FactsDelta)>,
    /// The Node's own counters, zeros included.
    pub host: Vec<(HostKey, u64)>,
}

/// Growth of one cgroup's control-file counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FactsDelta {
    /// `None`: no controller.
    pub cpu: Option<CpuStat>,
    /// `None`: not offered.
    pub pressure: Option<Pressure>,
    /// `None`: no controller.
    pub oom_kills: Option<u64>,
    /// True when `oom_kills` leaves out descendants.
    pub oom_own: bool,
    /// CPU time used, µs. `None`: not accounted for.
    pub usage_us: Option<u64>,
    /// Times at its own memory limits. `None`: no controller.
    pub memory_limit_hits: Option<u64>,
}

/// The highest values of every row so far.
#[derive(Debug, Default)]
pub struct Ledger {
    started: bool,
    at: Duration,
    highest: Families<Highest>,
    facts: HashMap<u64, CgroupFacts>,
    host: HostLedger,
}

impl Ledger {
    /// Takes the next snapshot and returns its growth.
    ///
    /// Kernel rows begin at zero when the agent attaches, so all that they hold is news. Control files are older than
    /// the agent: the first snapshot is their base; a cgroup that appears later begins at zero.
    pub fn take(&mut self, snapshot: &Snapshot) -> Frame {
        let elapsed = if self.started { snapshot.at.saturating_sub(self.at) } else { Duration::ZERO };
        let mut frame = Frame { at: snapshot.at, elapsed, walked_at: snapshot.walked_at, ..Frame::default() };
        for_each_family!(F => {
            *F::of_mut(&mut frame.growth) = growth::<F>(F::of_mut(&mut self.highest), F::of(&snapshot.tables));
        });
        for now in &snapshot.groups {
            let base = match self.facts.get(&now.id) {
                Some(last) => last.clone(),
                None if self.started => CgroupFacts::default(),
                None => now.clone(),
            };
            let delta = facts_between(&base, now);
            if delta != FactsDelta::default() {
                frame.facts.push((now.id, delta));
            }
            self.facts.insert(now.id, now.clone());
        }
        if let Some(sample) = &snapshot.host {
            frame.host = self.host.take(sample);
        }
        let named: HashSet<u64> = snapshot.groups.iter().map(|g| g.id).collect();
        self.facts.retain(|id, _| named.contains(id));
        self.started = true;
        self.at = snapshot.at;
        frame
    }

    /// Lowest RTT (µs) of an edge over about the last ten seconds before `now`. `None`: no sample in that time.
    pub fn min_rtt_us(&self, key: &EdgeKey, now: Duration) -> Option<u32> {
        lowest(&self.highest.edges.get(key)?.min_rtt_us, now)
    }

    /// The same of an overflow row.
    pub fn overflow_min_rtt_us(&self, key: &OverflowKey, now: Duration) -> Option<u32> {
        lowest(&self.highest.overflow.get(key)?.min_rtt_us, now)
    }
}

fn lowest(slots: &RotatingMin, now: Duration) -> Option<u32> {
    slots.lowest(min_slot_epoch(now.as_nanos() as u64), MIN_BACK)
}

/// Growth of a family's rows since the highest values so far, which it raises. Rows that are gone begin at zero again.
pub(super) fn growth<F: Counted>(highest: &mut HashMap<F::Key, F::Row>, table: &Rows<F>) -> Vec<(F::Key, SumOf<F>)> {
    let mut grown = Vec::new();
    for (key, row) in &table.rows {
        let high = highest.entry(*key).or_insert(F::Row::ZERO);
        let growth = row.growth(high);
        high.raise(row);
        if !growth.is_zero() {
            grown.push((*key, growth));
        }
    }
    for key in &table.gone {
        highest.remove(key);
    }
    grown
}

fn facts_between(last: &CgroupFacts, now: &CgroupFacts) -> FactsDelta {
    let d = |a: u64, b: u64| b.saturating_sub(a);
    let cpu = now.cpu.map(|b| {
        let a = last.cpu.unwrap_or_default();
        CpuStat {
            periods: d(a.periods, b.periods),
            throttled_periods: d(a.throttled_periods, b.throttled_periods),
            throttled_us: d(a.throttled_us, b.throttled_us),
            usage_us: d(a.usage_us, b.usage_us),
            limit_millicores: b.limit_millicores,
        }
    });
    let pressure = now.pressure.map(|b| {
        let a = last.pressure.unwrap_or_default();
        Pressure {
            cpu_some_us: d(a.cpu_some_us, b.cpu_some_us),
            cpu_full_us: d(a.cpu_full_us, b.cpu_full_us),
            memory_some_us: d(a.memory_some_us, b.memory_some_us),
            memory_full_us: d(a.memory_full_us, b.memory_full_us),
            io_some_us: d(a.io_some_us, b.io_some_us),
            io_full_us: d(a.io_full_us, b.io_full_us),
        }
    });
    let grown = |last: Option<u64>, now: Option<u64>| now.map(|b| d(last.unwrap_or(0), b));
    FactsDelta {
        cpu,
        pressure,
        oom_kills: grown(last.oom_kills, now.oom_kills),
        oom_own: now.oom_own,
        usage_us: grown(last.usage_us, now.usage_us),
        memory_limit_hits: grown(last.memory_limit_hits, now.memory_limit_hits),
    }
}

impl FactsDelta {
    /// Adds another growth; a limit is the newer one's.
    pub fn add(&mut self, other: &Self) {
        if let Some(b) = other.cpu {
            let a = self.cpu.get_or_insert_default();
            a.periods += b.periods;
            a.throttled_periods += b.throttled_periods;
            a.throttled_us += b.throttled_us;
            a.usage_us += b.usage_us;
            a.limit_millicores = b.limit_millicores.or(a.limit_millicores);
        }
        if let Some(b) = other.pressure {
            let a = self.pressure.get_or_insert_default();
            a.cpu_some_us += b.cpu_some_us;
            a.cpu_full_us += b.cpu_full_us;
            a.memory_some_us += b.memory_some_us;
            a.memory_full_us += b.memory_full_us;
            a.io_some_us += b.io_some_us;
            a.io_full_us += b.io_full_us;
        }
        if let Some(b) = other.oom_kills {
            *self.oom_kills.get_or_insert_default() += b;
            self.oom_own = other.oom_own;
        }
        if let Some(b) = other.usage_us {
            *self.usage_us.get_or_insert_default() += b;
        }
        if let Some(b) = other.memory_limit_hits {
            *self.memory_limit_hits.get_or_insert_default() += b;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use netwhy_abi::EdgeStats;

    fn edge(cgroup: u64) -> EdgeKey {
        EdgeKey::new(cgroup, [7; 16])
    }

    fn snapshot(at: u64, segs: u64) -> Snapshot {
        let row = EdgeStats { data_segs_out: segs, ..EdgeStats::ZERO };
        with(at, row)
    }

    fn with(at: u64, row: EdgeStats) -> Snapshot {
        let mut snapshot = Snapshot { at: Duration::from_secs(at), ..Snapshot::default() };
        snapshot.tables.edges.rows.push((edge(1), row));
        snapshot
    }

    #[test]
    fn sums_of_frames_equal_the_last_row_even_when_a_read_steps_back() {
        let mut ledger = Ledger::default();
        let mut sum = 0;
        for (at, segs) in [(1, 10), (2, 30), (3, 25), (4, 60)] {
            let frame = ledger.take(&snapshot(at, segs));
            sum += frame.growth.edges.iter().map(|(_, t)| t.data_segs_out).sum::<u64>();
        }
        assert_eq!(sum, 60);
    }

    #[test]
    fn a_row_that_steps_back_from_zero_is_no_giant_count() {
        let mut ledger = Ledger::default();
        let mut sum = 0;
        for (at, segs) in [(1, 3u64.wrapping_neg()), (2, 0), (3, 4)] {
            let frame = ledger.take(&snapshot(at, segs));
            sum += frame.growth.edges.iter().map(|(_, t)| t.data_segs_out).sum::<u64>();
        }
        assert_eq!(sum, 4);
    }

    #[test]
    fn bucket_counts_survive_wrapping() {
        let mut ledger = Ledger::default();
        let mut row = EdgeStats::ZERO;
        row.rtt.buckets[5] = u32::MAX;
        ledger.take(&with(1, row));
        row.rtt.buckets[5] = 4;
        let frame = ledger.take(&with(2, row));
        assert_eq!(frame.growth.edges[0].1.rtt.counts(), &[(5, 5)]);
    }

    #[test]
    fn a_row_that_was_retired_and_returns_counts_from_zero() {
        let mut ledger = Ledger::default();
        ledger.take(&snapshot(1, 10));
        let mut retired = snapshot(2, 12);
        retired.tables.edges.gone.push(edge(1));
        ledger.take(&retired);
        let frame = ledger.take(&snapshot(3, 5));
        assert_eq!(frame.growth.edges[0].1.data_segs_out, 5);
    }

    #[test]
    fn control_files_older_than_the_agent_count_from_their_first_reading() {
        let mut ledger = Ledger::default();
        let with = |at, id, kills| Snapshot {
            at: Duration::from_secs(at),
            groups: vec![CgroupFacts { id, oom_kills: Some(kills), alive: true, ..CgroupFacts::default() }],
            ..Snapshot::default()
        };
        assert_eq!(ledger.take(&with(1, 1, 40)).facts[0].1.oom_kills, Some(0));
        assert_eq!(ledger.take(&with(2, 1, 41)).facts[0].1.oom_kills, Some(1));
        assert_eq!(ledger.take(&with(3, 2, 2)).facts[0].1.oom_kills, Some(2), "a new cgroup began at zero");
    }
}

//! From cumulative snapshots to what happened between them.

use super::{
    CgroupFacts, Connects, CpuStat, Histogram, HostKey, Lookups, Pressure, Snapshot, Tally,
    host::HostLedger,
    tally::{min_rtt_us, raise},
};
use netwhy_abi::{CgroupStats, DnsStats, DropKey, EdgeKey, EdgeStats, PeerClass, RunQueueStats, min_slot_epoch};
use std::{collections::HashMap, time::Duration};

/// Slots of the rotating minimum that count as the window, besides the current one: 8.6 … 12.9 s.
const MIN_BACK: u32 = 2;

/// What happened between two snapshots.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// Time of the newer one, monotonic.
    pub at: Duration,
    /// Time between the two; zero for the first.
    pub elapsed: Duration,
    /// Edges that counted something.
    pub edges: Vec<(EdgeKey, Tally)>,
    /// Rows of full maps that counted something.
    pub overflow: Vec<((u64, PeerClass), Tally)>,
    /// cgroup rows that counted something.
    pub connects: Vec<(u64, Connects)>,
    /// Dropped packets.
    pub drops: Vec<(DropKey, u64)>,
    /// DNS lookups that ended, by cgroup and server.
    pub lookups: Vec<(EdgeKey, Lookups)>,
    /// Waits for a CPU, by cgroup.
    pub run_queue: Vec<(u64, Histogram)>,
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

/// The last values of every row.
#[derive(Debug, Default)]
pub struct Ledger {
    started: bool,
    at: Duration,
    edges: HashMap<EdgeKey, EdgeStats>,
    overflow: HashMap<(u64, PeerClass), EdgeStats>,
    cgroups: HashMap<u64, CgroupStats>,
    drops: HashMap<DropKey, u64>,
    dns: HashMap<EdgeKey, DnsStats>,
    run_queue: HashMap<u64, RunQueueStats>,
    facts: HashMap<u64, CgroupFacts>,
    host: HostLedger,
}

impl Ledger {
    /// Takes the next snapshot and returns what it adds.
    ///
    /// Kernel rows begin at zero when the agent attaches, so all that they hold is news. Control files are older than
    /// the agent: the first snapshot is their base; a cgroup that appears later begins at zero.
    pub fn take(&mut self, snapshot: &Snapshot) -> Frame {
        let elapsed = if self.started { snapshot.at.saturating_sub(self.at) } else { Duration::ZERO };
        let mut frame = Frame { at: snapshot.at, elapsed, ..Frame::default() };
        for (key, row) in &snapshot.edges {
            let high = self.edges.entry(*key).or_insert(EdgeStats::ZERO);
            push(&mut frame.edges, *key, Tally::between(high, row));
            raise(high, row);
        }
        for (key, row) in &snapshot.overflow {
            let high = self.overflow.entry(*key).or_insert(EdgeStats::ZERO);
            push(&mut frame.overflow, *key, Tally::between(high, row));
            raise(high, row);
        }
        for (id, row) in &snapshot.cgroups {
            let last = self.cgroups.entry(*id).or_insert(CgroupStats::ZERO);
            let delta = connects_between(last, row);
            if !delta.is_zero() {
                frame.connects.push((*id, delta));
            }
            *last = *row;
        }
        for (key, now) in &snapshot.drops {
            let last = self.drops.entry(*key).or_insert(0);
            if *now > *last {
                frame.drops.push((*key, now - *last));
            }
            *last = (*last).max(*now);
        }
        for (key, row) in &snapshot.dns {
            let last = self.dns.entry(*key).or_insert(DnsStats::ZERO);
            let delta = Lookups::between(last, row);
            if delta.count() > 0 {
                frame.lookups.push((*key, delta));
            }
            *last = *row;
        }
        for (id, row) in &snapshot.run_queue {
            let last = self.run_queue.entry(*id).or_insert(RunQueueStats::ZERO);
            let delta = waits_between(last, row);
            if !delta.is_empty() {
                frame.run_queue.push((*id, delta));
            }
            *last = *row;
        }
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
        for key in &snapshot.gone_edges {
            self.edges.remove(key);
        }
        for key in &snapshot.gone_overflow {
            self.overflow.remove(key);
        }
        for id in &snapshot.gone_cgroups {
            self.cgroups.remove(id);
        }
        for key in &snapshot.gone_drops {
            self.drops.remove(key);
        }
        for key in &snapshot.gone_dns {
            self.dns.remove(key);
        }
        for id in &snapshot.gone_run_queue {
            self.run_queue.remove(id);
        }
        let named: std::collections::HashSet<u64> = snapshot.groups.iter().map(|g| g.id).collect();
        self.facts.retain(|id, _| named.contains(id));
        self.started = true;
        self.at = snapshot.at;
        frame
    }

    /// Lowest RTT (µs) of an edge over about the last ten seconds before `now`. `None`: no sample in that time.
    pub fn min_rtt_us(&self, key: &EdgeKey, now: Duration) -> Option<u32> {
        let row = self.edges.get(key)?;
        min_rtt_us(row, min_slot_epoch(now.as_nanos() as u64), MIN_BACK)
    }

    /// The same of a full map's row.
    pub fn overflow_min_rtt_us(&self, key: &(u64, PeerClass), now: Duration) -> Option<u32> {
        let row = self.overflow.get(key)?;
        min_rtt_us(row, min_slot_epoch(now.as_nanos() as u64), MIN_BACK)
    }
}

fn push<K>(list: &mut Vec<(K, Tally)>, key: K, delta: Tally) {
    if !delta.is_zero() {
        list.push((key, delta));
    }
}

fn waits_between(last: &RunQueueStats, now: &RunQueueStats) -> Histogram {
    let pairs = last.buckets.iter().zip(&now.buckets).enumerate();
    let counts = pairs.map(|(i, (a, b))| (i as u8, u64::from(b.wrapping_sub(*a))));
    // Both rounded down, so that sums of differences stay the sum.
    Histogram::from_counts(counts, (now.sum_ns / 1_000).saturating_sub(last.sum_ns / 1_000))
}

fn connects_between(last: &CgroupStats, now: &CgroupStats) -> Connects {
    let durations = std::array::from_fn(|role| {
        let pairs = last.connect_buckets[role].iter().zip(&now.connect_buckets[role]);
        let counts = pairs.enumerate().map(|(i, (a, b))| (i as u8, u64::from(b.wrapping_sub(*a))));
        Histogram::from_counts(counts, now.connect_sum_us[role].saturating_sub(last.connect_sum_us[role]))
    });
    Connects {
        durations,
        accept_drops: now.accept_drops.saturating_sub(last.accept_drops),
        accept_full: now.accept_full.saturating_sub(last.accept_full),
    }
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

    fn edge(cgroup: u64) -> EdgeKey {
        EdgeKey { cgroup, addr: [7; 16] }
    }

    fn snapshot(at: u64, segs: u64) -> Snapshot {
        let row = EdgeStats { data_segs_out: segs, ..EdgeStats::ZERO };
        Snapshot { at: Duration::from_secs(at), edges: vec![(edge(1), row)], ..Snapshot::default() }
    }

    #[test]
    fn sums_of_frames_equal_the_last_row_even_when_a_read_steps_back() {
        let mut ledger = Ledger::default();
        let mut sum = 0;
        for (at, segs) in [(1, 10), (2, 30), (3, 25), (4, 60)] {
            let frame = ledger.take(&snapshot(at, segs));
            sum += frame.edges.iter().map(|(_, t)| t.data_segs_out).sum::<u64>();
        }
        assert_eq!(sum, 60);
    }

    #[test]
    fn a_row_that_steps_back_from_zero_is_no_giant_count() {
        let mut ledger = Ledger::default();
        let mut sum = 0;
        for (at, segs) in [(1, 3u64.wrapping_neg()), (2, 0), (3, 4)] {
            let frame = ledger.take(&snapshot(at, segs));
            sum += frame.edges.iter().map(|(_, t)| t.data_segs_out).sum::<u64>();
        }
        assert_eq!(sum, 4);
    }

    #[test]
    fn bucket_counts_survive_wrapping() {
        let mut ledger = Ledger::default();
        let mut row = EdgeStats::ZERO;
        row.rtt_buckets[5] = u32::MAX;
        let with =
            |at, row| Snapshot { at: Duration::from_secs(at), edges: vec![(edge(1), row)], ..Snapshot::default() };
        ledger.take(&with(1, row));
        row.rtt_buckets[5] = 4;
        let frame = ledger.take(&with(2, row));
        assert_eq!(frame.edges[0].1.rtt.counts(), &[(5, 5)]);
    }

    #[test]
    fn a_row_that_was_retired_and_returns_counts_from_zero() {
        let mut ledger = Ledger::default();
        ledger.take(&snapshot(1, 10));
        ledger.take(&Snapshot { gone_edges: vec![edge(1)], ..snapshot(2, 12) });
        let frame = ledger.take(&snapshot(3, 5));
        assert_eq!(frame.edges[0].1.data_segs_out, 5);
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

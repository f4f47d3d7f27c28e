//! Walks over all living sockets.

use super::{control::Room, load::Loaded, sys};
use crate::api::WalkStats;
use aya::{
    maps::Map,
    programs::{Iter, Program},
};
use netwhy_abi::{Control, WalkSummary};
use std::{
    fs::File,
    io::Read,
    os::fd::AsFd as _,
    time::{Duration, Instant},
};

/// The program that visits the subflows of MPTCP connections.
pub(super) const SUBFLOW_PROGRAM: &str = "nw_walk_subflows";

/// Values of CONFIG_HZ in the wild.
const HZ: [u32; 6] = [100, 250, 300, 500, 1000, 1024];

/// Paces the walks and learns the kernel's HZ from them.
pub(super) struct Walker {
    min_interval: Duration,
    cpu_share: f64,
    next: Duration,
    first: Option<(u64, u64)>,
    pub(super) hz: Option<u32>,
    /// When the newest walk began. `None`: none yet.
    pub(super) walked_at: Option<Duration>,
    /// Walks so far.
    pub(super) walks: u64,
    /// The newest walk. `None`: none yet.
    pub(super) newest: Option<WalkStats>,
}

impl Walker {
    /// At most one walk per `min_interval`, and at most `cpu_share` of one core on average.
    pub(super) fn new(min_interval: Duration, cpu_share: f64) -> Self {
        Self {
            min_interval,
            cpu_share,
            next: Duration::ZERO,
            first: None,
            hz: None,
            walked_at: None,
            walks: 0,
            newest: None,
        }
    }

    /// Whether a walk is due.
    pub(super) fn due(&self, now: Duration) -> bool {
        now >= self.next
    }

    /// Makes one walk. The first takes the figures of sockets older than the agent as their base.
    pub(super) fn walk(&mut self, loaded: &mut Loaded, now: Duration, room: Room) -> anyhow::Result<()> {
        let duties = loaded.duties();
        let number = self.walks + 1;
        let mut control = Control {
            baseline: u32::from(number == 1),
            // Zero is what a socket has that no walk has seen.
            walk: (number as u32).max(1),
            edges_full: u32::from(room == Room::None),
            ports_folded: u32::from(room != Room::Enough),
            rtt_duty: duties.rtt as u32,
            handshake_duty: duties.handshakes as u32,
        };
        loaded.set_control(control)?;
        loaded.clear_walk()?;
        let began = Instant::now();
        let result = loaded.run_walk();
        let took = began.elapsed();
        if control.baseline == 1 {
            control.baseline = 0;
            loaded.set_control(control)?;
        }
        let summary = result?;
        self.learn_hz(&summary);
        let interval = self.min_interval.max(took.div_f64(self.cpu_share.max(1e-6)));
        self.next = now + interval;
        self.walks = number;
        self.walked_at = Some(now);
        self.newest = Some(WalkStats {
            sockets: summary.sockets,
            listeners: summary.listeners,
            seconds: took.as_secs_f64(),
            interval_seconds: interval.as_secs_f64(),
        });
        Ok(())
    }

    /// Jiffies per second, from two walks at least half a second apart.
    fn learn_hz(&mut self, summary: &WalkSummary) {
        let (ns, jiffies) = *self.first.get_or_insert((summary.ktime_ns, summary.jiffies));
        let (ns, jiffies) = (summary.ktime_ns.saturating_sub(ns), summary.jiffies.saturating_sub(jiffies));
        if self.hz.is_none() && ns >= 500_000_000 {
            let rate = jiffies as f64 * 1e9 / ns as f64;
            self.hz = HZ.into_iter().find(|hz| (rate / f64::from(*hz) - 1.0).abs() < 0.05);
        }
    }
}

impl Loaded {
    /// The iterator's file; reading it walks.
    pub(super) fn walk_file(&mut self) -> anyhow::Result<File> {
        let program = self.ebpf.program_mut("nw_walk").ok_or_else(|| anyhow::anyhow!("no program nw_walk"))?;
        let Program::Iter(program) = program else { anyhow::bail!("nw_walk is no iterator") };
        let program: &mut Iter = program;
        let link = program.attach()?;
        Ok(program.take_link(link)?.into_file()?)
    }

    /// The file of the iterator over the subflows of MPTCP connections. `None`: the kernel has no MPTCP.
    pub(super) fn subflow_file(&self) -> anyhow::Result<Option<File>> {
        let program = self.ebpf.program(SUBFLOW_PROGRAM).and_then(|program| program.fd().ok());
        let (Some(program), Some(Map::SkStorage(marks))) = (program, self.ebpf.map("SUBFLOW_MARKS")) else {
            return Ok(None);
        };
        Ok(Some(sys::iterate(program.as_fd(), marks.fd().as_fd())?))
    }

    fn run_walk(&mut self) -> anyhow::Result<WalkSummary> {
        // First, so that the other one's summary has its sockets too.
        if let Some(mut subflows) = self.subflow_file()? {
            subflows.read_to_end(&mut Vec::new())?;
        }
        let mut file = self.walk_file()?;
        let mut bytes = Vec::with_capacity(4096);
        file.read_to_end(&mut bytes)?;
        let word = |i: usize| -> u64 {
            bytes.get(8 * i..8 * i + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_ne_bytes)
        };
        anyhow::ensure!(bytes.len() == size_of::<WalkSummary>(), "a walk reported {} bytes", bytes.len());
        Ok(WalkSummary { ktime_ns: word(0), jiffies: word(1), sockets: word(2), listeners: word(3) })
    }
}

#[cfg(test)]
mod tests;

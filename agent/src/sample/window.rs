//! Sums over the last seconds.

use super::{Connects, Histogram, HostKey, Lookups, Tally, ledger::FactsDelta, ledger::Frame};
use netwhy_abi::{EdgeKey, PeerClass};
use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    time::Duration,
};

/// The frames of the last `length`, and their sums, kept up to date by adding what comes and taking away what goes.
#[derive(Debug)]
pub struct Window {
    length: Duration,
    frames: VecDeque<Frame>,
    edges: HashMap<EdgeKey, Tally>,
    overflow: HashMap<(u64, PeerClass), Tally>,
}

impl Window {
    /// An empty window.
    pub fn new(length: Duration) -> Self {
        Self { length, frames: VecDeque::new(), edges: HashMap::new(), overflow: HashMap::new() }
    }

    /// Adds a frame and forgets those that ended `length` or more before its end.
    pub fn push(&mut self, frame: Frame) {
        for (key, tally) in &frame.edges {
            self.edges.entry(*key).or_default().add(tally);
        }
        for (key, tally) in &frame.overflow {
            self.overflow.entry(*key).or_default().add(tally);
        }
        let begin = frame.at.saturating_sub(self.length);
        self.frames.push_back(frame);
        while self.frames.front().is_some_and(|old| old.at <= begin) {
            let Some(old) = self.frames.pop_front() else { break };
            for (key, tally) in &old.edges {
                take_away(&mut self.edges, key, tally);
            }
            for (key, tally) in &old.overflow {
                take_away(&mut self.overflow, key, tally);
            }
        }
    }

    /// Time that the sums cover.
    pub fn covered(&self) -> Duration {
        self.frames.iter().map(|frame| frame.elapsed).sum()
    }

    /// True once the sums cover any time at all: a first, still shorter window was computed.
    pub fn is_computed(&self) -> bool {
        self.covered() > Duration::ZERO
    }

    /// Edges that counted something.
    pub fn edges(&self) -> &HashMap<EdgeKey, Tally> {
        &self.edges
    }

    /// Sums of the frames of the last `length`, of edges that counted something then.
    pub fn recent(&self, length: Duration) -> HashMap<EdgeKey, Tally> {
        let mut sums: HashMap<EdgeKey, Tally> = HashMap::new();
        let begin = self.frames.back().map_or(Duration::ZERO, |last| last.at.saturating_sub(length));
        for (key, tally) in self.frames.iter().rev().take_while(|frame| frame.at > begin).flat_map(|f| &f.edges) {
            sums.entry(*key).or_default().add(tally);
        }
        sums
    }

    /// Edges whose peer acknowledged or sent data, or shook hands, in the last frame.
    pub fn answered(&self) -> HashSet<EdgeKey> {
        let last = self.frames.back().into_iter().flat_map(|frame| &frame.edges);
        last.filter(|(_, tally)| tally.has_answer()).map(|(key, _)| *key).collect()
    }

    /// Rows of full maps that counted something.
    pub fn overflow(&self) -> &HashMap<(u64, PeerClass), Tally> {
        &self.overflow
    }

    /// Handshakes by cgroup.
    pub fn connects(&self) -> HashMap<u64, Connects> {
        let mut sums: HashMap<u64, Connects> = HashMap::new();
        for (id, connects) in self.frames.iter().flat_map(|frame| &frame.connects) {
            sums.entry(*id).or_default().add(connects);
        }
        sums
    }

    /// DNS lookups by cgroup and server.
    pub fn lookups(&self) -> HashMap<EdgeKey, Lookups> {
        let mut sums: HashMap<EdgeKey, Lookups> = HashMap::new();
        for (key, lookups) in self.frames.iter().flat_map(|frame| &frame.lookups) {
            sums.entry(*key).or_default().add(lookups);
        }
        sums
    }

    /// Waits for a CPU by cgroup.
    pub fn run_queue(&self) -> HashMap<u64, Histogram> {
        let mut sums: HashMap<u64, Histogram> = HashMap::new();
        for (id, waits) in self.frames.iter().flat_map(|frame| &frame.run_queue) {
            sums.entry(*id).or_default().add(waits);
        }
        sums
    }

    /// Control files by cgroup.
    pub fn facts(&self) -> HashMap<u64, FactsDelta> {
        let mut sums: HashMap<u64, FactsDelta> = HashMap::new();
        for (id, facts) in self.frames.iter().flat_map(|frame| &frame.facts) {
            sums.entry(*id).or_default().add(facts);
        }
        sums
    }

    /// The Node's own counters.
    pub fn host(&self) -> BTreeMap<HostKey, u64> {
        let mut sums = BTreeMap::new();
        for (key, n) in self.frames.iter().flat_map(|frame| &frame.host) {
            *sums.entry(key.clone()).or_default() += n;
        }
        sums
    }
}

fn take_away<K: std::hash::Hash + Eq>(sums: &mut HashMap<K, Tally>, key: &K, tally: &Tally) {
    if let Some(sum) = sums.get_mut(key) {
        sum.subtract(tally);
        if sum.is_zero() {
            sums.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(at: u64, segs: u64, bucket: u8) -> Frame {
        let tally =
            Tally { data_segs_out: segs, rtt: Histogram::from_counts([(bucket, segs)], segs * 10), ..Tally::default() };
        Frame {
            at: Duration::from_secs(at),
            elapsed: Duration::from_secs(1),
            edges: vec![(EdgeKey { cgroup: 1, addr: [0; 16] }, tally)],
            ..Frame::default()
        }
    }

    #[test]
    fn running_sums_equal_the_sum_of_the_frames_inside() {
        let mut window = Window::new(Duration::from_secs(3));
        for at in 1..=10 {
            window.push(frame(at, at, (at % 4) as u8));
        }
        let sum = window.edges().values().next().unwrap();
        assert_eq!(sum.data_segs_out, 8 + 9 + 10);
        assert_eq!(sum.rtt.count(), 27);
        assert_eq!(sum.rtt.sum_us, 270);
        assert!(window.is_computed());
        let recent = window.recent(Duration::from_secs(2));
        assert_eq!(recent.values().next().unwrap().data_segs_out, 9 + 10);
    }

    #[test]
    fn an_edge_without_news_leaves_the_window() {
        let mut window = Window::new(Duration::from_secs(2));
        window.push(frame(1, 5, 0));
        for at in 2..5 {
            window.push(Frame { at: Duration::from_secs(at), elapsed: Duration::from_secs(1), ..Frame::default() });
        }
        assert!(window.edges().is_empty());
    }
}

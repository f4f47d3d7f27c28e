//! Baselines of all edges and of the peer classes.

use super::{
    edge::{Clock, EdgeMemory},
    lowest::Lowest,
    mean::{Loss, Mean, SHRINK_SEGMENTS, Step},
    path::Path,
    pools::{Losses, Pools},
    walks::Walks,
};
use crate::{
    hints::thresholds::Thresholds,
    sample,
    state::{EdgeView, NodeView, PathRtt, Usual},
};
use netwhy_abi::PeerClass;
use std::{collections::BTreeMap, time::Duration};

/// Of `n` trials without an event, the chance of one is below 3/n with 95 % confidence.
const RULE_OF_THREE: f64 = 3.0;
/// Lowest loss ratio that is ever called normal: with a baseline of zero every loss would be a hint.
const LOSS_FLOOR: f64 = 1e-4;
/// Growth of the window between two ticks up to which their sums can be compared.
const WINDOW_JITTER: Duration = Duration::from_millis(100);
/// Edges without traffic for this long are forgotten.
const FORGET: Duration = Duration::from_secs(600);
/// Edges remembered: ≈ 500 bytes each, and a kilobyte more with response times. Above it only those of the present view
/// are kept.
const MAX_EDGES: usize = 20_000;

/// All edges' baselines, and their classes'.
#[derive(Debug, Default)]
pub(crate) struct EdgeMemories {
    edges: BTreeMap<u64, EdgeMemory>,
    classes: [Loss; PeerClass::ALL.len()],
    /// Logarithm of the minimum RTT, µs, of each class's edges.
    class_minimums: [Mean; PeerClass::ALL.len()],
    pools: Pools,
    last_at: Option<Duration>,
    last_window: Duration,
    /// Time between the last two ticks.
    pub(crate) tick: Duration,
}

impl EdgeMemories {
    /// Records the facts that need no judgement: roles, recent sums, how long an edge has been slow.
    pub(crate) fn observe(&mut self, view: &NodeView, keys: &[u64], thresholds: &Thresholds) {
        self.tick = self.last_at.map_or(Duration::ZERO, |last| view.at.saturating_sub(last));
        self.last_at = Some(view.at);
        let window_grew = view.window > self.last_window + WINDOW_JITTER;
        self.last_window = view.window;
        let clock = Clock { at: view.at, window: view.window, window_grew, hz: view.hz };
        let tick = self.tick;
        let losses: Vec<Losses> = (view.edges.iter().zip(keys))
            .map(|(edge, key)| Losses::new(edge.losses(), self.known(*key, edge.class).loss_ratio()))
            .collect();
        self.pools.observe(&view.edges, &losses, tick);
        for ((edge, key), losses) in view.edges.iter().zip(keys).zip(&losses) {
            let memory = self.edges.entry(*key).or_default();
            memory.observe(&edge.window, clock, thresholds);
            memory.observe_silence(edge, tick);
            memory.observe_cuts(edge, view.at);
            memory.observe_needless(&edge.window, tick, view.window);
            memory.moments.observe(edge, view.at);
            memory.observe_requests(edge, clock, thresholds);
            memory.observe_loss(losses.is_odd() || self.pools.are_odd(edge), view.at);
            memory.observe_lowest(edge, clock, thresholds);
            memory.observe_path(edge, clock, self.class_minimums[edge.class as usize].get(), thresholds);
        }
    }

    /// Records whether losses are those of a part of an edge's connections. Call after [`Self::observe`].
    pub(crate) fn observe_shares(&mut self, view: &NodeView, keys: &[u64], walks: &Walks) {
        for (edge, key) in view.edges.iter().zip(keys).filter(|(edge, _)| edge.window.loss_episodes > 0) {
            if let Some(memory) = self.edges.get_mut(key) {
                let since = memory.loss_since();
                memory.shares.observe(edge, since, (view.at, view.window), walks);
            }
        }
    }

    /// The window of an observed edge has a finding or a hint.
    pub(crate) fn distrust(&mut self, key: u64) {
        if let Some(memory) = self.edges.get_mut(&key) {
            memory.distrust();
        }
    }

    /// The memory of an edge of this class.
    pub(crate) fn known(&self, key: u64, class: PeerClass) -> Known<'_> {
        let class = class as usize;
        Known { edge: self.edges.get(&key), losses: self.classes[class], minimum: self.class_minimums[class].get() }
    }

    /// Learns from clean edges and their keys, and forgets edges long without traffic. `now`: time of the tick.
    pub(crate) fn learn(&mut self, clean: &[(&EdgeView, u64)], now: Duration, thresholds: &Thresholds, step: Step) {
        let mut classes = ClassSums::default();
        for (edge, key) in clean {
            let memory = self.edges.get_mut(key);
            if memory.as_ref().is_none_or(|memory| !memory.is_odd()) {
                classes.add_losses(edge);
            }
            if let Some(memory) = memory {
                memory.learn(edge, step, thresholds);
                classes.add_minimum(edge.class, memory.ln_min());
            }
        }
        for (class, (sum, edges)) in self.class_minimums.iter_mut().zip(classes.minimums) {
            if edges > 0 {
                class.learn(sum / f64::from(edges), step.keep);
            }
        }
        for (class, sum) in self.classes.iter_mut().zip(&classes.losses) {
            class.learn(*sum, step);
        }
        self.edges.retain(|_, e| now.saturating_sub(e.last_at) < FORGET);
        if self.edges.len() > MAX_EDGES {
            self.edges.retain(|_, e| e.last_at == now);
        }
    }
}

/// What is known of one edge, so that one look into the memory of all edges answers all questions about it.
#[derive(Clone, Copy)]
pub(crate) struct Known<'m> {
    /// `None`: it was not observed.
    pub(crate) edge: Option<&'m EdgeMemory>,
    /// Losses of its class.
    losses: Loss,
    /// Logarithm of the minimum RTT, µs, of its class. `None`: not known yet.
    minimum: Option<f64>,
}

impl Known<'_> {
    /// State of its path; see [`EdgeMemory::path`].
    pub(crate) fn path(&self, edge: &EdgeView, thresholds: &Thresholds) -> Option<Path> {
        self.edge?.path(edge, self.minimum, thresholds)
    }

    /// Its fastest round trips; see [`EdgeMemory::lowest`].
    pub(crate) fn lowest(&self, edge: &EdgeView, window: Duration, thresholds: &Thresholds) -> Option<Lowest> {
        self.edge?.lowest(edge, window, thresholds)
    }

    /// Whether it is as fast as usual; see [`EdgeMemory::is_fast`].
    pub(crate) fn is_fast(&self, edge: &EdgeView, thresholds: &Thresholds) -> bool {
        self.edge.is_some_and(|memory| memory.is_fast(edge, self.minimum, thresholds))
    }

    /// Its normal values, for others to compare with. `is_proven`: its path is longer for certain, if at all.
    pub(crate) fn usual(&self, edge: &EdgeView, path: Option<Path>, is_proven: bool) -> Usual {
        let segments = self.edge.map_or(0.0, |memory| memory.loss.segments);
        let is_known = segments + self.losses.segments >= SHRINK_SEGMENTS;
        let is_certain = is_proven || path == Some(Path::Usual);
        let rtt = self.edge.and_then(|memory| {
            let now_us = match path? {
                Path::Usual => f64::from(edge.window.min_rtt_us?),
                Path::Longer(rise) => rise.now_us,
            };
            Some(PathRtt { now_us, usual_us: memory.min_of_newest_us(edge)? })
        });
        Usual {
            loss_ratio: is_known.then(|| self.loss_ratio()),
            path: rtt.filter(|_| is_certain),
            rise: rtt.filter(|_| !is_certain),
            is_excused: false,
        }
    }

    /// Loss episodes per data segment in normal times: the edge's own, shrunk towards its class's.
    pub(crate) fn loss_ratio(&self) -> f64 {
        let prior = self.losses.ratio_towards(LOSS_FLOOR).max(LOSS_FLOOR);
        self.edge.map_or(prior, |memory| memory.loss.ratio_towards(prior)).max(LOSS_FLOOR)
    }

    /// The highest ratio that the past allows: [`Self::loss_ratio`], and what may have been missed by chance.
    pub(crate) fn loss_at_most(&self) -> f64 {
        self.loss_ratio() + RULE_OF_THREE / self.losses.segments.max(RULE_OF_THREE)
    }
}

/// Sums over the clean edges of each class.
#[derive(Default)]
struct ClassSums {
    losses: [sample::Losses; PeerClass::ALL.len()],
    /// Logarithms of the minimum RTT, and their number.
    minimums: [(f64, u32); PeerClass::ALL.len()],
}

impl ClassSums {
    fn add_losses(&mut self, edge: &EdgeView) {
        self.losses[edge.class as usize].add(edge.losses());
    }

    fn add_minimum(&mut self, class: PeerClass, ln: Option<f64>) {
        if let Some(ln) = ln {
            let minimum = &mut self.minimums[class as usize];
            *minimum = (minimum.0 + ln, minimum.1 + 1);
        }
    }
}

#[cfg(test)]
mod tests;

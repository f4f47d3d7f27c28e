//! What is normal on each edge and in each class of peers, learnt while nothing is wrong there.

use crate::hints::{
    key::edge_key,
    memory::edge::{EdgeMemory, ODD_LOSS},
    memory::mean::{Clock, Loss, Mean, SHRINK_SEGMENTS, Tick},
    memory::path::Path,
    stats::poisson_tail_ln,
    thresholds::Thresholds,
};
use crate::{
    sample::Tally,
    state::{EdgeView, NodeView, PathRtt, PeerId, Usual},
};
use netwhy_abi::PeerClass;
use std::{collections::BTreeMap, time::Duration};

/// Half-life of what was learnt.
const HALF_LIFE: Duration = Duration::from_secs(300);
/// Lowest loss ratio that is ever called normal: no path is perfect, and a baseline of zero makes every loss a hint.
pub(crate) const LOSS_FLOOR: f64 = 1e-4;
/// Chance from which a window's loss is too odd to be learnt at once, and episodes that it takes.
const ODD: (f64, u64) = (1e-3, 3);
/// Growth of the window between two ticks up to which their sums can be compared.
const WINDOW_JITTER: Duration = Duration::from_millis(100);
/// Edges that were silent for so long are forgotten.
const FORGET: Duration = Duration::from_secs(600);
/// Edges remembered (≈ 200 bytes each); above it only those of the present view are kept.
const MAX_EDGES: usize = 20_000;

/// Loss episodes of a window, and as many as there would normally be.
#[derive(Clone, Copy, Default)]
struct Losses {
    episodes: u64,
    expected: f64,
}

impl Losses {
    fn of(tally: &Tally, usual: f64) -> Self {
        Self { episodes: tally.loss_episodes, expected: usual * tally.data_segs_out as f64 }
    }

    fn add(&mut self, other: &Self) {
        self.episodes += other.episodes;
        self.expected += other.expected;
    }

    fn is_odd(&self) -> bool {
        let (chance, least) = ODD;
        self.episodes >= least && poisson_tail_ln(self.episodes, self.expected) <= f64::ln(chance)
    }
}

/// What is odd about many edges at once may show on none: edges to one peer, and (`None`) all that leave the Node; how long
/// they have been odd, less the time since in which they were not.
#[derive(Debug, Default)]
struct Pools(BTreeMap<Option<PeerId>, Duration>);

impl Pools {
    fn observe(&mut self, edges: &[EdgeView], losses: &[Losses], tick: Duration) {
        let mut sums: BTreeMap<Option<PeerId>, Losses> = BTreeMap::new();
        for (edge, losses) in edges.iter().zip(losses).filter(|(edge, _)| edge.class != PeerClass::SameNode) {
            sums.entry(Some(edge.peer_id())).or_default().add(losses);
            sums.entry(None).or_default().add(losses);
        }
        for since in self.0.values_mut() {
            *since = since.saturating_sub(tick);
        }
        for (pool, _) in sums.into_iter().filter(|(_, losses)| losses.is_odd()) {
            let since = self.0.entry(pool).or_default();
            // What goes on for long is normal, and stays so for as long.
            *since = (*since + 2 * tick).min(2 * ODD_LOSS);
        }
        self.0.retain(|_, since| !since.is_zero());
    }

    /// Whether an edge has a part in odd losses of several, which have not gone on for long.
    fn are_odd(&self, edge: &EdgeView) -> bool {
        let news = |pool: &Option<PeerId>| self.0.get(pool).is_some_and(|since| *since < ODD_LOSS);
        let remote = edge.class != PeerClass::SameNode;
        remote && edge.window.loss_episodes > 0 && (news(&None) || news(&Some(edge.peer_id())))
    }
}

/// All edges' baselines, and their classes'.
#[derive(Debug, Default)]
pub(crate) struct Memory {
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

impl Memory {
    /// Takes what needs no judgement: roles, recent sums, how long an edge has been slow. Call once per tick, before
    /// judging.
    pub(crate) fn observe(&mut self, view: &NodeView, keys: &[u64], thresholds: &Thresholds) {
        self.tick = self.last_at.map_or(Duration::ZERO, |last| view.at.saturating_sub(last));
        self.last_at = Some(view.at);
        let window_grew = view.window > self.last_window + WINDOW_JITTER;
        self.last_window = view.window;
        let clock = Clock { at: view.at, window: view.window, window_grew, hz: view.hz };
        let tick = self.tick;
        let losses: Vec<Losses> = (view.edges.iter().zip(keys))
            .map(|(edge, key)| Losses::of(&edge.window, self.loss_ratio(*key, edge.class)))
            .collect();
        self.pools.observe(&view.edges, &losses, tick);
        for ((edge, key), losses) in view.edges.iter().zip(keys).zip(&losses) {
            let memory = self.edges.entry(*key).or_default();
            memory.observe(&edge.window, clock, thresholds);
            memory.observe_silence(edge, tick);
            memory.observe_loss(losses.is_odd() || self.pools.are_odd(edge), view.at);
            memory.observe_path(edge, view.at, self.class_minimums[edge.class as usize].get(), thresholds);
        }
    }

    /// What stays of the past when a tick is learnt.
    pub(crate) fn keep(&self) -> f64 {
        0.5_f64.powf(self.tick.as_secs_f64() / HALF_LIFE.as_secs_f64())
    }

    /// What is known of an edge that was observed.
    pub(crate) fn edge(&self, key: u64) -> Option<&EdgeMemory> {
        self.edges.get(&key)
    }

    /// What an observed edge's newest samples say of its path; see [`EdgeMemory::path`].
    pub(crate) fn path(&self, key: u64, edge: &EdgeView, thresholds: &Thresholds) -> Option<Path> {
        self.edge(key)?.path(edge, self.class_minimums[edge.class as usize].get(), thresholds)
    }

    /// Whether an observed edge's newest samples show its path to be as short as ever; see [`EdgeMemory::is_near`].
    pub(crate) fn is_near(&self, key: u64, edge: &EdgeView, thresholds: &Thresholds) -> bool {
        let class = self.class_minimums[edge.class as usize].get();
        self.edge(key).is_some_and(|memory| memory.is_near(edge, class, thresholds))
    }

    /// What is normal for an edge, for others to compare with; nothing is excused. `is_proven`: that its path rose, if it did.
    pub(crate) fn usual(&self, edge: &EdgeView, path: Option<Path>, is_proven: bool) -> Usual {
        let key = edge_key(edge);
        let segments = self.edge(key).map_or(0.0, |memory| memory.loss.segments);
        let known = segments + self.classes[edge.class as usize].segments >= SHRINK_SEGMENTS;
        let path = self.edge(key).and_then(|memory| {
            let now_us = match path? {
                Path::Usual => f64::from(edge.window.min_rtt_us?),
                Path::Rose(rise) => Some(rise.now_us).filter(|_| is_proven)?,
            };
            Some(PathRtt { now_us, usual_us: memory.min_us()? })
        });
        Usual { loss_ratio: known.then(|| self.loss_ratio(key, edge.class)), path, is_excused: false }
    }

    /// Loss episodes per data segment in normal times: the edge's own, shrunk towards its class's.
    pub(crate) fn loss_ratio(&self, key: u64, class: PeerClass) -> f64 {
        let prior = self.classes[class as usize].ratio_towards(LOSS_FLOOR).max(LOSS_FLOOR);
        self.edges.get(&key).map_or(prior, |e| e.loss.ratio_towards(prior)).max(LOSS_FLOOR)
    }

    /// Learns from the edges for which `clean` is true, and forgets edges long silent. Call once per tick, after
    /// judging.
    pub(crate) fn learn(
        &mut self,
        view: &NodeView,
        keys: &[u64],
        thresholds: &Thresholds,
        clean: impl Fn(usize) -> bool,
    ) {
        if self.tick.is_zero() {
            return;
        }
        let keep = self.keep();
        // Windows overlap: each tick brings its share of a window.
        let share = (self.tick.as_secs_f64() / view.window.as_secs_f64()).min(1.0);
        let mut sums: [Tally; PeerClass::ALL.len()] = Default::default();
        let mut minimums = [(0.0, 0_u32); PeerClass::ALL.len()];
        for (i, (edge, key)) in view.edges.iter().zip(keys).enumerate() {
            if !clean(i) {
                continue;
            }
            if self.edges.get(key).is_none_or(|memory| !memory.is_odd()) {
                let sum = &mut sums[edge.class as usize];
                sum.loss_episodes += edge.window.loss_episodes;
                sum.data_segs_out += edge.window.data_segs_out;
            }
            if let Some(memory) = self.edges.get_mut(key) {
                memory.learn(edge, Tick { window: view.window, hz: view.hz, keep, share }, thresholds);
                if let Some(ln) = memory.ln_min.get() {
                    let minimum = &mut minimums[edge.class as usize];
                    *minimum = (minimum.0 + ln, minimum.1 + 1);
                }
            }
        }
        for (class, (sum, edges)) in self.class_minimums.iter_mut().zip(minimums) {
            if edges > 0 {
                class.learn(sum / f64::from(edges), keep);
            }
        }
        for (class, sum) in self.classes.iter_mut().zip(&sums) {
            class.learn(sum, keep, share);
        }
        let now = view.at;
        self.edges.retain(|_, e| now.saturating_sub(e.last_at) < FORGET);
        if self.edges.len() > MAX_EDGES {
            self.edges.retain(|_, e| e.last_at == now);
        }
    }
}

#[cfg(test)]
mod tests;

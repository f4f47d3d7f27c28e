//! Sums over the last seconds.

mod loss_ticks;
mod slots;
mod unfinished;

pub use loss_ticks::LossTicks;

use super::{
    Counted, FactsDelta, Families, Frame, HostKey, Losses, Responses, Sum, SumOf, Sums, Table, Tally, losses::WalkSpan,
    shrink,
};
use crate::calls::CallCounts;
use loss_ticks::AllLossTicks;
use netwhy_abi::{EdgeKey, ResponseTimes};
use slots::Slots;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};
use unfinished::Unfinished;

/// Time that sums of the last seconds cover; up to a sixth more where ticks are shorter than half a second.
pub const RECENT: Duration = Duration::from_secs(3);

/// The frames of the last `length`, and their sums, kept up to date by adding what comes and taking away what goes. Where
/// a window has many ticks it covers up to an eighth more, so that memory and work of a tick have a bound.
#[derive(Debug)]
pub struct Window {
    length: Duration,
    slots: Slots,
    /// Edges that answered in the last frame.
    answered: HashSet<EdgeKey>,
    /// Response times of the last frame.
    newest: HashMap<EdgeKey, SumOf<ResponseTimes>>,
    sums: Families<Sums>,
    losses: WalkSpan,
    loss_ticks: AllLossTicks,
    unfinished: Unfinished,
}

impl Window {
    /// An empty window.
    pub fn new(length: Duration) -> Self {
        Self {
            length,
            slots: Slots::default(),
            answered: HashSet::new(),
            newest: HashMap::new(),
            sums: Families::default(),
            losses: WalkSpan::new(length),
            loss_ticks: AllLossTicks::default(),
            unfinished: Unfinished::default(),
        }
    }

    /// Frames that a window of this length holds, where ticks are this far apart. Those that share a slot count as one.
    pub fn frames(length: Duration, tick: Duration) -> u64 {
        slots::of_ticks(length, tick)
    }

    /// Its length.
    pub fn length(&self) -> Duration {
        self.length
    }

    /// Another length from now on. A longer window fills as time passes.
    pub fn set_length(&mut self, length: Duration) {
        self.length = length;
        self.losses.set_length(length);
    }

    /// Adds a frame and forgets those that ended `length` or more before its end.
    pub fn push(&mut self, frame: Frame) {
        self.losses.push(&frame);
        self.loss_ticks.push(&frame, self.length);
        self.unfinished.push(&frame);
        for_each_family!(F => { add::<F>(F::of_mut(&mut self.sums), F::of(&frame.growth)) });
        let answered = frame.growth.edges.iter().filter(|(_, tally)| tally.has_answer());
        self.answered = answered.map(|(key, _)| *key).collect();
        self.newest.clear();
        add::<ResponseTimes>(&mut self.newest, ResponseTimes::of(&frame.growth));
        let begin = frame.at.saturating_sub(self.length);
        self.slots.push(frame, self.length);
        while let Some(old) = self.slots.pop(begin) {
            for_each_family!(F => {
                subtract::<F>(F::of_mut(&mut self.sums), F::of(&old.growth));
                shrink(F::of_mut(&mut self.sums));
            });
        }
    }

    /// Time that the sums cover.
    pub fn covered(&self) -> Duration {
        self.slots.iter().map(|slot| slot.elapsed).sum()
    }

    /// True once the sums cover any time at all: a first, still shorter window was computed.
    pub fn is_computed(&self) -> bool {
        self.covered() > Duration::ZERO
    }

    /// Sums of rows that counted something.
    pub fn sums(&self) -> &Families<Sums> {
        &self.sums
    }

    /// Sums of edges over the last seconds, of those that counted something then; see [`RECENT`].
    pub fn recent_edges(&self) -> &HashMap<EdgeKey, Tally> {
        &self.slots.recent().edges
    }

    /// Response times over the last seconds, of edges on which requests ended then; see [`RECENT`].
    pub fn recent_responses(&self) -> &HashMap<EdgeKey, Responses> {
        &self.slots.recent().responses
    }

    /// Time that [`losses`](Self::losses) cover. `None`: walks are so frequent that the window's own sums will do, or
    /// their times are not known.
    pub fn losses_covered(&self) -> Option<Duration> {
        self.losses.covered()
    }

    /// Losses of an edge over the newest whole intervals between walks. `None` as in
    /// [`losses_covered`](Self::losses_covered).
    pub fn losses(&self, key: &EdgeKey) -> Option<Losses> {
        self.losses.of(key)
    }

    /// In which of the window's ticks an edge lost something.
    pub fn loss_ticks(&self, key: &EdgeKey) -> LossTicks {
        self.loss_ticks.of(key)
    }

    /// In which of the last 16 s an edge's SYN-ACKs were sent again, since its last completed handshake: one bit for
    /// each second, the newest second has the lowest. Where ticks are longer than 1.25 s, some seconds have none.
    pub fn unfinished(&self, key: &EdgeKey) -> u16 {
        self.unfinished.of(key)
    }

    /// Edges whose peer acknowledged or sent data, or shook hands, in the last frame.
    pub fn answered(&self) -> &HashSet<EdgeKey> {
        &self.answered
    }

    /// Response times of the last frame.
    pub fn newest(&self) -> &HashMap<EdgeKey, SumOf<ResponseTimes>> {
        &self.newest
    }

    /// Control files by cgroup.
    pub fn facts(&self) -> HashMap<u64, FactsDelta> {
        let mut sums: HashMap<u64, FactsDelta> = HashMap::new();
        for (id, facts) in self.slots.iter().flat_map(|slot| &slot.facts) {
            sums.entry(*id).or_default().add(facts);
        }
        sums
    }

    /// Sampled calls by edge.
    pub fn calls(&self) -> HashMap<EdgeKey, CallCounts> {
        let mut sums: HashMap<EdgeKey, CallCounts> = HashMap::new();
        for (key, calls) in self.slots.iter().flat_map(|slot| &slot.calls) {
            sums.entry(*key).or_default().add(*calls);
        }
        sums
    }

    /// The Node's own counters.
    pub fn host(&self) -> BTreeMap<HostKey, u64> {
        let mut sums = BTreeMap::new();
        for (key, n) in self.slots.iter().flat_map(|slot| &slot.host) {
            *sums.entry(key.clone()).or_default() += n;
        }
        sums
    }
}

/// Adds a family's growth to its sums.
pub(super) fn add<F: Counted>(sums: &mut HashMap<F::Key, SumOf<F>>, growth: &[(F::Key, SumOf<F>)]) {
    for (key, more) in growth {
        sums.entry(*key).or_default().add(more);
    }
}

/// Takes a family's growth away from its sums, and forgets sums of zero.
pub(super) fn subtract<F: Counted>(sums: &mut HashMap<F::Key, SumOf<F>>, growth: &[(F::Key, SumOf<F>)]) {
    for (key, less) in growth {
        if let Some(sum) = sums.get_mut(key) {
            sum.subtract(less);
            if sum.is_zero() {
                sums.remove(key);
            }
        }
    }
}

#[cfg(test)]
mod tests;

//! The frames of a window in a bounded number of slots, whatever the tick and the window are.
//!
//! A window of 300 s holds 3,000 ticks of 0.1 s. Each frame holds its rows, and each tick adds some of them up. So frames
//! that are close together share a slot: the newest ones a fine slot, older ones a coarse slot.

use super::{RECENT, add, subtract};
use crate::sample::{Families, Frame, Growth, Responses, Sum as _, Table, Tally, shrink};
use netwhy_abi::{EdgeKey, Edges, ResponseTimes};
use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    time::Duration,
};

/// Fine slots of [`RECENT`]: frames that cover no more than one share it.
const FINE: u32 = 6;
/// Coarse slots of a window. There may be twice as many, as two neighbours together cover more than one may.
const COARSE: u32 = 8;

/// Frames, oldest first.
#[derive(Debug, Default)]
pub(super) struct Slots {
    /// Of before [`RECENT`].
    coarse: VecDeque<Frame>,
    fine: VecDeque<Frame>,
    /// Sums of the fine ones.
    recent: Recent,
}

/// Sums over the last seconds of rows that counted something then, kept up to date as those of a window.
#[derive(Debug, Default)]
pub(super) struct Recent {
    pub(super) edges: HashMap<EdgeKey, Tally>,
    pub(super) responses: HashMap<EdgeKey, Responses>,
}

impl Recent {
    fn add(&mut self, frame: &Frame) {
        add::<Edges>(&mut self.edges, &frame.growth.edges);
        add::<ResponseTimes>(&mut self.responses, &frame.growth.responses);
    }

    fn subtract(&mut self, frame: &Frame) {
        subtract::<Edges>(&mut self.edges, &frame.growth.edges);
        subtract::<ResponseTimes>(&mut self.responses, &frame.growth.responses);
        shrink(&mut self.edges);
        shrink(&mut self.responses);
    }
}

impl Slots {
    /// Adds the newest frame. `length`: of the window.
    pub(super) fn push(&mut self, frame: Frame, length: Duration) {
        let recent = frame.at.saturating_sub(RECENT);
        self.recent.add(&frame);
        append(&mut self.fine, frame, RECENT / FINE);
        while self.fine.front().is_some_and(|old| old.at <= recent) {
            let Some(old) = self.fine.pop_front() else { break };
            self.recent.subtract(&old);
            append(&mut self.coarse, old, length / COARSE);
        }
    }

    /// Takes out the oldest slot, if it ended at `begin` or before.
    pub(super) fn pop(&mut self, begin: Duration) -> Option<Frame> {
        if !self.coarse.is_empty() {
            return self.coarse.pop_front_if(|slot| slot.at <= begin);
        }
        let old = self.fine.pop_front_if(|slot| slot.at <= begin)?;
        self.recent.subtract(&old);
        Some(old)
    }

    /// Sums over [`RECENT`].
    pub(super) const fn recent(&self) -> &Recent {
        &self.recent
    }

    /// Oldest first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Frame> {
        self.coarse.iter().chain(&self.fine)
    }
}

/// Slots of a window of this length whose ticks are this far apart.
pub(super) fn of_ticks(length: Duration, tick: Duration) -> u64 {
    // As many of the smaller ones as share a larger one.
    let shared = |small: Duration, large: Duration| small * (large.div_duration_f64(small) as u32).max(1);
    let tick = tick.max(Duration::from_millis(1));
    let fine = shared(tick, RECENT / FINE);
    let coarse = shared(fine, length / COARSE);
    let slots = |time: Duration, slot: Duration| time.div_duration_f64(slot).ceil() as u64;
    slots(length.min(RECENT), fine) + slots(length.saturating_sub(RECENT), coarse)
}

/// Adds a frame behind the others, to the last one's slot where both together cover `most` or less.
fn append(slots: &mut VecDeque<Frame>, frame: Frame, most: Duration) {
    match slots.back_mut() {
        Some(last) if last.elapsed.saturating_add(frame.elapsed) <= most => merge(last, frame),
        _ => slots.push_back(frame),
    }
}

/// Adds the frame that follows to one.
fn merge(slot: &mut Frame, next: Frame) {
    let Frame { at, elapsed, walked_at, mut growth, calls, facts, host } = next;
    slot.at = slot.at.max(at);
    slot.elapsed += elapsed;
    slot.walked_at = walked_at.or(slot.walked_at);
    for_each_family!(F => { merge_family::<F>(&mut slot.growth, &mut growth) });
    merge_rows(&mut slot.calls, calls, |sum, more| sum.add(more));
    merge_rows(&mut slot.facts, facts, |sum, more| sum.add(&more));
    merge_rows(&mut slot.host, host, |sum, more| *sum += more);
}

fn merge_family<F: Table>(slot: &mut Families<Growth>, next: &mut Families<Growth>) {
    merge_rows(F::of_mut(slot), std::mem::take(F::of_mut(next)), |sum, more| sum.add(&more));
}

fn merge_rows<K: Eq + Hash + Clone, S>(rows: &mut Vec<(K, S)>, next: Vec<(K, S)>, add: impl Fn(&mut S, S)) {
    if rows.is_empty() {
        *rows = next;
        return;
    }
    let places: HashMap<K, usize> = rows.iter().enumerate().map(|(at, (key, _))| (key.clone(), at)).collect();
    for (key, more) in next {
        match places.get(&key).and_then(|at| rows.get_mut(*at)) {
            Some((_, sum)) => add(sum, more),
            None => rows.push((key, more)),
        }
    }
}

#[cfg(test)]
mod tests;

//! Sampled calls of HTTP/1 stand for all exchanges of their edge, as far as these are HTTP/1. Those of followed
//! connections stand for themselves.

use super::Join;
use crate::{
    calls::{Call, Protocol},
    sample::Frame,
    state::CallKey,
};
use netwhy_abi::EdgeKey;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

/// How long the exchanges of an edge wait for a call that stands for them.
const PATIENCE: Duration = Duration::from_secs(600);

/// Exchanges by edge that no call stands for yet.
#[derive(Debug, Default)]
pub(super) struct Credits {
    edges: HashMap<EdgeKey, Credit>,
    /// Whether exchanges are looked at. Else no call will come.
    is_on: bool,
    /// Whether the signal is turned off.
    is_off: bool,
}

/// Exchanges of one edge.
#[derive(Debug, Default)]
struct Credit {
    exchanges: f64,
    /// When the newest ended, monotonic.
    at: Duration,
}

impl Credits {
    /// Turns the signal off, or on again. No later call stands for what ends meanwhile.
    pub(super) fn set_off(&mut self, is_off: bool) {
        self.is_off = is_off;
        if is_off {
            (self.edges, self.is_on) = (HashMap::new(), false);
        }
    }

    /// Takes the exchanges of a frame.
    fn take(&mut self, frame: &Frame) {
        if self.is_off {
            return;
        }
        let growth = &frame.growth.responses;
        self.is_on = self.is_on || growth.iter().any(|(_, times)| times.sampled > 0);
        if !self.is_on {
            return;
        }
        for (key, times) in growth {
            let credit = self.edges.entry(*key).or_default();
            credit.exchanges += times.durations.count() as f64;
            credit.at = frame.at;
        }
        self.edges.retain(|_, credit| frame.at.saturating_sub(credit.at) < PATIENCE);
    }

    /// Divides the exchanges among an edge's calls, by their weight. Each stands for one at least. `readable`: share of
    /// the exchanges that are HTTP.
    fn divide(&mut self, key: &EdgeKey, calls: &[&Call], readable: f64) -> Vec<u64> {
        let exchanges = self.edges.get(key).map_or(0.0, |credit| credit.exchanges);
        let all = (exchanges * readable).max(calls.len() as f64);
        let weights: f64 = calls.iter().map(|call| f64::from(call.weight.max(1))).sum();
        let mut rest = 0.0;
        let mut part = |call: &&Call| {
            rest += all * f64::from(call.weight.max(1)) / weights;
            // Thirds of one must make one again.
            let whole = (rest + 1e-6).floor();
            rest -= whole;
            whole as u64
        };
        let times = calls.iter().map(&mut part).collect();
        if let Some(credit) = self.edges.get_mut(key) {
            credit.exchanges = if readable > 0.0 { rest.max(0.0) / readable } else { 0.0 };
        }
        times
    }
}

impl Join {
    /// Adds sampled calls to their subjects.
    pub(super) fn add_calls(&mut self, frame: &Frame, calls: &[Call]) {
        self.credits.take(frame);
        let mut by_edge: BTreeMap<EdgeKey, Vec<&Call>> = BTreeMap::new();
        for call in calls {
            match call.protocol {
                Protocol::Http1 => by_edge.entry(call.key).or_default().push(call),
                Protocol::Http2 | Protocol::Grpc(_) => self.add_call(frame, call, 1),
            }
        }
        for (key, calls) in by_edge {
            let readable = match self.ledger.looked_at(&key) {
                Some((sampled, readable)) if sampled > 0 => readable as f64 / sampled as f64,
                _ => 1.0,
            };
            let times = self.credits.divide(&key, &calls, readable);
            for (call, times) in calls.iter().zip(times) {
                self.add_call(frame, call, times);
            }
        }
    }

    /// Adds a call that stands for so many.
    fn add_call(&mut self, frame: &Frame, call: &Call, times: u64) {
        let Call { key, method, route, status, protocol, us, .. } = call;
        let Some(role) = key.role().filter(|_| times > 0) else { return };
        let code = protocol.code();
        let status = if code.is_some() { 0 } else { *status };
        let row = CallKey { role, route: Arc::from(route.as_str()), method: Some(*method), status, code };
        let sums = self.sums(key.cgroup, frame.at).calls.get_or_insert_default();
        match (us, code) {
            (Some(us), _) => sums.add_call(row, *us, times),
            (None, Some(code)) => sums.add_missed(role, code, times),
            (None, None) => {}
        }
    }
}

#[cfg(test)]
mod tests;

//! The Node's own signals over the window.

use crate::sample::{Device, Gauge, Group, HostKey, NodeFact, Signal, State};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// The Node's own signals.
#[derive(Clone, Debug, Default)]
pub struct HostView {
    /// Read status per signal group.
    pub states: BTreeMap<Group, State>,
    /// Counters. Missing ones are not offered, or absent.
    pub counters: BTreeMap<HostKey, HostCount>,
    /// Values of now.
    pub gauges: BTreeMap<(Gauge, Option<Arc<str>>), u64>,
    /// Interfaces that lead out of the Node.
    pub devices: Vec<Device>,
    /// Facts in which Nodes may differ.
    pub facts: Arc<[NodeFact]>,
}

/// One counter of the Node.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HostCount {
    /// Growth since the agent started; never falls.
    pub total: u64,
    /// Growth over the window.
    pub window: u64,
    /// Growth per second in normal times. `None`: not known yet.
    pub baseline: Option<f64>,
}

impl HostView {
    /// A counter of the Node as a whole.
    pub fn count(&self, signal: Signal) -> Option<HostCount> {
        self.counters.get(&(signal, None)).copied()
    }

    /// A counter of one device.
    pub fn count_on(&self, signal: Signal, device: &Arc<str>) -> Option<HostCount> {
        self.counters.get(&(signal, Some(device.clone()))).copied()
    }

    /// A value of the Node as a whole.
    pub fn gauge(&self, gauge: Gauge) -> Option<u64> {
        self.gauges.get(&(gauge, None)).copied()
    }

    /// Share of a window (s) that a counter of µs filled.
    pub fn share(&self, signal: Signal, window: Duration) -> Option<f64> {
        let count = self.count(signal).filter(|_| !window.is_zero())?;
        Some(count.window as f64 / 1e6 / window.as_secs_f64())
    }
}

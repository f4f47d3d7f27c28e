//! The answer of `/api/v1/node`.

use super::{
    node_facts::facts,
    shared::{by_label, share},
};
use crate::{
    api::{ByLabel, DeviceRow, NodeRow, SignalRow, SignalStatus},
    sample::{Device, State},
    state::{DropReasons, HostView, NodeView},
};
use netwhy_abi::Counter;
use std::sync::Arc;

/// The answer of `/api/v1/node`.
pub fn node(view: &NodeView) -> NodeRow {
    let reasons = DropReasons::new(&view.drop_reasons);
    let host = view.host.as_ref();
    NodeRow {
        node: view.node.clone(),
        unix_ms: view.unix_ms,
        window_seconds: view.window.as_secs_f64(),
        window_complete: view.window_complete,
        jiffies_hertz: view.hz,
        signal_states: host.map_or_else(ByLabel::new, signal_states),
        devices: host.map_or_else(Vec::new, |host| host.devices.iter().map(device).collect()),
        facts: facts(view),
        signals: host.map_or_else(Vec::new, |host| signals(host, view.window.as_secs_f64())),
        subjects: view.subjects.len() as u64,
        edges: view.edges.len() as u64,
        packet_drops: view.node_drops.iter().map(|(r, n)| (reasons.name(*r).into_owned(), *n)).collect(),
        unattributed_samples: view.unattributed.iter().map(|(why, n)| ((*why).to_owned(), *n)).collect(),
        kernel_events: by_label(&Counter::ALL.map(Counter::label), &view.counters),
        hints_total: view.hints_total.clone(),
    }
}

fn signal_states(host: &HostView) -> ByLabel<SignalStatus> {
    let state = |s: &State| SignalStatus { state: s.label().to_owned(), why: s.why().map(str::to_owned) };
    host.states.iter().map(|(group, s)| (group.label().to_owned(), state(s))).collect()
}

fn device(d: &Device) -> DeviceRow {
    let Device { name, index: _, driver, version, firmware, qdisc } = d.clone();
    DeviceRow { name: name.as_ref().to_owned(), driver, version, firmware, qdisc }
}

/// Counters, then gauges.
fn signals(host: &HostView, seconds: f64) -> Vec<SignalRow> {
    let row = |signal: &str, on: &Option<Arc<str>>, kind: &str, unit: &str, source: &str| SignalRow {
        signal: signal.to_owned(),
        on: on.as_deref().map(str::to_owned),
        kind: kind.to_owned(),
        unit: unit.to_owned(),
        source: source.to_owned(),
        value: None,
        total: None,
        window: None,
        per_second: None,
        baseline_per_second: None,
    };
    let counters = host.counters.iter().map(|((signal, on), count)| SignalRow {
        total: Some(count.total),
        window: Some(count.window),
        per_second: share(count.window as f64, seconds),
        baseline_per_second: count.baseline,
        ..row(signal.label(), on, "counter", signal.unit(), signal.source())
    });
    let gauges = host.gauges.iter().map(|((gauge, on), value)| SignalRow {
        value: Some(*value),
        ..row(gauge.label(), on, "gauge", gauge.unit(), gauge.source())
    });
    counters.chain(gauges).collect()
}

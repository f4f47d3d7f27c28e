//! From the view to the answers.

use super::{
    By, Counts, DeviceRow, DnsLookups, Durations, EdgeRow, LimitedShares, Node, PodRow, PressureShares, SignalRow,
    SignalState, Totals, Window,
};
use crate::{
    api,
    metrics::Reasons,
    sample::{Connects, Device, Histogram, Lookups, Pressure, State, Tally},
    state::{EdgeView, HostView, NodeView, SubjectId, SubjectKind, SubjectView},
};
use netwhy_abi::{Counter, Failure, PeerClass, Retransmit, Role};
use std::sync::Arc;

/// Rows of `/api/v1/pods`, in the view's order, of the subjects that `shows` accepts.
pub fn pods(view: &NodeView, shows: impl Fn(&SubjectId) -> bool) -> Vec<PodRow> {
    let reasons = Reasons::new(&view.drop_reasons);
    view.subjects.iter().filter(|s| shows(&s.id)).map(|s| pod(view, &reasons, s)).collect()
}

/// Rows of `/api/v1/edges`, in the view's order, of the subjects that `shows` accepts.
pub fn edges(view: &NodeView, shows: impl Fn(&SubjectId) -> bool) -> Vec<EdgeRow> {
    view.edges.iter().filter(|e| shows(&e.subject)).map(|e| edge(view, e)).collect()
}

/// The answer of `/api/v1/node`.
pub fn node(view: &NodeView) -> Node {
    let reasons = Reasons::new(&view.drop_reasons);
    let host = view.host.as_ref();
    Node {
        node: view.node.clone(),
        unix_ms: view.unix_ms,
        window_seconds: view.window.as_secs_f64(),
        window_complete: view.window_complete,
        jiffies_hertz: view.hz,
        signal_states: host.map_or_else(By::new, signal_states),
        devices: host.map_or_else(Vec::new, |host| host.devices.iter().map(device).collect()),
        signals: host.map_or_else(Vec::new, |host| signals(host, view.window.as_secs_f64())),
        subjects: view.subjects.len() as u64,
        edges: view.edges.len() as u64,
        packet_drops: view.node_drops.iter().map(|(r, n)| (reasons.name(*r).into_owned(), *n)).collect(),
        unattributed_samples: view.unattributed.iter().map(|(why, n)| ((*why).to_owned(), *n)).collect(),
        kernel_events: by(&Counter::ALL.map(Counter::label), &view.counters),
        hints_total: view.hints_total.clone(),
    }
}

fn signal_states(host: &HostView) -> By<SignalState> {
    let state = |s: &State| SignalState { state: s.label().to_owned(), why: s.why().map(str::to_owned) };
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

fn pod(view: &NodeView, reasons: &Reasons, s: &SubjectView) -> PodRow {
    let api::Subject { kind, namespace, name, workload, node } = subject(view, &s.id);
    PodRow {
        kind,
        namespace,
        name,
        workload,
        node,
        status: s.pod.clone(),
        cgroups: s.cgroups.clone(),
        alive: s.gone_since.is_none(),
        window: window(view, s),
        totals: Totals {
            packet_drops: s.sums.drops.iter().map(|(r, n)| (reasons.name(*r).into_owned(), *n)).collect(),
            counts: counts(&s.total(), &s.sums.connects, s.oom_kills),
        },
    }
}

fn window(view: &NodeView, s: &SubjectView) -> Window {
    let tally = &s.window;
    let seconds = view.window.as_secs_f64();
    let lowest = s.min_rtt_us.iter().flatten().min().copied();
    let durations = Role::ALL.iter().zip(&s.window_connects.durations);
    let throttled = s.window_cpu.filter(|c| c.limit_millicores.is_some() || c.periods > 0);
    Window {
        seconds,
        rtt_samples: tally.rtt.count(),
        rtt_p50_seconds: quantile(&tally.rtt, 0.5),
        rtt_p90_seconds: quantile(&tally.rtt, 0.9),
        rtt_p99_seconds: quantile(&tally.rtt, 0.99),
        reply_p50_seconds: view.hz.and_then(|hz| tally.reply_quantile_seconds(0.5, hz)),
        min_rtt_seconds: lowest.map(micros),
        min_rtt_seconds_by_peer: by(&PeerClass::ALL.map(PeerClass::label), &s.min_rtt_us.map(|us| us.map(micros))),
        retransmit_ratio: tally.retransmit_ratio(),
        loss_episode_ratio: tally.episode_ratio(),
        connect: durations.map(|(role, h)| (role.label().to_owned(), percentiles(h))).collect(),
        dns: dns(view, &s.id),
        run_queue: (!s.window_run_queue.is_empty()).then(|| percentiles(&s.window_run_queue)),
        limited: limited(tally),
        cpu_throttled_share: throttled.and_then(|c| share(c.throttled_periods as f64, c.periods as f64)),
        pressure: s.window_pressure.as_ref().and_then(|p| pressure(p, seconds)),
        counts: counts(tally, &s.window_connects, s.oom_kills.map(|_| s.window_oom_kills)),
    }
}

fn percentiles(h: &Histogram) -> Durations {
    Durations { p50_seconds: quantile(h, 0.5), p99_seconds: quantile(h, 0.99) }
}

fn dns(view: &NodeView, id: &SubjectId) -> Option<DnsLookups> {
    let mut sum = Lookups::default();
    view.dns.iter().filter(|row| row.server.subject == *id).for_each(|row| sum.add(&row.window));
    let Lookups { durations, answered, unanswered } = &sum;
    let row = DnsLookups { answered: *answered, unanswered: *unanswered, durations: percentiles(durations) };
    (sum.count() > 0).then_some(row)
}

fn edge(view: &NodeView, e: &EdgeView) -> EdgeRow {
    let tally = &e.window;
    EdgeRow {
        subject: subject(view, &e.subject),
        peer: e.peer.to_canonical().to_string(),
        class: e.class.label().to_owned(),
        peer_kind: e.kind.label().to_owned(),
        peer_node: e.peer_node.as_deref().map(str::to_owned),
        peer_pod: e.peer_pod.as_deref().map(str::to_owned),
        window_seconds: view.window.as_secs_f64(),
        rtt_samples: tally.rtt.count(),
        rtt_p10_seconds: quantile(&tally.rtt, 0.1),
        rtt_p50_seconds: quantile(&tally.rtt, 0.5),
        rtt_p99_seconds: quantile(&tally.rtt, 0.99),
        reply_p50_seconds: view.hz.and_then(|hz| tally.reply_quantile_seconds(0.5, hz)),
        min_rtt_seconds: tally.min_rtt_us.map(micros),
        segments_sent: tally.data_segs_out,
        loss_episodes: tally.loss_episodes,
        retransmitted_segments: by(&Retransmit::ALL.map(Retransmit::label), &tally.retransmits),
        connects: by(&Role::ALL.map(Role::label), &tally.connects),
        connect_failures: by(&Failure::ALL.map(Failure::label), &tally.connect_failures),
        limited: limited(tally),
        bytes_sent: tally.bytes_acked,
        bytes_received: tally.bytes_received,
    }
}

fn subject(view: &NodeView, id: &SubjectId) -> api::Subject {
    let kind = match id.kind {
        SubjectKind::Unit => "Unit",
        SubjectKind::Container => "Container",
        SubjectKind::Pod => "Pod",
    };
    api::Subject {
        kind: kind.to_owned(),
        namespace: id.namespace.clone(),
        name: id.name.clone(),
        workload: id.workload.clone(),
        node: view.node.clone(),
    }
}

fn counts(tally: &Tally, connects: &Connects, oom_kills: Option<u64>) -> Counts {
    Counts {
        segments_sent: tally.data_segs_out,
        retransmitted_segments: by(&Retransmit::ALL.map(Retransmit::label), &tally.retransmits),
        loss_episodes: tally.loss_episodes,
        connects: by(&Role::ALL.map(Role::label), &tally.connects),
        connect_failures: by(&Failure::ALL.map(Failure::label), &tally.connect_failures),
        resets: by(&["sent", "received"], &[tally.resets_sent, tally.resets_received]),
        accept_queue_overflows: connects.accept_drops,
        zero_window_observations: tally.zero_window,
        bytes_sent: tally.bytes_acked,
        bytes_received: tally.bytes_received,
        oom_kills,
    }
}

fn limited(tally: &Tally) -> LimitedShares {
    LimitedShares {
        receiver: tally.receiver_limited_share(),
        send_buffer: tally.send_buffer_limited_share(),
        network: tally.network_limited_share(),
    }
}

fn pressure(p: &Pressure, seconds: f64) -> Option<PressureShares> {
    let of = |us: u64| share(us as f64 / 1e6, seconds).map(|s| s.min(1.0));
    Some(PressureShares {
        cpu_some: of(p.cpu_some_us)?,
        cpu_full: of(p.cpu_full_us)?,
        memory_some: of(p.memory_some_us)?,
        memory_full: of(p.memory_full_us)?,
        io_some: of(p.io_some_us)?,
        io_full: of(p.io_full_us)?,
    })
}

fn share(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

fn quantile(h: &Histogram, q: f64) -> Option<f64> {
    h.quantile_us(q).map(|us| us / 1e6)
}

fn micros(us: u32) -> f64 {
    f64::from(us) / 1e6
}

fn by<T: Copy, const N: usize>(labels: &[&str; N], values: &[T; N]) -> By<T> {
    labels.iter().zip(values).map(|(label, value)| ((*label).to_owned(), *value)).collect()
}

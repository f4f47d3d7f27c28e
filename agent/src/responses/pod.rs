//! Rows of `/api/v1/pods`.

use super::{
    shared::{by_label, limited, micros, quantile, share, subject},
    times,
};
use crate::{
    api::{
        ByLabel, DnsLookups, DurationQuantiles, PodCounts, PodRow, PodTotals, PodWindow, PressureShares, ProbeState,
        ProbeStatus, Subject,
    },
    sample::{Connects, Histogram, Lookups, Pressure, Tally},
    state::{DropReasons, EdgeView, NodeView, SubjectId, SubjectView},
};
use netwhy_abi::{DnsCode, Failure, PeerClass, Retransmit, Role};
use std::collections::BTreeMap;

/// Rows of `/api/v1/pods`, in the view's order, of the subjects that `shows` accepts. `probes`: the status of the
/// probes; empty: not known.
pub fn pods(view: &NodeView, probes: &[ProbeStatus], shows: impl Fn(&SubjectId) -> bool) -> Vec<PodRow> {
    let rows = PodRows::new(view, probes);
    rows.each(&shows).collect()
}

/// Source of these rows, for making them one by one.
pub struct PodRows<'a> {
    view: &'a NodeView,
    reasons: DropReasons,
    /// Edges with requests, those of one subject together.
    edges: Vec<&'a EdgeView>,
    /// Status of the probe of response times. `None`: not known.
    responses: Option<&'a ProbeStatus>,
    /// States of [`WINDOW_PROBES`]. Empty: not known.
    probes: ByLabel<ProbeState>,
}

impl<'a> PodRows<'a> {
    /// As [`pods`].
    pub fn new(view: &'a NodeView, probes: &'a [ProbeStatus]) -> Self {
        let mut edges: Vec<&EdgeView> = view.edges.iter().filter(|edge| edge.responses.is_some()).collect();
        // Those of one subject stay in the view's order.
        edges.sort_by(|a, b| a.subject.cmp(&b.subject));
        Self {
            view,
            reasons: DropReasons::new(&view.drop_reasons),
            edges,
            responses: probes.iter().find(|probe| probe.name == "responses"),
            probes: (probes.iter().filter(|probe| WINDOW_PROBES.contains(&probe.name.as_str())))
                .map(|probe| (probe.name.clone(), probe.state))
                .collect(),
        }
    }

    /// The rows of the subjects that `shows` accepts, in the view's order.
    pub fn each<'r, S: Fn(&SubjectId) -> bool>(&'r self, shows: &'r S) -> impl Iterator<Item = PodRow> {
        self.view.subjects.iter().filter(move |s| shows(&s.id)).map(move |s| pod(self, s))
    }

    fn edges_of(&self, id: &SubjectId) -> &[&'a EdgeView] {
        let rest = &self.edges[self.edges.partition_point(|edge| edge.subject < *id)..];
        &rest[..rest.partition_point(|edge| edge.subject == *id)]
    }
}

/// Probes whose state every window has: where they count nothing, it says whether that is so.
const WINDOW_PROBES: [&str; 3] = ["resets", "drops", "dns"];

fn pod(rows: &PodRows<'_>, s: &SubjectView) -> PodRow {
    let PodRows { view, reasons, .. } = rows;
    let Subject { kind, namespace, name, workload, node } = subject(view, &s.id);
    PodRow {
        kind,
        namespace,
        name,
        workload,
        node,
        status: s.pod.clone(),
        cgroups: s.cgroups.clone(),
        alive: s.gone_since.is_none(),
        window: window(rows, s),
        totals: PodTotals {
            packet_drops: drops(reasons, &s.sums.drops),
            counts: counts(&s.total(), &s.sums.connects, s.oom_kills),
        },
    }
}

fn window(rows: &PodRows<'_>, s: &SubjectView) -> PodWindow {
    let view = rows.view;
    let edges = rows.edges_of(&s.id);
    let tally = &s.window;
    let seconds = view.window.as_secs_f64();
    let lowest = s.min_rtt_us.iter().flatten().min().copied();
    let durations = Role::ALL.iter().zip(&s.window_connects.durations);
    let throttled = s.window_cpu.filter(|c| c.limit_millicores.is_some() || c.periods > 0);
    PodWindow {
        seconds,
        rtt_samples: tally.rtt.count(),
        rtt_p50_seconds: quantile(&tally.rtt, 0.5),
        rtt_p90_seconds: quantile(&tally.rtt, 0.9),
        rtt_p99_seconds: quantile(&tally.rtt, 0.99),
        reply_p50_seconds: view.hz.and_then(|hz| tally.reply_quantile_seconds(0.5, hz)),
        min_rtt_seconds: lowest.map(micros),
        min_rtt_seconds_by_peer: by_label(
            &PeerClass::ALL.map(PeerClass::label),
            &s.min_rtt_us.map(|us| us.map(micros)),
        ),
        retransmit_ratio: tally.retransmit_ratio(),
        loss_episode_ratio: tally.episode_ratio(),
        connect: durations.map(|(role, h)| (role.label().to_owned(), percentiles(h))).collect(),
        dns: dns(view, &s.id),
        responses: Some(times::of_subject(view, s, edges, rows.responses)),
        run_queue: (!s.window_run_queue.is_empty()).then(|| percentiles(&s.window_run_queue)),
        packet_drops: Some(drops(&rows.reasons, &s.window_drops)),
        probes: rows.probes.clone(),
        limited: limited(tally),
        cpu_throttled_share: throttled.and_then(|c| share(c.throttled_periods as f64, c.periods as f64)),
        pressure: s.window_pressure.as_ref().and_then(|p| pressure(p, seconds)),
        counts: counts(tally, &s.window_connects, s.oom_kills.map(|_| s.window_oom_kills)),
    }
}

fn drops(reasons: &DropReasons, drops: &BTreeMap<u32, u64>) -> ByLabel<u64> {
    drops.iter().map(|(reason, n)| (reasons.name(*reason).into_owned(), *n)).collect()
}

fn percentiles(h: &Histogram) -> DurationQuantiles {
    DurationQuantiles { p50_seconds: quantile(h, 0.5), p99_seconds: quantile(h, 0.99) }
}

fn dns(view: &NodeView, id: &SubjectId) -> Option<DnsLookups> {
    let mut sum = Lookups::default();
    view.dns.iter().filter(|row| row.server.subject == *id).for_each(|row| sum.add(&row.window));
    let codes = DnsCode::ALL.iter().zip(sum.codes).filter(|(_, n)| *n > 0);
    let row = DnsLookups {
        answered: sum.answered,
        unanswered: sum.unanswered,
        codes: codes.map(|(code, n)| (code.label().to_owned(), n)).collect(),
        second_missing: sum.second_missing,
        durations: percentiles(&sum.durations),
    };
    (sum.count() > 0).then_some(row)
}

fn counts(tally: &Tally, connects: &Connects, oom_kills: Option<u64>) -> PodCounts {
    PodCounts {
        segments_sent: tally.data_segs_out,
        retransmitted_segments: by_label(&Retransmit::ALL.map(Retransmit::label), &tally.retransmits),
        loss_episodes: tally.loss_episodes,
        connects: by_label(&Role::ALL.map(Role::label), &tally.connects),
        connect_failures: by_label(&Failure::ALL.map(Failure::label), &tally.connect_failures),
        resets: by_label(&["sent", "received"], &[tally.resets_sent, tally.resets_received]),
        accept_queue_overflows: connects.accept_drops,
        zero_window_observations: tally.zero_window,
        bytes_sent: tally.bytes_acked,
        bytes_received: tally.bytes_received,
        oom_kills,
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

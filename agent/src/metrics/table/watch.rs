//! Metrics of the agent's watches of the API server, and of what Pods ask for there.

use crate::metrics::definition::{LabelDef, MetricDef, Rows::Node, label};

const WATCH: LabelDef = label("watch", "pods, nodes, events, endpointslices; only those that are on");

pub(super) static METRICS: &[MetricDef] = &[
    MetricDef::gauge(
        "netwhy_agent_watch_complete",
        "1 once the complete list of a watch was received.",
        Node(|s, out| s.agent.watches.iter().try_for_each(|w| out.gauge(&[("watch", &w.name)], u64::from(w.complete)))),
    )
    .labels(&[WATCH]),
    MetricDef::gauge(
        "netwhy_agent_watch_age_seconds",
        "Time since the last message of the API server.",
        Node(|s, out| {
            let known = s.agent.watches.iter().filter_map(|w| Some((w, w.age_seconds?)));
            known.into_iter().try_for_each(|(w, age)| out.gauge_f64(&[("watch", &w.name)], age))
        }),
    )
    .details("Absent until the first message.")
    .seconds()
    .labels(&[WATCH]),
    MetricDef::gauge(
        "netwhy_agent_watch_objects",
        "Objects known from a watch.",
        Node(|s, out| s.agent.watches.iter().try_for_each(|w| out.gauge(&[("watch", &w.name)], w.objects))),
    )
    .labels(&[WATCH]),
    MetricDef::counter(
        "netwhy_agent_watch_changes_total",
        "Changes received from a watch.",
        Node(|s, out| s.agent.watches.iter().try_for_each(|w| out.counter(&[("watch", &w.name)], w.changes))),
    )
    .labels(&[WATCH]),
    MetricDef::counter(
        "netwhy_agent_watch_lists_total",
        "Complete lists received.",
        Node(|s, out| s.agent.watches.iter().try_for_each(|w| out.counter(&[("watch", &w.name)], w.lists))),
    )
    .labels(&[WATCH]),
    MetricDef::counter(
        "netwhy_agent_watch_errors_total",
        "Failures of lists and watches.",
        Node(|s, out| {
            let all = s.agent.watches.iter().flat_map(|w| w.errors.iter().map(move |(kind, n)| (w, kind, *n)));
            all.into_iter().try_for_each(|(w, kind, n)| out.counter(&[("watch", &w.name), ("kind", kind)], n))
        }),
    )
    .labels(&[
        WATCH,
        label(
            "kind",
            "forbidden, unauthorized, throttled, server_error, gone, unreachable, unreadable, stalled, other; \
             only kinds that occurred",
        ),
    ]),
    MetricDef::gauge(
        "netwhy_agent_close_ups",
        "Pods whose annotation asks for an exemption from sampling.",
        Node(|s, out| {
            let Some(all) = &s.agent.close_ups else { return Ok(()) };
            let states =
                [("observed", all.pods.len() as u64), ("waiting", all.waiting), ("unreadable", all.unreadable)];
            states.into_iter().try_for_each(|(state, n)| out.gauge(&[("state", state)], n))
        }),
    )
    .details("Absent without Kubernetes. `kubectl netwhy watch-closer` writes the annotation `netwhy.dev/sample`.")
    .labels(&[label("state", "observed, waiting (for a place, or for memory), unreadable")]),
];

//! Metrics of this Node, and the hints.

use crate::metrics::{
    definition::{MetricDef, Rows::Node, label},
    emit,
};

const BLAME_KINDS: &str =
    "node, peer_node, node_pair, path_share, zone_pair, pod, peer_pod, service, clients, external, undecided, none";

pub(super) static METRICS: &[MetricDef] = &[
    MetricDef::gauge("netwhy_hint", "Confidence of each firing hint, 0 to 1.", Node(emit::hints)).labels(&[
        label("namespace", "the subject's; absent when the subject is this Node"),
        label("pod", "the subject's; absent when the subject is this Node"),
        label("workload", "the subject's; absent when it has none"),
        label("cause", "the rules in docs/hints.md"),
        label("symptom", "the rules in docs/hints.md"),
        label("blame_kind", BLAME_KINDS),
        label("blame", "Nodes, zones and Pods; one per firing hint; an address is shown as ~address"),
    ]),
    MetricDef::counter(
        "netwhy_hints_total",
        "Hints that started firing.",
        Node(|s, out| s.view.hints_total.iter().try_for_each(|(cause, n)| out.counter(&[("cause", cause)], *n))),
    )
    .labels(&[label("cause", "the rules in docs/hints.md")]),
    MetricDef::counter("netwhy_hint_seconds_total", "Time for which hints fired.", Node(emit::hint_seconds))
        .details(
            "An incident between two scrapes leaves its names here. A series stays for 15 minutes after its last hint, \
             and may begin above 0: use `max_over_time` where `increase` misses the first value.",
        )
        .seconds()
        .labels(&[
            label("namespace", "the subject's; absent when the subject is this Node; ~other beyond 256 series"),
            label("pod", "the subject's; absent when the subject is this Node; ~other beyond 256 series"),
            label("workload", "the subject's; absent when it has none"),
            label("cause", "the rules in docs/hints.md"),
            label("blame_kind", BLAME_KINDS),
            label("blame", "Nodes, zones and Pods, in at most 256 series; an address is shown as ~address"),
        ]),
    MetricDef::counter(
        "netwhy_unattributed_samples_total",
        "Samples whose subject is unknown.",
        Node(|s, out| s.view.unattributed.iter().try_for_each(|(why, n)| out.counter(&[("why", why)], *n))),
    )
    .labels(&[label("why", "a fixed list; only reasons that occurred")]),
    MetricDef::counter(
        "netwhy_node_packet_drops_total",
        "Packets dropped on this Node that belonged to no socket.",
        Node(|s, out| s.drops(&s.view.node_drops, out)),
    )
    .labels(&[label("reason", "the running kernel's drop reasons, about 120; only reasons that occurred")]),
];

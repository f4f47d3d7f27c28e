//! Metrics of the host signals. A signal that the Node lacks has no series; `netwhy_node_signal_state` tells why.

use crate::{
    metrics::{
        definition::{LabelDef, MetricDef, Rows::Node, label},
        out::Out,
        scrape::Scrape,
    },
    sample::{Gauge, Group, Signal},
    state::HostView,
};
use std::fmt;

const DEVICE: LabelDef = label("device", "interfaces that lead out of the Node, at most 16");
const DIRECTION: LabelDef = label("direction", "sent, received");

pub(super) static METRICS: &[MetricDef] = &[
    MetricDef::gauge(
        "netwhy_node_signal_state",
        "Read status per signal group; always 1.",
        Node(|s, out| {
            host(s).map_or(Ok(()), |h| {
                let states = h.states.iter();
                states
                    .into_iter()
                    .try_for_each(|(group, state)| out.gauge(&[("signal", group.label()), ("state", state.label())], 1))
            })
        }),
    )
    .details("`/api/v1/node` gives the reason.")
    .labels(&[label("signal", "a fixed list in the agent"), label("state", "ok, absent, unsupported, broken")]),
    MetricDef::counter(
        "netwhy_node_pressure_seconds_total",
        "Time that some or all tasks of the Node waited for a resource (PSI).",
        Node(pressure),
    )
    .seconds()
    .labels(&[label("resource", "cpu, memory, io"), label("kind", "some, full")]),
    MetricDef::counter(
        "netwhy_node_cpu_idle_seconds_total",
        "Idle time of all CPUs together.",
        Node(|s, out| total(s, Signal::CpuIdle).map_or(Ok(()), |us| out.counter_f64(&[], us as f64 / 1e6))),
    )
    .details("Time spent waiting for IO is not idle time.")
    .seconds(),
    MetricDef::gauge("netwhy_node_cpus", "Online CPUs.", Node(|s, out| one(s, Gauge::Cpus, 1, out))),
    MetricDef::counter(
        "netwhy_node_softnet_packets_total",
        "Packets that the CPUs took from their backlogs and from device rings.",
        Node(|s, out| count(s, Signal::SoftnetProcessed, out)),
    ),
    MetricDef::counter(
        "netwhy_node_softnet_drops_total",
        "Packets dropped because a CPU's receive backlog was full.",
        Node(|s, out| count(s, Signal::SoftnetDropped, out)),
    ),
    MetricDef::counter(
        "netwhy_node_softnet_squeezes_total",
        "Times that a CPU's receive budget ended while packets waited.",
        Node(|s, out| count(s, Signal::SoftnetSqueezed, out)),
    ),
    MetricDef::gauge(
        "netwhy_node_conntrack_entries",
        "Tracked connections in the Node's network namespace.",
        Node(|s, out| one(s, Gauge::ConntrackEntries, 1, out)),
    )
    .details("Absent when connection tracking is not loaded."),
    MetricDef::gauge(
        "netwhy_node_conntrack_limit",
        "Most connections that can be tracked.",
        Node(|s, out| one(s, Gauge::ConntrackLimit, 1, out)),
    ),
    MetricDef::counter(
        "netwhy_node_conntrack_failures_total",
        "Failures of connection tracking in the Node's network namespace.",
        Node(|s, out| events(s, Group::Conntrack, "event", "conntrack_", out)),
    )
    .details(
        "`insert_failed`: a connection was not entered. `drop`: a packet was dropped. `early_drop`: a \
         connection was removed early to make room.",
    )
    .labels(&[label("event", "insert_failed, drop, early_drop")]),
    MetricDef::counter(
        "netwhy_node_tcp_events_total",
        "TCP counters of the Node's network namespace.",
        Node(|s, out| events(s, Group::Tcp, "event", "", out)),
    )
    .details("Pods with a network namespace of their own are not included.")
    .labels(&[label("event", "a fixed list in the agent")]),
    MetricDef::gauge(
        "netwhy_node_tcp_memory_bytes",
        "Memory of TCP buffers: in use, pressure threshold and limit.",
        Node(|s, out| {
            let all = [
                ("used", Gauge::TcpMemoryUsed),
                ("pressure", Gauge::TcpMemoryPressure),
                ("limit", Gauge::TcpMemoryLimit),
            ];
            let Some((host, page)) = host(s).and_then(|h| Some((h, h.gauge(Gauge::TcpMemoryPage)?))) else {
                return Ok(());
            };
            all.iter().try_for_each(|(kind, gauge)| match host.gauge(*gauge) {
                Some(pages) => out.gauge(&[("kind", kind)], pages.saturating_mul(page)),
                None => Ok(()),
            })
        }),
    )
    .bytes()
    .labels(&[label("kind", "used, pressure, limit")]),
    MetricDef::gauge(
        "netwhy_node_local_ports",
        "Local TCP ports of the Node's network namespace: in use, and ephemeral range.",
        Node(|s, out| {
            [("used", Gauge::PortsUsed), ("range", Gauge::PortsRange)].iter().try_for_each(|(kind, gauge)| {
                host(s).and_then(|h| h.gauge(*gauge)).map_or(Ok(()), |n| out.gauge(&[("kind", kind)], n))
            })
        }),
    )
    .labels(&[label("kind", "used, range")]),
    MetricDef::gauge(
        "netwhy_node_nic_info",
        "Driver, version, firmware and root queueing discipline of an interface; always 1.",
        Node(|s, out| {
            host(s).map_or(Ok(()), |h| {
                h.devices.iter().try_for_each(|d| {
                    let text = |field: &Option<String>| field.clone().unwrap_or_default();
                    let [driver, version, firmware, qdisc] = [&d.driver, &d.version, &d.firmware, &d.qdisc].map(text);
                    let labels = [
                        ("device", &*d.name),
                        ("driver", &driver),
                        ("version", &version),
                        ("firmware", &firmware),
                        ("qdisc", &qdisc),
                    ];
                    out.gauge(&labels, 1)
                })
            })
        }),
    )
    .labels(&[
        DEVICE,
        label("driver", "one per device"),
        label("version", "one per device"),
        label("firmware", "one per device"),
        label("qdisc", "one per device"),
    ]),
    MetricDef::counter(
        "netwhy_node_nic_packets_total",
        "Packets sent and received by an interface.",
        Node(|s, out| directions(s, [Signal::NicTxPackets, Signal::NicRxPackets], out)),
    )
    .labels(&[DEVICE, DIRECTION]),
    MetricDef::counter(
        "netwhy_node_nic_drops_total",
        "Packets dropped by an interface or the host, without damaged ones.",
        Node(|s, out| {
            each(
                s,
                |h, device, out| {
                    let of = |signal| h.count_on(signal, device).map(|count| count.total);
                    if let Some(sent) = of(Signal::NicTxDropped) {
                        out.counter(&[("device", device), ("direction", "sent")], sent)?;
                    }
                    match (of(Signal::NicRxDropped), of(Signal::NicRxMissed)) {
                        (None, None) => Ok(()),
                        (a, b) => {
                            let received = a.unwrap_or(0) + b.unwrap_or(0);
                            out.counter(&[("device", device), ("direction", "received")], received)
                        }
                    }
                },
                out,
            )
        }),
    )
    .details("The reasons are missing buffer space or no receiver for the packet.")
    .labels(&[DEVICE, DIRECTION]),
    MetricDef::counter(
        "netwhy_node_nic_errors_total",
        "Damaged packets received, and packets that an interface could not send.",
        Node(|s, out| directions(s, [Signal::NicTxErrors, Signal::NicRxErrors], out)),
    )
    .labels(&[DEVICE, DIRECTION]),
    MetricDef::counter(
        "netwhy_node_nic_carrier_changes_total",
        "Times that an interface's link went up or down.",
        Node(|s, out| per_device(s, Signal::NicCarrierChanges, out)),
    )
    .labels(&[DEVICE]),
    MetricDef::counter(
        "netwhy_node_nic_allowance_exceeded_total",
        "Packets queued or dropped by the cloud because an allowance of the instance was exceeded.",
        Node(|s, out| {
            each(
                s,
                |h, device, out| {
                    let signals = Signal::ALL.iter().filter(|signal| signal.group() == Group::Ethtool);
                    signals.into_iter().try_for_each(|signal| match h.count_on(*signal, device) {
                        Some(count) => {
                            let name = signal.label().trim_end_matches("_allowance_exceeded");
                            out.counter(&[("device", device), ("allowance", name)], count.total)
                        }
                        None => Ok(()),
                    })
                },
                out,
            )
        }),
    )
    .labels(&[DEVICE, label("allowance", "bw_in, bw_out, pps, conntrack, linklocal")]),
    MetricDef::counter(
        "netwhy_node_qdisc_drops_total",
        "Packets dropped by an interface's root queueing discipline and its children.",
        Node(|s, out| per_device(s, Signal::QdiscDrops, out)),
    )
    .labels(&[DEVICE]),
    MetricDef::counter(
        "netwhy_node_qdisc_overlimits_total",
        "Times that an interface's root queueing discipline delayed packets for a rate limit.",
        Node(|s, out| per_device(s, Signal::QdiscOverlimits, out)),
    )
    .labels(&[DEVICE]),
    MetricDef::gauge(
        "netwhy_node_qdisc_backlog_bytes",
        "Bytes queued in an interface's root queueing discipline.",
        Node(|s, out| {
            each(
                s,
                |h, device, out| {
                    let bytes = h.gauges.get(&(Gauge::QdiscBacklogBytes, Some(device.clone())));
                    bytes.map_or(Ok(()), |bytes| out.gauge(&[("device", device)], *bytes))
                },
                out,
            )
        }),
    )
    .bytes()
    .labels(&[DEVICE]),
];

fn host<'a>(s: &'a Scrape<'_>) -> Option<&'a HostView> {
    s.view.host.as_ref()
}

fn total(s: &Scrape<'_>, signal: Signal) -> Option<u64> {
    host(s)?.count(signal).map(|count| count.total)
}

fn count(s: &Scrape<'_>, signal: Signal, out: &mut Out<'_, '_>) -> fmt::Result {
    total(s, signal).map_or(Ok(()), |n| out.counter(&[], n))
}

fn one(s: &Scrape<'_>, gauge: Gauge, times: u64, out: &mut Out<'_, '_>) -> fmt::Result {
    host(s).and_then(|h| h.gauge(gauge)).map_or(Ok(()), |n| out.gauge(&[], n * times))
}

fn pressure(s: &Scrape<'_>, out: &mut Out<'_, '_>) -> fmt::Result {
    for signal in Signal::ALL.iter().filter(|signal| signal.group() == Group::Pressure) {
        // pressure_cpu_some
        let mut parts = signal.label().split('_').skip(1);
        let (Some(resource), Some(kind), Some(us)) = (parts.next(), parts.next(), total(s, *signal)) else { continue };
        out.counter_f64(&[("resource", resource), ("kind", kind)], us as f64 / 1e6)?;
    }
    Ok(())
}

/// All counters of a group, by name without `prefix`.
fn events(s: &Scrape<'_>, group: Group, name: &'static str, prefix: &str, out: &mut Out<'_, '_>) -> fmt::Result {
    for signal in Signal::ALL.iter().filter(|signal| signal.group() == group) {
        if let Some(n) = total(s, *signal) {
            out.counter(&[(name, signal.label().trim_start_matches(prefix))], n)?;
        }
    }
    Ok(())
}

fn each(
    s: &Scrape<'_>,
    mut write: impl FnMut(&HostView, &std::sync::Arc<str>, &mut Out<'_, '_>) -> fmt::Result,
    out: &mut Out<'_, '_>,
) -> fmt::Result {
    host(s).map_or(Ok(()), |h| h.devices.iter().try_for_each(|device| write(h, &device.name, out)))
}

fn per_device(s: &Scrape<'_>, signal: Signal, out: &mut Out<'_, '_>) -> fmt::Result {
    each(
        s,
        |h, device, out| match h.count_on(signal, device) {
            Some(count) => out.counter(&[("device", device)], count.total),
            None => Ok(()),
        },
        out,
    )
}

/// Sent and received.
fn directions(s: &Scrape<'_>, signals: [Signal; 2], out: &mut Out<'_, '_>) -> fmt::Result {
    each(
        s,
        |h, device, out| {
            signals.iter().zip(["sent", "received"]).try_for_each(|(signal, direction)| {
                match h.count_on(*signal, device) {
                    Some(count) => out.counter(&[("device", device), ("direction", direction)], count.total),
                    None => Ok(()),
                }
            })
        },
        out,
    )
}

//! How the samples of a metric are made, where it takes more than a line.
//!
//! A value that is absent makes no series. Zeros are written where a first increase must not be missed (losses,
//! failures, kills) and left out for label values that merely never occurred.

use super::{bounds, out::Out, rows::Row, scrape::Scrape};
use crate::{
    calls::Code,
    sample::{FineHistogram, Histogram, Responses},
    state::FiringTime,
};
use netwhy_abi::{Cut, DnsCode, FILL_PARTS, Failure, ListenDrop, PeerClass, Retransmit, Role};
use std::fmt;

/// Stage of a request before its connection is there.
const HANDSHAKE: &str = "handshake";

pub(super) fn rtt(row: &Row<'_>, s: &Scrape<'_>, out: &mut Out<'_, '_>) -> fmt::Result {
    let bounds = if s.options.fine_rtt { &*bounds::RTT_FINE } else { &*bounds::RTT };
    if s.options.peer {
        return row.classes().try_for_each(|(class, t)| {
            out.histogram_with(&[peer(class)], &t.rtt, bounds, s.exemplars.rtts(row, Some(class)))
        });
    }
    let mut all = Histogram::default();
    row.classes().for_each(|(_, t)| all.add(&t.rtt));
    out.histogram_with(&[], &all, bounds, s.exemplars.rtts(row, None))
}

pub(super) fn min_rtt(row: &Row<'_>, s: &Scrape<'_>, out: &mut Out<'_, '_>) -> fmt::Result {
    let known = PeerClass::ALL.iter().zip(row.view.min_rtt_us).filter_map(|(class, us)| Some((*class, us?)));
    let seconds = |us: u32| f64::from(us) / 1e6;
    if s.options.peer {
        return known.into_iter().try_for_each(|(class, us)| out.gauge_f64(&[peer(class)], seconds(us)));
    }
    known.map(|(_, us)| us).min().map_or(Ok(()), |us| out.gauge_f64(&[], seconds(us)))
}

pub(super) fn loss_episodes(row: &Row<'_>, s: &Scrape<'_>, out: &mut Out<'_, '_>) -> fmt::Result {
    if s.options.peer {
        return row.classes().try_for_each(|(class, t)| {
            out.counter_with(&[peer(class)], t.loss_episodes, s.exemplars.loss_episodes(row, Some(class)))
        });
    }
    if !row.tcp {
        return Ok(());
    }
    let episodes: u64 = row.classes().map(|(_, t)| t.loss_episodes).sum();
    out.counter_with(&[], episodes, s.exemplars.loss_episodes(row, None))
}

pub(super) fn retransmits(row: &Row<'_>, s: &Scrape<'_>, out: &mut Out<'_, '_>) -> fmt::Result {
    let from_zero = |t: Retransmit| matches!(t, Retransmit::Fast | Retransmit::Timeout);
    for kind in Retransmit::ALL {
        let n = row.total.retransmits[kind as usize];
        if n > 0 || (row.tcp && from_zero(kind)) {
            out.counter_with(&[("type", kind.label())], n, s.exemplars.retransmits(row, kind))?;
        }
    }
    Ok(())
}

pub(super) fn connect_durations(row: &Row<'_>, _: &Scrape<'_>, out: &mut Out<'_, '_>) -> fmt::Result {
    let durations = Role::ALL.iter().zip(&row.view.sums.connects.durations);
    durations.into_iter().try_for_each(|(role, h)| out.histogram(&[("role", role.label())], h, &bounds::CONNECT))
}

pub(super) fn lookup_durations(row: &Row<'_>, _: &Scrape<'_>, out: &mut Out<'_, '_>) -> fmt::Result {
    let lookups = &row.view.sums.lookups;
    if lookups.count() > 0 { out.histogram(&[], &lookups.durations, &bounds::DNS) } else { Ok(()) }
}

pub(super) fn lookups(row: &Row<'_>, _: &Scrape<'_>, out: &mut Out<'_, '_>) -> fmt::Result {
    let lookups = &row.view.sums.lookups;
    if lookups.count() == 0 {
        return Ok(());
    }
    for (code, n) in DnsCode::ALL.iter().zip(lookups.codes).filter(|(_, n)| *n > 0) {
        out_lookups(out, ("answered", code.label()), n)?;
    }
    // Where no answer's code was seen, the series of all answers begins with zero.
    let unseen = lookups.answered.saturating_sub(lookups.coded());
    if unseen > 0 || lookups.coded() == 0 {
        out_lookups(out, ("answered", ""), unseen)?;
    }
    out_lookups(out, ("unanswered", ""), lookups.unanswered)
}

fn out_lookups(out: &mut Out<'_, '_>, (result, code): (&'static str, &'static str), n: u64) -> fmt::Result {
    out.counter(&[("result", result), ("code", code)], n)
}

pub(super) fn second_answers(row: &Row<'_>, _: &Scrape<'_>, out: &mut Out<'_, '_>) -> fmt::Result {
    let missing = row.view.sums.lookups.second_missing;
    if missing > 0 { out.counter(&[], missing) } else { Ok(()) }
}

pub(super) fn responses(row: &Row<'_>, s: &Scrape<'_>, out: &mut Out<'_, '_>) -> fmt::Result {
    for (end, by_class) in Role::ALL.into_iter().zip(&row.view.sums.responses) {
        let role = ("role", end.label());
        let known =
            || PeerClass::ALL.iter().zip(by_class).filter_map(|(class, times)| Some((*class, times.as_deref()?)));
        if s.options.peer {
            known().try_for_each(|(class, times)| {
                let exemplar = s.exemplars.responses(row, end, Some(class));
                out.histogram_with(&[role, peer(class)], &times.durations, &bounds::RESPONSE, exemplar)
            })?;
        } else if known().next().is_some() {
            let mut all = FineHistogram::default();
            known().for_each(|(_, times)| all.add(&times.durations));
            out.histogram_with(&[role], &all, &bounds::RESPONSE, s.exemplars.responses(row, end, None))?;
        }
    }
    Ok(())
}

pub(super) fn response_waits(row: &Row<'_>, _: &Scrape<'_>, out: &mut Out<'_, '_>) -> fmt::Result {
    for (role, by_class) in Role::ALL.into_iter().zip(&row.view.sums.responses) {
        let mut all = Responses::default();
        by_class.iter().flatten().for_each(|times| all.add(times));
        if all.durations.is_empty() {
            continue;
        }
        let handshakes = row.view.sums.connects.durations[role as usize].sum_us;
        for (stage, us) in all.stage_totals(role).into_iter().chain([(HANDSHAKE, handshakes)]) {
            // Few Pods resend requests, and handshakes may not be observed.
            if us > 0 || !matches!(stage, "retransmission" | HANDSHAKE) {
                out.counter_f64(&[("role", role.label()), ("stage", stage)], us as f64 / 1e6)?;
            }
        }
    }
    Ok(())
}

pub(super) fn unanswered(row: &Row<'_>, _: &Scrape<'_>, out: &mut Out<'_, '_>) -> fmt::Result {
    let measured = |role: &Role| row.view.sums.responses[*role as usize].iter().any(Option::is_some);
    let roles = Role::ALL.into_iter().filter(measured);
    roles.into_iter().try_for_each(|role| out.gauge(&[("role", role.label())], row.view.unanswered[role as usize]))
}

pub(super) fn calls(row: &Row<'_>, _: &Scrape<'_>, out: &mut Out<'_, '_>) -> fmt::Result {
    let Some(calls) = &row.view.sums.calls else { return Ok(()) };
    calls.rows().filter(|(key, _)| key.code.is_none()).try_for_each(|(key, durations)| {
        let labels = [
            ("role", key.role.label()),
            ("method", key.method_label()),
            ("route", &key.route),
            ("status", &key.status_label()),
        ];
        out.histogram(&labels, durations, &bounds::RESPONSE)
    })
}

pub(super) fn missed_grpc_calls(row: &Row<'_>, _: &Scrape<'_>, out: &mut Out<'_, '_>) -> fmt::Result {
    let Some(calls) = &row.view.sums.calls else { return Ok(()) };
    let labels = |role: Role, code: Code| [("role", role.label()), ("code", code.label())];
    calls.missed().try_for_each(|(role, code, calls)| out.counter(&labels(role, code), calls))
}

pub(super) fn grpc_calls(row: &Row<'_>, _: &Scrape<'_>, out: &mut Out<'_, '_>) -> fmt::Result {
    let Some(calls) = &row.view.sums.calls else { return Ok(()) };
    let coded = calls.rows().filter_map(|(key, durations)| Some((key, key.code?, durations)));
    coded.into_iter().try_for_each(|(key, code, durations)| {
        let (service, method) = key.grpc_labels();
        let labels = [("role", key.role.label()), ("service", service), ("method", method), ("code", code.label())];
        out.histogram(&labels, durations, &bounds::RESPONSE)
    })
}

pub(super) fn estimated_calls(row: &Row<'_>, _: &Scrape<'_>, out: &mut Out<'_, '_>) -> fmt::Result {
    let Some(calls) = &row.view.sums.calls else { return Ok(()) };
    let counted = Role::ALL.into_iter().map(|role| (role, calls.count(role).0)).filter(|(_, count)| *count > 0);
    counted.into_iter().try_for_each(|(role, count)| out.counter(&[("role", role.label())], count))
}

pub(super) fn readable_ratio(row: &Row<'_>, _: &Scrape<'_>, out: &mut Out<'_, '_>) -> fmt::Result {
    let (sampled, readable) = row.view.sums.looked_at();
    if sampled == 0 { Ok(()) } else { out.gauge_f64(&[], readable as f64 / sampled as f64) }
}

pub(super) fn run_queue(row: &Row<'_>, _: &Scrape<'_>, out: &mut Out<'_, '_>) -> fmt::Result {
    let waits = &row.view.sums.run_queue;
    if waits.is_empty() { Ok(()) } else { out.histogram(&[], waits, &bounds::RUN_QUEUE) }
}

pub(super) fn connects(row: &Row<'_>, _: &Scrape<'_>, out: &mut Out<'_, '_>) -> fmt::Result {
    let roles = Role::ALL.iter().zip(row.total.connects).filter(|(_, n)| *n > 0);
    roles.into_iter().try_for_each(|(role, n)| out.counter(&[("role", role.label())], n))
}

pub(super) fn connect_failures(row: &Row<'_>, _: &Scrape<'_>, out: &mut Out<'_, '_>) -> fmt::Result {
    let client = row.total.connects[Role::Client as usize] > 0 || row.total.connect_failures.iter().any(|n| *n > 0);
    let from_zero = |f: Failure| matches!(f, Failure::Refused | Failure::TimedOut);
    for reason in Failure::ALL {
        let n = row.total.connect_failures[reason as usize];
        if n > 0 || (client && from_zero(reason)) {
            out.counter(&[("reason", reason.label())], n)?;
        }
    }
    Ok(())
}

pub(super) fn resets(row: &Row<'_>, _: &Scrape<'_>, out: &mut Out<'_, '_>) -> fmt::Result {
    let both = [("sent", row.total.resets_sent), ("received", row.total.resets_received)];
    let seen = both.into_iter().filter(|(_, n)| *n > 0);
    seen.into_iter().try_for_each(|(direction, n)| out.counter(&[("direction", direction)], n))
}

pub(super) fn cuts(row: &Row<'_>, _: &Scrape<'_>, out: &mut Out<'_, '_>) -> fmt::Result {
    if row.total.cuts.iter().all(|n| *n == 0) {
        return Ok(());
    }
    Cut::ALL.iter().zip(row.total.cuts).try_for_each(|(cut, n)| out.counter(&[("state", cut.label())], n))
}

pub(super) fn accept_queue_overflows(row: &Row<'_>, s: &Scrape<'_>, out: &mut Out<'_, '_>) -> fmt::Result {
    let is_known = are_accept_queues_observed(s) && is_listener(row);
    if is_known { out.counter(&[], row.view.sums.connects.accept_drops) } else { Ok(()) }
}

pub(super) fn accept_queue_fill(row: &Row<'_>, s: &Scrape<'_>, out: &mut Out<'_, '_>) -> fmt::Result {
    match row.view.accept_fill.filter(|parts| *parts > 0 || is_listener(row)) {
        Some(parts) if are_accept_queues_observed(s) => out.gauge_f64(&[], f64::from(parts) / f64::from(FILL_PARTS)),
        _ => Ok(()),
    }
}

/// Whether accept queues are measured: what is not is not zero.
fn are_accept_queues_observed(s: &Scrape<'_>) -> bool {
    s.agent.probes.iter().all(|probe| probe.name != "accept_queue" || probe.state.is_attached())
}

/// Whether the subject accepts connections, or turns them away.
fn is_listener(row: &Row<'_>) -> bool {
    let connects = &row.view.sums.connects;
    row.total.connects[Role::Server as usize] > 0 || connects.accept_full > 0 || connects.accept_drops > 0
}

pub(super) fn listen_drops(row: &Row<'_>, _: &Scrape<'_>, out: &mut Out<'_, '_>) -> fmt::Result {
    let drops = ListenDrop::ALL.iter().zip(row.view.sums.connects.listen_drops).filter(|(_, n)| *n > 0);
    drops.into_iter().try_for_each(|(reason, n)| out.counter(&[("reason", reason.label())], n))
}

pub(super) fn untimed_handshakes(row: &Row<'_>, _: &Scrape<'_>, out: &mut Out<'_, '_>) -> fmt::Result {
    let untimed = Role::ALL.iter().zip(row.view.sums.connects.untimed_handshakes).filter(|(_, n)| *n > 0);
    untimed.into_iter().try_for_each(|(role, n)| out.counter(&[("role", role.label())], n))
}

pub(super) fn smoothed_rtts(row: &Row<'_>, _: &Scrape<'_>, out: &mut Out<'_, '_>) -> fmt::Result {
    let samples = row.total.smoothed_rtts;
    if samples > 0 { out.counter(&[], samples) } else { Ok(()) }
}

pub(super) fn limited(row: &Row<'_>, s: &Scrape<'_>, out: &mut Out<'_, '_>) -> fmt::Result {
    let Some(hz) = s.view.hz.filter(|hz| *hz > 0 && row.tcp) else { return Ok(()) };
    let by = [
        ("receiver", row.total.rwnd_jiffies),
        ("send_buffer", row.total.sndbuf_jiffies),
        ("network", row.total.network_jiffies),
    ];
    // Held back by the network is every busy socket; the other two are zero for most Pods.
    let seen = by.iter().filter(|(by, jiffies)| *jiffies > 0 || *by == "network");
    seen.into_iter().try_for_each(|(by, jiffies)| out.counter_f64(&[("by", by)], *jiffies as f64 / f64::from(hz)))
}

pub(super) fn bytes(row: &Row<'_>, _: &Scrape<'_>, out: &mut Out<'_, '_>) -> fmt::Result {
    if !row.tcp {
        return Ok(());
    }
    out.counter(&[("direction", "sent")], row.total.bytes_acked)?;
    out.counter(&[("direction", "received")], row.total.bytes_received)
}

pub(super) fn pressure(row: &Row<'_>, _: &Scrape<'_>, out: &mut Out<'_, '_>) -> fmt::Result {
    let Some(p) = row.view.pressure else { return Ok(()) };
    let all = [
        ("cpu", "some", p.cpu_some_us),
        ("cpu", "full", p.cpu_full_us),
        ("memory", "some", p.memory_some_us),
        ("memory", "full", p.memory_full_us),
        ("io", "some", p.io_some_us),
        ("io", "full", p.io_full_us),
    ];
    for (resource, kind, us) in all {
        // Zeros for the one that most Pods have; the others begin when they were first felt.
        if us > 0 || (resource, kind) == ("cpu", "some") {
            out.counter_f64(&[("resource", resource), ("kind", kind)], us as f64 / 1e6)?;
        }
    }
    Ok(())
}

pub(super) fn packet_drops(row: &Row<'_>, s: &Scrape<'_>, out: &mut Out<'_, '_>) -> fmt::Result {
    s.drops(&row.view.sums.drops, out)
}

pub(super) fn hints(s: &Scrape<'_>, out: &mut Out<'_, '_>) -> fmt::Result {
    s.hints.iter().try_for_each(|(labels, confidence)| out.gauge_f64(labels, *confidence))
}

pub(super) fn hint_seconds(s: &Scrape<'_>, out: &mut Out<'_, '_>) -> fmt::Result {
    s.view.firing.iter().try_for_each(|FiringTime { key, workload, fired }| {
        let workload = if s.options.workload { &**workload } else { "" };
        let labels = [
            ("namespace", key.namespace.as_str()),
            ("pod", &key.pod),
            ("workload", workload),
            ("cause", &key.cause),
            ("blame_kind", key.blame_kind),
            ("blame", &key.blame),
        ];
        out.counter_f64(&labels, fired.as_secs_f64())
    })
}

pub(super) fn probe_states(s: &Scrape<'_>, out: &mut Out<'_, '_>) -> fmt::Result {
    let probes = s.agent.probes.iter();
    probes.into_iter().try_for_each(|p| out.gauge(&[("probe", &p.name), ("state", p.state.label())], 1))
}

pub(super) fn subjects(s: &Scrape<'_>, out: &mut Out<'_, '_>) -> fmt::Result {
    let gone = s.view.subjects.iter().filter(|v| v.gone_since.is_some()).count();
    out.gauge(&[("state", "alive")], (s.view.subjects.len() - gone) as u64)?;
    out.gauge(&[("state", "gone")], gone as u64)
}

fn peer(class: PeerClass) -> (&'static str, &'static str) {
    ("peer", class.label())
}

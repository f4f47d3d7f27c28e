//! Handshakes to one port of which a part gets no answer, however often it is tried, while others are answered at once:
//! one of several paths, which hashes of addresses and ports choose.
//!
//! A SYN is sent again with the same ports, so that it takes the same path. Of `n` SYNs that were sent again, `late` led
//! to a connection at last: such handshakes take a second or more, and are counted by their duration.
//!
//! ```text
//! losses at random, or a listener       a SYN that is sent again has the chance of a first one: n − late more without
//!   whose queue now and then has room   an answer ~ binomial(n, q), q of all first ones
//! a listener or a path that stops for   what begins in the last second of a stop is sent again after it, and answered:
//!   a while                             late ~ Poisson(attempts per second)
//! ```
//! One of several listeners on one port (`SO_REUSEPORT`) has a part of the ports, too. It stays a candidate until other
//! ports of the peer's Node, or open connections, show the same.

use super::{
    NODE_PACKET_LOSS, PATH_LOSS,
    share::{MOST_NATS, PART_NAMED, Share, leads_to_one_place, odds},
    stalled::Stalled,
};
use crate::{
    api::{Blame, BlameKind, RuledOut, Suspect},
    hints::{
        context::{Context, Edge, EdgeIx, Subject, SubjectIx},
        culprit::{
            handshakes::suspects,
            suspects::{Suspects, host},
        },
        finding::{Finding, evidence},
        rule::Family,
        rules::connect::attempts::Attempts,
        stats::{LOSS_ALPHA, binomial_tail_ln, fewer_nats},
    },
    state::{Endpoint, PeerId},
};
use netwhy_abi::Role;
use std::collections::{BTreeMap, BTreeSet};

/// Time after which the kernel sends a SYN again, s (`TCP_TIMEOUT_INIT`). Later it waits as long, or longer.
const FIRST_TIMEOUT_S: f64 = 1.0;
/// Handshakes that take longer had a SYN sent again, µs. A little less than the timeout, as buckets are coarse.
const LATE_US: u32 = 700_000;
/// Share of the handshakes whose duration must have been counted.
const TIMED: f64 = 0.9;
/// How often one of several listeners is the reason, where one port alone shows it.
const LISTENER: f64 = 0.2;

/// Handshakes of one edge of which a part gets no answer.
#[derive(Clone, Copy)]
struct Lost {
    subject: SubjectIx,
    attempts: Attempts,
    /// Handshakes of the subject that completed after a SYN was sent again, at most.
    late: u64,
    /// SYNs that were sent again for nothing, at least.
    again: u64,
    /// Logarithm of the chance that as many are lost at random.
    ln_p: f64,
    /// Evidence that a part of the ports is affected, nats.
    nats: f64,
}

impl Lost {
    fn new(context: &Context<'_>, subject: &Subject<'_>, edge: &Edge<'_>) -> Option<Self> {
        let attempts = Attempts::new(context, edge, edge.tally());
        if attempts.resent_syns < context.thresholds.syn_retransmits.max(1) || !is_of_one_port(edge) {
            return None;
        }
        // Before the last seconds and in them: no stop that has just begun.
        let recent = Attempts::new(context, edge, &edge.view.recent);
        let before = attempts.without(&recent);
        let goes_on = |some: &Attempts| some.answered > 0 && some.resent_syns > 0;
        if !goes_on(&recent) || !goes_on(&before) {
            return None;
        }
        let late = late(subject)?;
        let again = attempts.resent_syns.saturating_sub(late);
        let (answered, unanswered) = (attempts.answered as f64, attempts.unanswered() as f64);
        let chance = (unanswered + 1.0) / (answered + unanswered + 2.0);
        let ln_p = binomial_tail_ln(again as f64, attempts.resent_syns as f64, chance);
        let seconds = context.window.as_secs_f64().max(1.0);
        let against_stops = fewer_nats(late as f64, answered / seconds * FIRST_TIMEOUT_S);
        // Somebody looks each second, and the best look of a window is the one that counts.
        let nats = (-ln_p - seconds.ln()).min(against_stops).min(MOST_NATS);
        let is_part = ln_p <= LOSS_ALPHA.ln() && nats >= PART_NAMED.ln();
        is_part.then_some(Self { subject: subject.ix, attempts, late, again, ln_p, nats })
    }
}

/// `None`: busy Nodes time a part of the handshakes only.
fn late(subject: &Subject<'_>) -> Option<u64> {
    let (client, connects) = (Role::Client as usize, &subject.view.window_connects);
    let (times, untimed) = (&connects.durations[client], connects.untimed_handshakes[client]);
    let all = subject.view.window.connects(Role::Client) as f64;
    let is_known = (times.count() + untimed) as f64 >= TIMED * all;
    is_known.then(|| times.count() - times.count_up_to(LATE_US) + untimed)
}

/// Translation, filters and other listeners don't hide behind one port of one address.
fn is_of_one_port(edge: &Edge<'_>) -> bool {
    edge.view.role == Some(Role::Client) && edge.view.port != 0 && leads_to_one_place(edge)
}

pub(super) fn judge(context: &Context<'_>) -> Vec<Finding> {
    let lost = |(subject, edge): (&Subject<'_>, &Edge<'_>)| Some((edge.ix, Lost::new(context, subject, edge)?));
    let all: BTreeMap<EdgeIx, Lost> = context.unclaimed(Family::Loss).filter_map(lost).collect();
    if all.is_empty() {
        return Vec::new();
    }
    let suspects = suspects(context, |edge| count(context, edge));
    let mut ports: BTreeMap<PeerId, BTreeSet<Endpoint>> = BTreeMap::new();
    for edge in all.keys().map(|ix| context.edge(*ix)) {
        ports.entry(edge.view.peer_id()).or_default().insert(edge.view.endpoint());
    }
    let is_shown_beside = |edge: &Edge<'_>| {
        ports.get(&edge.view.peer_id()).is_some_and(|ports| ports.len() > 1)
            || Stalled::of(context, &[edge.ix]).is_some()
    };
    let finding = |(ix, lost): (&EdgeIx, &Lost)| {
        let edge = context.edge(*ix);
        describe(context, edge, lost, blame(edge, lost, &suspects, is_shown_beside(edge)))
    };
    all.iter().map(finding).collect()
}

/// Attempts of the window without an answer, at least, and all.
fn count(context: &Context<'_>, edge: &Edge<'_>) -> (f64, f64) {
    let attempts = Attempts::new(context, edge, edge.tally());
    let each = (context.window.as_secs_f64() / FIRST_TIMEOUT_S).max(1.0);
    let unanswered = (attempts.resent_syns as f64 / each).max(attempts.failed as f64);
    (unanswered, unanswered + attempts.answered as f64)
}

/// `is_shown_beside`: other ports of the peer's Node, or open connections, show the same.
fn blame(edge: &Edge<'_>, lost: &Lost, suspects: &Suspects<'_, '_>, is_shown_beside: bool) -> Blame {
    let blame = Share::narrow(suspects.blame_with(edge.ix, odds(lost.nats)).0);
    if is_shown_beside {
        return blame;
    }
    let (kind, name) = host(edge);
    let mut candidates: Vec<Suspect> = blame.candidates().collect();
    candidates.iter_mut().for_each(|one| one.probability *= 1.0 - LISTENER);
    match candidates.iter_mut().find(|one| one.kind == kind && one.name == name) {
        Some(known) => known.probability += LISTENER,
        None => candidates.push(Suspect::new(kind, name, LISTENER)),
    }
    Blame::among(candidates)
}

fn describe(context: &Context<'_>, edge: &Edge<'_>, lost: &Lost, blame: Blame) -> Finding {
    let Lost { attempts, late, again, ln_p, .. } = *lost;
    let subject = context.subject(lost.subject);
    let (name, peer, port, place) = (subject.name(), edge.peer_name(), edge.view.port, context.place(edge));
    let rule = if blame.kind == BlameKind::Node { &NODE_PACKET_LOSS } else { &PATH_LOSS };
    let (syn, source) = ("netwhy_tcp_retransmitted_segments_total{type=\"syn\"}", "ebpf:tcp_retransmit_skb");
    let answered = format!("{} attempts to the same port were answered", attempts.answered);
    Finding {
        nats: LOSS_ALPHA.ln() - ln_p,
        summary: format!(
            "{name} loses handshakes to port {port} of {peer}; only a part of the connections is affected: {again} of {} \
             SYNs that were sent again stayed without an answer, too, while {answered}: one of several paths, or one of \
             several listeners",
            attempts.resent_syns
        ),
        evidence: vec![
            evidence(syn, attempts.resent_syns as f64, "segments", &place, source),
            evidence("syns_lost_again", again as f64, &format!("of {}", attempts.resent_syns), &place, source),
            evidence("answered_attempts_beside", attempts.answered as f64, "attempts", &place, "ebpf:tcp_sock"),
            evidence("late_handshakes", late as f64, "handshakes", name, "ebpf:inet_sock_set_state"),
        ],
        ruled_out: vec![
            RuledOut { cause: "peer_unreachable".into(), because: answered },
            RuledOut {
                cause: "pod_accept_queue_full".into(),
                because: format!("{late} of the SYNs that were sent again were answered, fewer than of first ones"),
            },
        ],
        edges: vec![edge.ix],
        ..Finding::new(rule, subject.ix, blame)
    }
}

#[cfg(test)]
mod tests;

//! Resets that come and go, however few: connections cut while busy, and refused attempts, with answers between them.

use super::{
    PEER_REFUSING,
    cut::{CONNECTIONS_RESET, sender},
    refuser,
};
use crate::{
    api::Evidence,
    hints::{
        context::{Context, Edge, Subject},
        finding::{Finding, evidence},
        memory::{
            cuts::{CutMemory, busy},
            resets::{Moments, Series},
        },
        stats::{LOSS_ALPHA, binomial_tail_ln, poisson_tail_ln},
    },
    peers::PeerKind,
};
use netwhy_abi::Role;
use std::time::Duration;

/// Moments that restarts of one program explain: a planned one, and a second one by chance.
const RESTARTS: usize = 2;
/// Moments that no restarts of many programs explain, and no connections at the bottom of a pool. In a rollout behind one
/// address, a kept connection is reset `n` times with a chance of 1/n!, because each time fewer old programs are left.
/// The bottom of a pool is reached when more requests overlap than ever since, and such records become as rare.
const MANY: usize = 8;
/// Chance below which neither dead connections of a pool nor a rollout explain such moments.
const REUSE_ALPHA: f64 = 1e-3;

pub(super) fn judge(context: &Context<'_>, subject: &Subject<'_>, edge: &Edge<'_>) -> Option<Finding> {
    // The ports of one address belong to several programs, whose moments don't add up.
    if edge.view.role != Some(Role::Client) || edge.is_of_many_ports() {
        return None;
    }
    let known = edge.memory?.cuts();
    let moments = known.apart()?;
    let series = moments.series(context.at)?;
    // The newest moment may begin with a connection that was kept.
    let refuses = series.refusing >= RESTARTS && series.refusing + 1 >= series.moments;
    let is_unexplained = match refuses {
        true => is_refusing_again(edge, &series),
        false => is_reset_again(context, edge, (moments, &series)),
    };
    if !is_unexplained {
        return None;
    }
    let expected = expected(context, edge, (known, &series));
    let ln_p = poisson_tail_ln(series.resets.all(), expected);
    if ln_p > LOSS_ALPHA.ln() {
        return None;
    }
    let found = if refuses { refusing(subject, edge, &series) } else { resetting(context, subject, edge, &series) };
    let place = context.place(edge);
    Some(Finding {
        nats: LOSS_ALPHA.ln() - ln_p,
        covers: Some(series.span),
        evidence: numbers(&series, expected, &place),
        edges: vec![edge.ix],
        ..found
    })
}

/// Restarts don't explain the moments, each of which needs one: an attempt is no old connection.
fn is_refusing_again(edge: &Edge<'_>, series: &Series) -> bool {
    are_many(edge, series) || (is_one_program(edge) && series.refusing > RESTARTS)
}

/// There are more moments than restarts of the programs behind the address make.
fn are_many(edge: &Edge<'_>, series: &Series) -> bool {
    series.moments >= MANY && (is_one_program(edge) || !may_be_rollout(series))
}

/// Each moment may be the end of another replica. There are as many replicas as moments then, or more, and a request meets
/// the one that ends by chance: the others are answered meanwhile.
fn may_be_rollout(series: &Series) -> bool {
    let failed = series.resets.all() as f64;
    binomial_tail_ln(failed, failed + series.beside, 1.0 / series.moments as f64) > REUSE_ALPHA.ln()
}

/// Neither restarts nor old connections explain the moments.
fn is_reset_again(context: &Context<'_>, edge: &Edge<'_>, (moments, series): (&Moments, &Series)) -> bool {
    let are_many = are_many(edge, series);
    if !are_many && (!is_one_program(edge) || series.moments <= RESTARTS) {
        return false;
    }
    let is_rare = |ln_p: f64| ln_p <= REUSE_ALPHA.ln();
    let overlaps_are_rare = || are_many || is_rare(ln_overlaps(context.window, edge, series));
    is_client_of_new_connections(edge) || (overlaps_are_rare() && is_rare(moments.ln_pool()))
}

/// One program at most listens there: a Pod's own address, or one inside of the Pod.
fn is_one_program(edge: &Edge<'_>) -> bool {
    edge.is_inside_pod() || (edge.view.kind == PeerKind::Pod && !edge.view.redirected)
}

/// Most of its requests open a connection: it has no old ones. A connection after each reset says nothing.
fn is_client_of_new_connections(edge: &Edge<'_>) -> bool {
    let (tally, cut) = (edge.tally(), busy(edge.tally()));
    let requests = match edge.view.responses.as_deref().map_or(0, |times| times.window.durations.count()) {
        0 => tally.data_segs_out.saturating_sub(cut),
        requests => requests,
    };
    requests > 0 && 2 * edge.client_connects().saturating_sub(cut) >= requests
}

/// Logarithm of the chance that so many requests overlap others, as those that begin the later moments do where a pool
/// prefers its newest connections. A request finds another one under way with a chance of at most their mean number.
/// 0: nothing is known.
fn ln_overlaps(window: Duration, edge: &Edge<'_>, series: &Series) -> f64 {
    let Some(times) = edge.view.responses.as_deref().filter(|times| times.window.durations.count() > 0) else {
        return 0.0;
    };
    let under_way = times.window.durations.sum_us as f64 / 1e6 / window.as_secs_f64();
    let later = series.moments.saturating_sub(1) as f64;
    binomial_tail_ln(later, later + series.answers, under_way)
}

/// Resets that normal times make since the first moment.
fn expected(context: &Context<'_>, edge: &Edge<'_>, (known, series): (&CutMemory, &Series)) -> f64 {
    let windows = series.span.as_secs_f64() / context.window.as_secs_f64();
    known.expected(edge.tally(), context.window) * windows.max(1.0)
}

fn resetting(context: &Context<'_>, subject: &Subject<'_>, edge: &Edge<'_>, series: &Series) -> Finding {
    let (name, peer) = (subject.name(), edge.peer_name());
    let (sender, culprit) = sender(context, edge);
    let (resets, when) = (series.resets.cut, when(series));
    Finding {
        summary: format!("connections of {name} to {peer} are reset while busy, {when}: {resets} resets; {sender}"),
        ..Finding::new(&CONNECTIONS_RESET, subject.ix, culprit)
    }
}

fn refusing(subject: &Subject<'_>, edge: &Edge<'_>, series: &Series) -> Finding {
    let (name, peer) = (subject.name(), edge.program_name());
    let (refused, when) = (series.resets.refused, when(series));
    Finding {
        summary: format!("{peer} refuses {name}, {when}: {refused} connection attempts"),
        ..Finding::new(&PEER_REFUSING, subject.ix, refuser(subject, edge))
    }
}

/// For people.
fn when(series: &Series) -> String {
    format!("{} times in the last {} s, with answers between them", series.moments, series.span.as_secs())
}

fn numbers(series: &Series, expected: f64, place: &str) -> Vec<Evidence> {
    let moments = evidence("moments_with_resets", series.moments as f64, "moments", place, "ebpf:tcp_receive_reset");
    let resets = evidence("resets_and_refusals", series.resets.all() as f64, "resets", place, "ebpf:tcp_receive_reset");
    vec![moments, Evidence { baseline: Some(expected), ..resets }]
}

#[cfg(test)]
mod tests;

//! Paths that are longer now and then. New connections prove it, as no program answers their handshakes.
//!
//! The lowest round trip of a client's new connection is that of its handshake or of its requests. Where a share of the
//! requests became slow, and these round trips grew by as much as that takes, the path was longer for them. The fastest
//! round trips of all tell nothing of it: between, the path is as short as ever.

use super::{GROWTH, PATH_LATENCY, is_free, makes_its_own_queue, slight::has_more_traffic};
use crate::{
    api::{Evidence, RuledOut},
    hints::{
        context::{Context, Edge, EdgeIx, Subject, inside},
        culprit::{latency::now_and_then, suspects::Suspects},
        finding::{Finding, evidence},
        memory::{
            path::Path,
            requests::RequestMemory,
            tail::{Slow, TAIL_ALPHA},
        },
        rule::Family,
        rules::stages::Growth,
        stats::{fewer_nats, ms, percent},
    },
    state::ResponseView,
};
use netwhy_abi::{Retransmit, Role};
use std::collections::BTreeSet;

/// Requests of the window at least.
const MIN_REQUESTS: u64 = 8;
/// New connections per request from which most requests are the first ones of theirs.
const NEW: f64 = 0.5;
/// Share of the growth that the round trips of new connections must have to be the reason for it.
const MAIN: f64 = 0.5;
/// Evidence that others were in time, nats: a machine that stands still spares as many requests in 1 of 100 windows.
const SURE: f64 = 4.6;
/// Delays of one path are alike up to this multiple of each other …
const ALIKE: f64 = 1.5;
/// … and hit shares of requests that are alike up to this one.
const ALIKE_SHARES: f64 = 2.0;
/// Certainty of the cause: a few moments are fewer witnesses than the requests in them.
const CERTAINTY: f64 = 0.95;

/// A client's edge with slow requests.
struct Slower<'c, 'a> {
    subject: &'c Subject<'a>,
    edge: &'c Edge<'a>,
    slow: Slow,
    growth: Growth,
}

impl<'c, 'a> Slower<'c, 'a> {
    /// `None`: its requests are as fast as usual, its load or another rule explains them, or it is not judged here.
    fn new(context: &Context<'_>, subject: &'c Subject<'a>, edge: &'c Edge<'a>) -> Option<Self> {
        let (now, known) = edge.requests().filter(|_| edge.view.role == Some(Role::Client))?;
        let is_inside = edge.is_remote() && !edge.is_external();
        if !is_inside || matches!(edge.path, Some(Path::Longer(_))) || !is_free(context, subject, edge) {
            return None;
        }
        let slow = known.slow(now, context.thresholds).filter(|_| !has_more_load(context, edge, (now, known)))?;
        Some(Self { subject, edge, slow, growth: Growth::new(now, Role::Client, known.times()) })
    }

    /// The lowest round trips of new connections grew by as much as the slow requests take. Segments that are sent again
    /// don't explain it.
    fn is_proven(&self) -> bool {
        let needed_us = self.slow.share() * self.slow.increase_us();
        let grew_us = self.growth.of("network").map_or(0.0, |stage| stage.now_us - stage.usual_us);
        let resent = self.edge.tally().retransmits[Retransmit::Syn as usize] as f64;
        has_new_connections(self.edge)
            && self.growth.share("network") >= MAIN
            && grew_us >= MAIN * needed_us
            && resent < MAIN * self.slow.per_window()
    }

    /// The other one leads to the same place, and is late as often and by as much.
    fn is_alike(&self, other: &Self) -> bool {
        let is_within = |ratio: f64, most: f64| (1.0 / most..=most).contains(&ratio);
        self.edge.view.peer_id() == other.edge.view.peer_id()
            && is_within(self.slow.increase_us() / other.slow.increase_us(), ALIKE)
            && is_within(self.slow.share() / other.slow.share(), ALIKE_SHARES)
    }
}

/// `found`: findings of paths that are longer all the time.
pub(super) fn judge(context: &Context<'_>, found: &[Finding]) -> Vec<Finding> {
    let explained: BTreeSet<EdgeIx> = found.iter().flat_map(|finding| finding.edges.iter().copied()).collect();
    let mut all = slower(context, &explained, has_new_connections);
    all.retain(Slower::is_proven);
    if all.is_empty() || makes_its_own_queue(context) || inside::are_longer(context) {
        return Vec::new();
    }
    let proven = all.len();
    for one in slower(context, &explained, |_| true) {
        let is_known = all[..proven].iter().any(|known| known.edge.ix == one.edge.ix);
        if !is_known && all[..proven].iter().any(|known| known.is_alike(&one)) {
            all.push(one);
        }
    }
    let edges: BTreeSet<EdgeIx> = all.iter().map(|one| one.edge.ix).collect();
    let least_us = all.iter().map(|one| one.slow.increase_us()).fold(f64::INFINITY, f64::min);
    let least_share = all.iter().map(|one| one.slow.share()).fold(1.0, f64::min);
    if !are_others_in_time(context, &edges, (least_us, least_share)) {
        return Vec::new();
    }
    let suspects = now_and_then(context, &edges, least_us);
    all.iter().map(|one| describe(context, one, &suspects)).collect()
}

/// Edges with slow requests among those that no other finding explains. A tail test of each is worth it where `is_wanted`
/// says so.
fn slower<'c, 'a>(
    context: &'c Context<'a>,
    explained: &BTreeSet<EdgeIx>,
    is_wanted: fn(&Edge<'_>) -> bool,
) -> Vec<Slower<'c, 'a>> {
    let all = context.unclaimed(Family::Latency).filter(|(_, edge)| !explained.contains(&edge.ix) && is_wanted(edge));
    all.filter_map(|(subject, edge)| Slower::new(context, subject, edge)).collect()
}

/// Most requests of the window are the first ones of their connections, so that their lowest round trips are as new.
fn has_new_connections(edge: &Edge<'_>) -> bool {
    let requests = edge.view.responses.as_ref().map_or(0, |now| now.window.durations.count());
    requests >= MIN_REQUESTS && edge.client_connects() as f64 >= NEW * requests as f64
}

/// So many more requests or bytes than usual make late ones no wonder.
fn has_more_load(context: &Context<'_>, edge: &Edge<'_>, (now, known): (&ResponseView, &RequestMemory)) -> bool {
    let per_second = now.window.durations.count() as f64 / context.window.as_secs_f64();
    has_more_traffic(context, edge) || known.times().per_second().is_some_and(|usual| per_second > GROWTH * usual)
}

/// Clients' requests on all other edges, also within the Node, would show such a delay, and don't. A machine that stands
/// still for moments delays all of them. `slow`: the edges that show it; `us`, `share`: the smallest delay, and share.
fn are_others_in_time(context: &Context<'_>, slow: &BTreeSet<EdgeIx>, (us, share): (f64, f64)) -> bool {
    let (mut late, mut expected) = (0.0, 0.0);
    let others = context.edges().iter().filter(|edge| !slow.contains(&edge.ix));
    for edge in others.filter(|edge| edge.view.role == Some(Role::Client)) {
        if let Some(above) = edge.requests().and_then(|(now, known)| known.above_in_window(now, us)) {
            late += above.slow;
            expected += share * above.requests;
        }
    }
    fewer_nats(late, expected) >= SURE
}

/// Share of slow requests, and the growth of each stage.
fn numbers(one: &Slower<'_, '_>, place: &str) -> Vec<Evidence> {
    let source = "ebpf:tcp_probe";
    let share = evidence("slow_requests", one.slow.share(), "share of requests", place, source);
    let mut out = vec![Evidence { baseline: Some(one.slow.usual_share), ..share }];
    out.extend(one.growth.stages.iter().map(|stage| {
        let signal = format!("netwhy_tcp_response_wait_seconds_total{{role=\"client\",stage=\"{}\"}}", stage.name);
        let value = evidence(&signal, stage.now_us / 1e6, "seconds per request", place, source);
        Evidence { baseline: Some(stage.usual_us / 1e6), ..value }
    }));
    out
}

fn describe(context: &Context<'_>, one: &Slower<'_, '_>, suspects: &Suspects<'_, '_>) -> Finding {
    let Slower { subject, edge, slow, growth } = one;
    let because = match one.is_proven() {
        true => format!(
            "{} new connections, whose handshakes no program answers, have round trips that grew as much",
            edge.client_connects()
        ),
        false => "new connections to the same place have round trips that grew as much".to_owned(),
    };
    let peer = RuledOut { cause: "peer_slow".into(), because };
    Finding {
        nats: TAIL_ALPHA.ln() - slow.ln_p,
        covers: Some(context.window * slow.windows),
        certainty: CERTAINTY,
        summary: format!(
            "the path from {} to {} is longer now and then: {} of {} requests take more than {} (usually {} do), \
             typically {} longer, while requests elsewhere are in time; {}",
            subject.name(),
            edge.peer_name(),
            percent(slow.share()),
            slow.requests,
            ms(f64::from(slow.limit_us)),
            percent(slow.usual_share),
            ms(slow.increase_us()),
            growth.text()
        ),
        evidence: numbers(one, &context.place(edge)),
        ruled_out: [peer].into_iter().chain(context.rule_out_sender(subject, edge)).collect(),
        edges: vec![edge.ix],
        ..Finding::new(&PATH_LATENCY, subject.ix, suspects.blame(edge.ix))
    }
}

#[cfg(test)]
mod tests;

//! Slow peers by round trips and reply times, where response times are not measured: acknowledgements wait for replies.

use super::{PATH_FAST, PEER_SLOW, POD_APPLICATION_SLOW, SlowPeers, external::EXTERNAL_SLOW, place_of, spared};
use crate::{
    api::{Evidence, RuledOut},
    hints::{
        context::{Context, Edge, EdgeIx, Subject},
        culprit::suspects::{Odds, Suspects},
        finding::{Finding, evidence},
        memory::{
            edge::{EdgeMemory, MIN_LEARN_SAMPLES, MIN_RTT_SAMPLES},
            path::{Path, Rise},
        },
        stats::{ms, over, percent},
    },
};

/// Multiple of the usual payload from which the load is higher: one that doubles shows as less while the window reaches
/// back before that.
const HIGHER_LOAD: f64 = 1.5;
/// Share of the window in which the Pod's tasks stall.
const STALLED: f64 = 0.2;
/// How much likelier the Pod itself is at fault when its own tasks stall while all its peers look slow.
const STALLED_ODDS: f64 = 50.0;

/// The peer takes its time, over a path that is as fast as usual.
pub(super) fn is_peer_late(context: &Context<'_>, edge: &Edge<'_>) -> bool {
    edge.memory.is_some_and(EdgeMemory::thinks) || late_replies(context, edge).is_some()
}

/// All RTT samples of the last seconds rose on this edge, and on no other to the same place: the path is fine.
fn late_replies(context: &Context<'_>, edge: &Edge<'_>) -> Option<Rise> {
    let (Some(Path::Longer(rise)), Some(memory)) = (edge.path, edge.memory) else { return None };
    let usual = memory.p50_us()?;
    let limits = context.thresholds;
    let matters =
        rise.median_us >= limits.rtt_inflation * usual && rise.median_us - usual >= limits.think_time_ms * 1000.0;
    // A handshake that is as slow waits for no program.
    let thinks = matters && rise.handshakes == 0 && !rise.bulk;
    let client = thinks && !edge.is_external() && memory.is_client(edge.tally());
    (client && context.is_peer_fast(edge)).then_some(rise)
}

/// A client's edge that was free to send, without loss, and has enough samples for a median.
pub(super) fn can_be_judged(context: &Context<'_>, edge: &Edge<'_>) -> bool {
    let (tally, losses) = (edge.tally(), edge.losses());
    let rtt = tally.rtt.count() >= MIN_RTT_SAMPLES && edge.memory.is_some_and(EdgeMemory::client_only);
    let reply = tally.reply_count() >= MIN_LEARN_SAMPLES && edge.memory.is_some_and(|m| m.reply_s().is_some());
    (rtt || reply || late_replies(context, edge).is_some())
        && edge.memory.is_some_and(|m| m.p50_us().is_some())
        && !is_load_higher(context, edge)
        && !edge.is_limited(context.thresholds)
        && (losses.episodes as f64) < context.thresholds.loss_ratio * losses.segments.max(1) as f64
}

/// The edge carries so much more payload than usual that late replies are no wonder.
fn is_load_higher(context: &Context<'_>, edge: &Edge<'_>) -> bool {
    let now = (edge.tally().bytes_acked + edge.tally().bytes_received) as f64 / context.window.as_secs_f64();
    let usual = edge.memory.and_then(EdgeMemory::bytes_per_s).filter(|usual| *usual > 0.0);
    usual.is_some_and(|usual| now >= HIGHER_LOAD * usual)
}

/// RTTs of an edge, µs.
pub(super) struct Rtts {
    pub(super) median: f64,
    pub(super) usual_median: f64,
    min: f64,
    usual_min: f64,
}

/// `None`: not all are known.
pub(super) fn of(edge: &Edge<'_>) -> Option<Rtts> {
    let (tally, memory) = (edge.tally(), edge.memory?);
    Some(Rtts {
        median: tally.rtt.quantile_us(0.5)?,
        usual_median: memory.p50_us()?,
        min: f64::from(tally.min_rtt_us?),
        usual_min: memory.min_us()?,
    })
}

fn rtt_evidence(edge: &Edge<'_>, place: &str, median_us: f64, usual_us: f64) -> Vec<Evidence> {
    let signal = "netwhy_tcp_rtt_seconds{quantile=\"0.5\"}";
    let median = evidence(signal, median_us / 1e6, "seconds", place, "ebpf:tcp_probe");
    let mut out = vec![Evidence { baseline: Some(usual_us / 1e6), ..median }];
    out.extend(edge.min_rtt(place));
    out
}

/// Rules out the path, and everything at the sender that the data rule out.
fn ruled_out(context: &Context<'_>, subject: &Subject<'_>, edge: &Edge<'_>) -> Vec<RuledOut> {
    let path = of(edge).map(|Rtts { min, usual_min, .. }| {
        let because = match late_replies(context, edge) {
            Some(_) => format!("other connections to {} are as fast as ever", place_of(edge)),
            None => format!("minimum RTT {} at its baseline {}", ms(min), ms(usual_min)),
        };
        RuledOut { cause: "path_latency".into(), because }
    });
    path.into_iter().chain(context.rule_out_sender(subject, edge)).collect()
}

pub(super) fn peer(
    context: &Context<'_>,
    subject: &Subject<'_>,
    edge: &Edge<'_>,
    peers: SlowPeers<'_, '_, '_>,
) -> Option<Finding> {
    let Rtts { median, usual_median, min, .. } = of(edge)?;
    let late_replies = late_replies(context, edge);
    let median = late_replies.map_or(median, |rise| rise.median_us);
    let (name, place) = (subject.name(), context.place(edge));
    let reply = edge.memory.and_then(|m| m.slow_reply(edge.tally(), context.hz, context.thresholds));
    // The reply time where it is inflated: acknowledgements don't wait for replies that come very late.
    let (measure, value, normal) = match reply {
        Some((now, usual)) => ("median reply time", now * 1e6, usual * 1e6),
        None => ("median RTT", median, usual_median),
    };
    let mut numbers = rtt_evidence(edge, &place, median, usual_median);
    if let Some((now, usual)) = reply {
        let number = evidence("reply_time{quantile=\"0.5\"}", now, "seconds", &place, "ebpf:tcp_probe");
        numbers.insert(0, Evidence { baseline: Some(usual), ..number });
    }
    numbers.push(evidence("slow_peers", peers.slow as f64, &format!("of {} peers", peers.judged), name, "netwhy"));
    // Fast round trips on the connection itself acquit its path; those of other connections count as evidence.
    let path = if late_replies.is_some() { 1.0 } else { PATH_FAST };
    let (culprit, path) = peers.suspects.blame_with(edge.ix, Odds { path, ..Odds::EVEN });
    let rule = if edge.is_external() { &EXTERNAL_SLOW } else { &PEER_SLOW };
    Some(Finding {
        nats: over(value / normal, context.thresholds.rtt_inflation),
        summary: format!(
            "{name} waits for {}, {}: {measure} {} (normally {}) while {}",
            edge.peer_name(),
            spared(path, false),
            ms(value),
            ms(normal),
            match late_replies {
                Some(_) => format!("other connections to {} are as fast as ever", place_of(edge)),
                None => format!("the path still takes {}", ms(min)),
            }
        ),
        evidence: numbers,
        ruled_out: ruled_out(context, subject, edge),
        edges: vec![edge.ix],
        ..Finding::new(rule, subject.ix, culprit)
    })
}

/// The resource for which the subject's tasks stall most.
#[derive(Clone, Copy)]
pub(super) struct Stall {
    resource: &'static str,
    /// Share of the window.
    share: f64,
}

/// `None`: the tasks stall too little.
pub(super) fn stalled(context: &Context<'_>, subject: &Subject<'_>) -> Option<Stall> {
    let psi = subject.view.window_pressure?;
    let all = [("cpu", psi.cpu_some_us), ("memory", psi.memory_some_us), ("io", psi.io_some_us)];
    let (resource, us) = all.into_iter().max_by_key(|(_, us)| *us)?;
    let share = us as f64 / 1e6 / context.window.as_secs_f64();
    (share >= STALLED).then_some(Stall { resource, share })
}

/// `slow`: the subject's edges, all of which are slow.
pub(super) fn application(
    context: &Context<'_>,
    subject: &Subject<'_>,
    (slow, suspects): (&[&Edge<'_>], &Suspects<'_, '_>),
    Stall { resource, share }: Stall,
) -> Option<Finding> {
    let inflation = |edge: &Edge<'_>| of(edge).map_or(0.0, |rtts| rtts.median / rtts.usual_median);
    let edge = *slow.iter().max_by(|a, b| inflation(a).total_cmp(&inflation(b)))?;
    let Rtts { median, usual_median, .. } = of(edge)?;
    let name = subject.name();
    let odds = Odds { path: PATH_FAST, own: STALLED_ODDS, ..Odds::EVEN };
    let (culprit, _) = suspects.blame_with(edge.ix, odds);
    let mut numbers = rtt_evidence(edge, &context.place(edge), median, usual_median);
    numbers.push(evidence("slow_peers", slow.len() as f64, &format!("of {} peers", slow.len()), name, "netwhy"));
    let signal = format!("netwhy_pressure_seconds_total{{resource=\"{resource}\",kind=\"some\"}}");
    numbers.push(evidence(&signal, share, "seconds per second", name, &format!("{resource}.pressure")));
    Some(Finding {
        nats: over(median / usual_median, context.thresholds.rtt_inflation) + over(share, STALLED),
        certainty: 0.9,
        summary: format!(
            "{name} is slow itself, not the network: all {} peers look slow at once over unchanged paths, and its \
             tasks stalled for {resource} {} of the time",
            slow.len(),
            percent(share)
        ),
        evidence: numbers,
        ruled_out: ruled_out(context, subject, edge),
        effects: vec![PEER_SLOW.id],
        edges: slow.iter().map(|edge| edge.ix).collect::<Vec<EdgeIx>>(),
        ..Finding::new(&POD_APPLICATION_SLOW, subject.ix, culprit)
    })
}

//! Whether packets wait for a bandwidth limit, or their way is longer. Both make round trips longer.
//!
//! A queue before a limit follows the load: the delay comes and goes within seconds, a level amount gets through whatever
//! the delay is, and more is asked for than that. A longer way delays small packets and handshakes alike, or as a trend,
//! and lets through what is asked for.

use super::{
    super::{GROWTH, OWN_QUEUE, bulk_growth, is_queue},
    loses,
};
use crate::{
    hints::{
        context::{Context, Edge},
        culprit::latency::Risen,
        memory::{
            edge::EdgeMemory,
            path::{MIN_PATH_SAMPLES, Rise},
            rise::Beat,
        },
    },
    state::RECENT,
};
use std::{collections::BTreeMap, time::Duration};

/// Largest over smallest amount of several seconds up to which it is level. Bursts of a shaper and the moment of a walk
/// shift it by less; clients that wait a quarter longer for each answer ask for that much less.
const LEVEL: f64 = 1.25;

/// Why these edges, all of one address or Pod, don't wait for a bandwidth limit. `None`: they do.
pub(super) fn excuse(context: &Context<'_>, risen: &[Risen]) -> Option<&'static str> {
    // A sender that fills a queue itself finds one on any path: another one must wait in it.
    let fills = |one: &Risen| bulk_growth(context, context.edge(one.edge)) >= OWN_QUEUE;
    if !risen.iter().any(|one| !fills(one) && comes_and_goes(context.edge(one.edge), &one.rise, context)) {
        return Some("the delay is steady or a trend, and does not come and go as a queue does");
    }
    let moments = moments(context, risen);
    let lasts = moments.keys().next().is_some_and(|first| context.at.saturating_sub(*first) >= RECENT);
    let ratio = |of: fn(&Beat) -> f64| ratio(moments.values().map(|moment| of(&moment.sum)));
    // Payload is known from walk to walk, which may be rare. Round trips are known at once.
    let amounts = [ratio(|sum| sum.bytes as f64), ratio(|sum| sum.samples as f64)];
    let passed = amounts.into_iter().flatten().fold(f64::INFINITY, f64::min);
    if !lasts || passed > LEVEL {
        return Some("what gets through is not level");
    }
    // Clients that wait for answers ask for less as the delay grows. Half of its growth, in logarithms, would show.
    let delay = ratio(|sum| sum.median_us).unwrap_or(1.0);
    let is_held = |payload: Payload| payload.fell() && delay >= LEVEL && passed <= delay.sqrt();
    let is_unmet = |payload: Payload| payload.grew() || is_held(payload);
    let is_limited = loses(context, risen) || payload(context, risen).is_some_and(is_unmet);
    (!is_limited).then_some("as much gets through as is asked for")
}

/// The spread of the round trips grew, by more than a trend explains.
fn comes_and_goes(edge: &Edge<'_>, rise: &Rise, context: &Context<'_>) -> bool {
    is_queue(edge, rise) && !may_be_trend(edge, rise, context)
}

/// The median moved by as much as the round trips differ, or it is not known. While a delay only grows, the lowest of
/// the newest round trips is above the median of those before them: so it moves by more than the distance of the two.
fn may_be_trend(edge: &Edge<'_>, rise: &Rise, context: &Context<'_>) -> bool {
    let is_recent = edge.view.recent.rtt.count() >= MIN_PATH_SAMPLES;
    let span = if is_recent { RECENT } else { context.window };
    let before = edge.memory.and_then(|memory| memory.rise().at(context.at.saturating_sub(span)));
    before.is_none_or(|before| (rise.median_us - before.median_us).abs() >= rise.median_us - rise.now_us)
}

/// What all edges together did at one moment.
struct Moment {
    edges: usize,
    sum: Beat,
}

/// The moments at which all of these edges were longer.
fn moments(context: &Context<'_>, risen: &[Risen]) -> BTreeMap<Duration, Moment> {
    let mut moments: BTreeMap<Duration, Moment> = BTreeMap::new();
    for memory in risen.iter().filter_map(|one| context.edge(one.edge).memory) {
        for beat in memory.rise().beats() {
            let none = Beat { at: beat.at, median_us: 0.0, bytes: 0, samples: 0 };
            let moment = moments.entry(beat.at).or_insert(Moment { edges: 0, sum: none });
            moment.edges += 1;
            moment.sum.median_us += beat.median_us;
            moment.sum.bytes += beat.bytes;
            moment.sum.samples += beat.samples;
        }
    }
    moments.retain(|_, moment| moment.edges == risen.len());
    moments
}

/// Largest over smallest. `None`: there are none, or one is zero.
fn ratio(all: impl Iterator<Item = f64>) -> Option<f64> {
    let (least, most) = all.fold((f64::INFINITY, 0.0_f64), |(least, most), one| (least.min(one), most.max(one)));
    (least > 0.0 && most > 0.0).then(|| most / least)
}

/// Payload of some edges both ways, bytes per second.
#[derive(Clone, Copy)]
pub(super) struct Payload {
    pub(super) now: f64,
    pub(super) usual: f64,
}

impl Payload {
    pub(super) fn grew(self) -> bool {
        self.now > GROWTH * self.usual
    }

    fn fell(self) -> bool {
        self.now < self.usual / LEVEL
    }
}

/// `None`: what is usual is not known.
pub(super) fn payload(context: &Context<'_>, risen: &[Risen]) -> Option<Payload> {
    let seconds = context.window.as_secs_f64();
    risen.iter().try_fold(Payload { now: 0.0, usual: 0.0 }, |sum, one| {
        let edge = context.edge(one.edge);
        let now = (edge.tally().bytes_acked + edge.tally().bytes_received) as f64 / seconds;
        let usual = edge.memory.and_then(EdgeMemory::bytes_per_s)?;
        Some(Payload { now: sum.now + now, usual: sum.usual + usual })
    })
}

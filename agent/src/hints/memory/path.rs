//! What the newest RTT samples of an edge say of its path.

use crate::hints::thresholds::Thresholds;
use crate::{
    sample::Histogram,
    state::{EdgeView, SubjectId},
};
use netwhy_abi::{BOUNDS_US, Retransmit};
use std::net::Ipv6Addr;

/// RTT samples that a statement about the path needs.
pub(crate) const MIN_PATH_SAMPLES: u64 = 8;
/// Samples from which a single one below the limit may be an outlier.
const MANY_PATH_SAMPLES: u64 = 20;
/// Share of samples above the limit that is always called normal, and the samples that it weighs as much as.
const SLOW_SHARE: (f64, f64) = (0.1, 50.0);
/// Chance that an edge's own normal samples look like a longer path.
pub(crate) const RISE_ALPHA: f64 = 1e-6;
/// A path rose when its samples are above so many times its minimum …
const RISE_RATIO: f64 = 1.5;
/// … and so many `rtt_floor_ms` above it.
const RISE_FLOORS: f64 = 2.0;
/// Tail loss probes are sent after two smoothed RTTs …
pub(crate) const TIMER_RATIO: f64 = 2.0;
/// … and a path that became longer shows in a quarter of the last 3 s' samples before a second has passed.
pub(crate) const TIMER_QUANTILE: f64 = 0.75;
/// Payload acknowledged in the samples' time that shows a sender of answers of several full segments, bytes.
const FULL_BYTES: u64 = 100_000;
/// Samples near the minimum that prove a path to be as fast as ever.
pub(crate) const NEW_FAST_SAMPLES: u64 = 2;
/// Handshakes that prove a path to be longer.
const HANDSHAKES: u64 = 2;
/// Payload acknowledged in the samples' time from which a sender is bulk, bytes …
const BULK_BYTES: u64 = 2_000_000;
/// … and per segment: receivers acknowledge two full ones at once, whatever their program does.
const BULK_PAYLOAD: u64 = 1_200;

/// What the newest RTT samples of an edge say of its path.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Path {
    /// Some are as fast as ever: so is the path.
    Usual,
    /// All are slower than the path ever is.
    Rose(Rise),
}

/// A path that became longer, or a peer whose acknowledgements all wait for its replies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rise {
    /// Lowest tenth of the newest samples, µs.
    pub(crate) now_us: f64,
    /// Their median, µs.
    pub(crate) median_us: f64,
    /// Minimum in normal times, µs.
    pub(crate) usual_us: f64,
    /// Samples.
    pub(crate) samples: u64,
    /// Chance that normal samples look like that, logarithm.
    pub(crate) ln_p: f64,
    /// Handshakes among them, which no program answers. 0 when a sample was fast: it may be one of them.
    pub(crate) handshakes: u64,
    /// Full segments were sent at a rate at which acknowledgements do not wait for replies.
    pub(crate) bulk: bool,
    /// Full segments were sent, if at a lower rate: several at once, or one message each.
    pub(crate) full: bool,
}

impl Rise {
    /// By how much, µs.
    pub(crate) fn by_us(&self) -> f64 {
        self.now_us - self.usual_us
    }

    /// It is the path, and no program that thinks.
    pub(crate) fn is_proven(&self) -> bool {
        self.handshakes >= HANDSHAKES || self.bulk
    }
}

/// An edge whose path rose, and the programs at its ends.
#[derive(Clone, Copy)]
pub(crate) struct Witness<'a> {
    pub(crate) subject: &'a SubjectId,
    pub(crate) peer: Ipv6Addr,
    pub(crate) rise: Rise,
}

/// Whether edges that all rose, and share a path, show that it is the path and no program that thinks.
pub(crate) fn is_proven(all: &[Witness<'_>]) -> bool {
    all.iter().any(|one| one.rise.is_proven()) || two_programs(all)
}

/// Two edges with nothing but the path in common, of which one sends full segments: two that are sent at once are
/// acknowledged at once, whatever the program does. One alone may send messages of a segment each, whose
/// acknowledgements wait for replies.
pub(crate) fn two_programs(all: &[Witness<'_>]) -> bool {
    let full = all.iter().filter(|one| one.rise.full);
    full.into_iter().any(|one| all.iter().any(|other| other.subject != one.subject && other.peer != one.peer))
}

/// Judges the newest samples: those of the last seconds, or where they are too few of the window. `usual_us`: minimum in
/// normal times; `above` and `all`: samples above the limit, and all, in normal times. `None`: too few to say.
pub(crate) fn judge(edge: &EdgeView, usual_us: f64, (above, all): (f64, f64), thresholds: &Thresholds) -> Option<Path> {
    let tally = [&edge.recent, &edge.window].into_iter().find(|tally| tally.rtt.count() >= MIN_PATH_SAMPLES)?;
    let of = &tally.rtt;
    let (samples, fast) = (of.count(), of.count_up_to(rise_limit(usual_us, thresholds)));
    if fast >= NEW_FAST_SAMPLES {
        return Some(Path::Usual);
    }
    if fast > 0 && samples < MANY_PATH_SAMPLES {
        return None;
    }
    let (share, weight) = SLOW_SHARE;
    let normal = (above + share * weight) / (all + weight);
    let ways = if fast > 0 { (samples as f64).ln() } else { 0.0 };
    let ln_p = (samples - fast) as f64 * normal.ln() + ways;
    let (now_us, median_us) = (of.quantile_us(0.1)?, of.quantile_us(0.5)?);
    let resent = tally.retransmits[Retransmit::Syn as usize] + tally.retransmits[Retransmit::SynAck as usize];
    let handshakes = if fast > 0 { 0 } else { tally.connects.iter().sum::<u64>().saturating_sub(resent) };
    let full = tally.bytes_acked >= FULL_BYTES && tally.bytes_acked >= BULK_PAYLOAD * tally.data_segs_out;
    let bulk = full && tally.bytes_acked >= BULK_BYTES;
    let rise = Rise { now_us, median_us, usual_us, samples, ln_p, handshakes, bulk, full };
    (ln_p <= RISE_ALPHA.ln()).then_some(Path::Rose(rise))
}

/// Whether samples, enough of them, are as fast as ever: at least half as many as normally are. A few among them may be of
/// before a path became longer.
pub(crate) fn is_near(of: &Histogram, usual_us: f64, (above, all): (f64, f64), thresholds: &Thresholds) -> bool {
    let (samples, fast) = (of.count(), of.count_up_to(rise_limit(usual_us, thresholds)));
    let (share, weight) = SLOW_SHARE;
    let normally = 1.0 - (above + share * weight) / (all + weight);
    samples >= MIN_PATH_SAMPLES && fast as f64 >= 0.5 * normally * samples as f64
}

/// Bound of the histogram up to which a sample may still be of the usual path, µs.
pub(crate) fn rise_limit(usual_us: f64, thresholds: &Thresholds) -> u32 {
    let limit = (RISE_RATIO * usual_us).max(usual_us + RISE_FLOORS * thresholds.rtt_floor_ms * 1000.0);
    let bound = BOUNDS_US.iter().find(|bound| f64::from(**bound) >= limit);
    *bound.unwrap_or(&u32::MAX)
}

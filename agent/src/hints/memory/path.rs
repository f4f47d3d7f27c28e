//! The state of an edge's path, from its newest RTT samples.

use crate::{
    hints::thresholds::Thresholds,
    sample::{Histogram, Responses, Tally},
    state::{EdgeView, ResponseView, SubjectId},
};
use netwhy_abi::{BOUNDS_US, Retransmit, Role};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv6Addr,
    time::Duration,
};

/// RTT samples that a statement about the path needs.
pub(crate) const MIN_PATH_SAMPLES: u64 = 8;
/// Samples from which a single one below the limit may be an outlier.
pub(crate) const MANY_PATH_SAMPLES: u64 = 20;
/// Time for which an inflated RTT without a culprit stays out of the baseline.
pub(crate) const UNDECIDED: Duration = Duration::from_secs(60);
/// Share of samples above the limit that is always called normal …
const SLOW_SHARE: f64 = 0.1;
/// … and the number of samples that it weighs as much as.
const SLOW_WEIGHT: f64 = 50.0;
/// Chance that an edge's own normal samples look like a longer path.
pub(crate) const RISE_ALPHA: f64 = 1e-6;
/// A path is longer when its samples are above this multiple of its minimum …
const RISE_RATIO: f64 = 1.5;
/// … and this multiple of `rtt_floor_ms` above it.
const RISE_FLOORS: f64 = 2.0;
/// Tail loss probes fire after two smoothed RTTs.
pub(crate) const TIMER_RATIO: f64 = 2.0;
/// A longer path shows in a quarter of the last 3 s of samples before a second has passed.
pub(crate) const TIMER_QUANTILE: f64 = 0.75;
/// Payload acknowledged in the time of the samples from which a sender sends several full segments at once, bytes.
const FULL_BYTES: u64 = 100_000;
/// Samples near the minimum that prove a path to be as fast as usual.
pub(crate) const NEW_FAST_SAMPLES: u64 = 2;
/// Handshakes that prove a path to be longer.
const HANDSHAKES: u64 = 2;
/// Payload acknowledged in the time of the samples from which a sender is bulk, bytes …
const BULK_BYTES: u64 = 2_000_000;
/// … and per segment: a receiver acknowledges two full segments at once, whatever its program does.
const BULK_PAYLOAD: u64 = 1_200;

/// Shortest time for which kernels delay an acknowledgement (`TCP_DELACK_MIN`), with some slack, µs.
const DELAYED_ACK_US: f64 = 35_000.0;
/// Longest time for which kernels delay an acknowledgement where round trips are shorter, with the slack of a timer, µs.
/// A smoothed RTT above `TCP_DELACK_MIN` is the limit in its stead (`__tcp_send_delayed_ack`).
const LONGEST_DELAY_US: f64 = 45_000.0;
/// RTT samples that one answer of a server has of its end alone: a walk finds one, and the next request another.
const SAMPLES_PER_END: u64 = 2;
/// Edges that become longer together do so within this time …
const TOGETHER: Duration = Duration::from_secs(3);
/// … by at least so much, unless their own noise is known to be far less, µs …
pub(crate) const TOGETHER_US: f64 = 5_000.0;
/// … and by up to this multiple of each other's rise …
const TOGETHER_RATIO: f64 = 1.5;
/// … and are at least this share of all that became longer.
const TOGETHER_SHARE: f64 = 0.75;

/// State of a path.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Path {
    /// Some samples are as fast as usual: so is the path.
    Usual,
    /// All samples are slower than the path ever is.
    Longer(Rise),
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
    /// Number of samples.
    pub(crate) samples: u64,
    /// Logarithm of the chance that normal samples look like that.
    pub(crate) ln_p: f64,
    /// Handshakes among the samples, which no program answers. 0 when a sample was fast: it may be one of them.
    pub(crate) handshakes: u64,
    /// The sender sends full segments at a rate at which acknowledgements don't wait for replies, and the samples are not
    /// of the ends of its answers alone.
    pub(crate) bulk: bool,
    /// The sender sends full segments at a lower rate: several at once, or one per message.
    pub(crate) full: bool,
    /// Shortest path that explains a server's samples, see [`shortest_us`], µs. `None`: not known.
    pub(crate) shortest_us: Option<f64>,
}

impl Rise {
    /// Increase of the RTT, µs.
    pub(crate) fn increase_us(&self) -> f64 {
        self.now_us - self.usual_us
    }

    /// The path is longer; a program's think time doesn't explain it.
    pub(crate) fn is_proven(&self) -> bool {
        self.handshakes >= HANDSHAKES || self.bulk || self.exceeds_delays()
    }

    /// No delay of acknowledgements explains the samples.
    pub(crate) fn exceeds_delays(&self) -> bool {
        self.shortest_us.is_some_and(|us| self.is_shorter_than(us))
    }

    /// The usual path is much shorter than that.
    pub(crate) fn is_shorter_than(&self, us: f64) -> bool {
        us >= RISE_RATIO * self.usual_us && us - self.usual_us >= TOGETHER_US
    }
}

/// Shortest path that explains round trips of a server's answers, µs. Only the client's kernel delays their
/// acknowledgement: by up to 40 ms, or by its own smoothed RTT if that is longer, which has the path once more and the
/// server's own time. `None`: another role, or the server's own time is not known.
pub(crate) fn shortest_us(role: Option<Role>, responses: Option<&ResponseView>, now_us: f64) -> Option<f64> {
    if role != Some(Role::Server) {
        return None;
    }
    let mean_us = |times: &Responses| {
        let (sum_us, count) = (times.durations.sum_us, times.durations.count());
        (count > 0).then(|| sum_us as f64 / count as f64)
    };
    // The server may have become slow in the last seconds, or have been slow before.
    let responses = responses?;
    let own_us = mean_us(&responses.window)?.max(mean_us(&responses.recent).unwrap_or(0.0));
    Some((now_us - LONGEST_DELAY_US).min((now_us - own_us) / 2.0))
}

/// An edge whose path is longer, and the programs at its ends.
#[derive(Clone, Copy)]
pub(crate) struct LongerEdge<'a> {
    pub(crate) subject: &'a SubjectId,
    pub(crate) peer: Ipv6Addr,
    /// This end. `None`: not known.
    pub(crate) role: Option<Role>,
    pub(crate) rise: Rise,
    /// When it became longer, monotonic. `None`: not known.
    pub(crate) since: Option<Duration>,
}

/// Whether edges that share a path, and are all slower, prove that the path is longer.
pub(crate) fn is_proven(all: &[LongerEdge<'_>]) -> bool {
    all.iter().any(|one| one.rise.is_proven()) || share_only_the_path(all) || rose_both_ways(all)
}

/// A client's edge and a server's, of different programs at both ends, became longer at once and by about as much. A
/// client's round trips may wait for its server's replies. A server's wait for no program, but for delayed
/// acknowledgements, which take longer than these rises.
pub(crate) fn rose_both_ways(all: &[LongerEdge<'_>]) -> bool {
    let of = |role: Role| {
        let rose = move |one: &&LongerEdge<'_>| one.role == Some(role) && one.rise.increase_us() >= TOGETHER_US;
        all.iter().filter(rose)
    };
    let mut servers: Vec<&LongerEdge<'_>> =
        of(Role::Server).filter(|server| server.rise.median_us < DELAYED_ACK_US).collect();
    servers.sort_by(|a, b| a.rise.increase_us().total_cmp(&b.rise.increase_us()));
    of(Role::Client).any(|client| {
        // The servers' edges that rose by about as much are next to each other.
        let ratio = |server: &&LongerEdge<'_>| client.rise.increase_us() / server.rise.increase_us();
        let begin = servers.partition_point(|server| ratio(server) > TOGETHER_RATIO);
        let end = servers.partition_point(|server| ratio(server) >= 1.0 / TOGETHER_RATIO);
        servers[begin..end].iter().any(|server| {
            let at_once = client.since.zip(server.since).is_some_and(|(a, b)| a.abs_diff(b) <= TOGETHER);
            at_once && client.peer != server.peer && client.subject != server.subject
        })
    })
}

/// Two edges have nothing but the path in common, and one of them sends full segments. Two full segments sent at once
/// are acknowledged at once, whatever the program does. One edge alone may send a segment per message, and its
/// acknowledgements wait for replies.
fn share_only_the_path(all: &[LongerEdge<'_>]) -> bool {
    let mut full = all.iter().filter(|one| one.rise.full).peekable();
    if full.peek().is_none() {
        return false;
    }
    let mut subjects: BTreeMap<&SubjectId, usize> = BTreeMap::new();
    let mut peers: BTreeMap<Ipv6Addr, usize> = BTreeMap::new();
    let mut both: BTreeMap<(&SubjectId, Ipv6Addr), usize> = BTreeMap::new();
    for one in all {
        *subjects.entry(one.subject).or_default() += 1;
        *peers.entry(one.peer).or_default() += 1;
        *both.entry((one.subject, one.peer)).or_default() += 1;
    }
    // Those that share neither are the rest.
    full.any(|one| subjects[one.subject] + peers[&one.peer] - both[&(one.subject, one.peer)] < all.len())
}

/// Edges of independent programs that became longer at once, by about as much.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Alike {
    /// Their median rise, µs.
    pub(crate) increase_us: f64,
    /// Most of them that share neither end.
    pub(crate) independent: usize,
}

/// Independent programs became later together, by about as much: they share what they share, whether or not a
/// handshake proves it.
pub(crate) fn shift_together(all: &[LongerEdge<'_>]) -> bool {
    rose_alike(all).is_some_and(|alike| alike.increase_us >= TOGETHER_US)
}

/// Most of these edges, if independent programs use them. Programs that wait for one slow dependency call it each in its
/// own way, and for its own share of the time. `None`: too few rose alike.
pub(crate) fn rose_alike(all: &[LongerEdge<'_>]) -> Option<Alike> {
    let mut starts: Vec<Duration> = all.iter().filter_map(|one| one.since).collect();
    let mut rises: Vec<f64> = all.iter().map(|one| one.rise.increase_us()).collect();
    starts.sort_unstable();
    rises.sort_by(f64::total_cmp);
    let (start, rise) = (starts.get(starts.len() / 2)?, *rises.get(rises.len() / 2)?);
    let fits = |one: &&LongerEdge<'_>| {
        let ratio = one.rise.increase_us() / rise;
        let begins = one.since.is_some_and(|since| since.abs_diff(*start) <= TOGETHER);
        begins && (1.0 / TOGETHER_RATIO..=TOGETHER_RATIO).contains(&ratio)
    };
    let together: Vec<&LongerEdge<'_>> = all.iter().filter(fits).collect();
    let subjects = together.iter().map(|one| one.subject).collect::<BTreeSet<_>>().len();
    let peers = together.iter().map(|one| one.peer).collect::<BTreeSet<_>>().len();
    let are_independent = subjects.min(peers) >= 2 && subjects.max(peers) >= 3;
    let are_most = together.len() as f64 >= TOGETHER_SHARE * all.len() as f64;
    let alike = Alike { increase_us: rise, independent: subjects.min(peers) };
    (are_independent && are_most).then_some(alike)
}

/// Normal RTTs of one edge.
#[derive(Clone, Copy)]
pub(crate) struct Normal {
    /// Minimum, µs.
    pub(crate) min_us: f64,
    /// Samples above the limit of the path, decaying sum.
    pub(crate) above: f64,
    /// All samples, decaying sum.
    pub(crate) samples: f64,
}

impl Normal {
    /// Share of samples above the limit.
    fn slow_share(self) -> f64 {
        (self.above + SLOW_SHARE * SLOW_WEIGHT) / (self.samples + SLOW_WEIGHT)
    }
}

/// The last seconds have samples enough to judge.
pub(crate) fn are_recent(edge: &EdgeView) -> bool {
    edge.recent.rtt.count() >= MIN_PATH_SAMPLES
}

/// The newest samples: those of the last seconds, or of the window when they are too few. `None`: too few.
pub(crate) fn newest(edge: &EdgeView) -> Option<&Tally> {
    let tally = if are_recent(edge) { &edge.recent } else { &edge.window };
    (tally.rtt.count() >= MIN_PATH_SAMPLES).then_some(tally)
}

/// Judges the newest samples. `None`: too few.
pub(crate) fn judge(edge: &EdgeView, normal: Normal, thresholds: &Thresholds) -> Option<Path> {
    let tally = newest(edge)?;
    let times = edge.responses.as_deref().map(|times| if are_recent(edge) { &times.recent } else { &times.window });
    let rtt = &tally.rtt;
    let (samples, fast) = (rtt.count(), rtt.count_up_to(rise_limit(normal.min_us, thresholds)));
    if fast >= NEW_FAST_SAMPLES {
        return Some(Path::Usual);
    }
    if fast > 0 && samples < MANY_PATH_SAMPLES {
        return None;
    }
    // Any one of the samples may be the fast one.
    let choices = if fast > 0 { (samples as f64).ln() } else { 0.0 };
    let ln_p = (samples - fast) as f64 * normal.slow_share().ln() + choices;
    let (now_us, median_us) = (rtt.quantile_us(0.1)?, rtt.quantile_us(0.5)?);
    let resent = tally.retransmits[Retransmit::Syn as usize] + tally.retransmits[Retransmit::SynAck as usize];
    let handshakes = if fast > 0 { 0 } else { tally.connects.iter().sum::<u64>().saturating_sub(resent) };
    let full = tally.bytes_acked >= FULL_BYTES && tally.bytes_acked >= BULK_PAYLOAD * tally.data_segs_out;
    let may_be_ends = edge.role == Some(Role::Server) && median_us <= LONGEST_DELAY_US && may_be_ends(times, samples);
    let bulk = full && tally.bytes_acked >= BULK_BYTES && !may_be_ends;
    let shortest_us = shortest_us(edge.role, edge.responses.as_deref(), now_us);
    let rise = Rise { now_us, median_us, usual_us: normal.min_us, samples, ln_p, handshakes, bulk, full, shortest_us };
    (ln_p <= RISE_ALPHA.ln()).then_some(Path::Longer(rise))
}

/// Whether all samples may be of the last segments of answers. The client's kernel acknowledges these when its program
/// reads, or later. So it does with full segments that leave its window smaller, because they stay unread. On a longer
/// path a large answer takes several round trips, and has samples of each.
fn may_be_ends(times: Option<&Responses>, samples: u64) -> bool {
    times.is_some_and(|times| samples <= SAMPLES_PER_END * times.durations.count())
}

/// Whether enough samples are as fast as usual: at least half of the normal share. A few of them may date from before a
/// path became longer.
pub(crate) fn is_fast(rtt: &Histogram, normal: Normal, thresholds: &Thresholds) -> bool {
    let (samples, fast) = (rtt.count(), rtt.count_up_to(rise_limit(normal.min_us, thresholds)));
    let normally = 1.0 - normal.slow_share();
    samples >= MIN_PATH_SAMPLES && fast as f64 >= 0.5 * normally * samples as f64
}

/// Histogram bound up to which a sample may still belong to the usual path, µs.
pub(crate) fn rise_limit(usual_us: f64, thresholds: &Thresholds) -> u32 {
    limit_above(usual_us, RISE_FLOORS * thresholds.rtt_floor_ms)
}

/// Histogram bound from which samples are longer than usual by half and by so much, µs.
pub(crate) fn limit_above(usual_us: f64, floor_ms: f64) -> u32 {
    let limit = (RISE_RATIO * usual_us).max(usual_us + floor_ms * 1000.0);
    let bound = BOUNDS_US.iter().find(|bound| f64::from(**bound) >= limit);
    *bound.unwrap_or(&u32::MAX)
}

#[cfg(test)]
mod tests;

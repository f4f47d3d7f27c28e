//! The memory of one edge: its normal values, and for how long it has been unusual.

use super::{
    cuts::CutMemory,
    lowest::{Lowest, LowestMemory},
    mean::{Loss, Mean, Step},
    minimum::MinimumMemory,
    moments::MomentMemory,
    needless::NeedlessMemory,
    path::{self, NEW_FAST_SAMPLES, Path, UNDECIDED, rise_limit},
    readers::ReaderMemory,
    requests::{RequestMemory, Requests},
    rise::RiseMemory,
    shares::ShareMemory,
    silence::SilenceMemory,
};
use crate::{hints::thresholds::Thresholds, sample::Tally, state::EdgeView};
use netwhy_abi::{Failure, Retransmit, Role};
use std::time::Duration;

/// RTT samples that a median needs …
pub(crate) const MIN_RTT_SAMPLES: u64 = 20;
/// … and one of many medians that are averaged, or a statement about nearly all samples.
pub(crate) const MIN_LEARN_SAMPLES: u64 = 8;
/// Time for which unusual losses without a culprit stay out of the baseline.
pub(crate) const ODD_LOSS: Duration = Duration::from_secs(120);
/// Multiple of the minimum up to which an RTT still counts as near it, and of the median up to which it is as usual.
const FAST_RATIO: f64 = 1.5;
/// Share of the usual payload below which a window has far less than usual.
const LITTLE: f64 = 0.5;
/// Share of the usual quick RTTs from which none of these became slow: where a median is slow, half of them did at least.
const ALL_THERE: f64 = 0.75;

/// The time of a tick.
#[derive(Clone, Copy)]
pub(crate) struct Clock {
    pub(crate) at: Duration,
    pub(crate) window: Duration,
    /// The window reaches further back than the one before.
    pub(crate) window_grew: bool,
    /// Jiffies per second. `None`: not measured yet.
    pub(crate) hz: Option<u32>,
}

/// The engine's memory of one edge.
#[derive(Clone, Debug, Default)]
pub(crate) struct EdgeMemory {
    pub(crate) last_at: Duration,
    /// Roles with a handshake. A connection older than the agent shows none.
    roles: [bool; Role::ALL.len()],
    pub(crate) loss: Loss,
    /// Connections reset while busy.
    cuts: CutMemory,
    /// Segments sent again for nothing.
    needless: NeedlessMemory,
    /// Seconds with losses, and with answers.
    pub(crate) moments: MomentMemory,
    /// Whether a part of its connections loses.
    pub(crate) shares: ShareMemory,
    /// Data that waits to be read.
    readers: ReaderMemory,
    ln_p50: Mean,
    minimum: MinimumMemory,
    ln_reply: Mean,
    bytes_per_s: Mean,
    /// Whether either end fell silent.
    silence: SilenceMemory,
    /// Attempts to connect that were answered, and others, decaying sums.
    attempts: (f64, f64),
    /// Its requests. `None`: there was none yet.
    requests: Option<Box<RequestMemory>>,
    /// Samples per second that are as usual, in normal times.
    quick_per_s: Mean,
    /// When losses became unusual.
    odd_since: Option<Duration>,
    /// Its moments since all newest samples rose above the limit.
    rise: RiseMemory,
    /// Its path was once found to be as fast as usual.
    was_usual: bool,
    /// Its fastest round trips.
    lowest: LowestMemory,
    /// When the median RTT or reply time became inflated.
    slow_since: Option<Duration>,
    /// Samples near the minimum in the previous window.
    fast: u64,
    /// Samples near the minimum arrived after `slow_since`: the path itself is still fast.
    path_fast: bool,
}

impl EdgeMemory {
    /// Median RTT in normal times, µs. `None`: not known yet.
    pub(crate) fn p50_us(&self) -> Option<f64> {
        self.ln_p50.get().map(f64::exp)
    }

    /// Minimum RTT in normal times, µs. `None`: not known yet.
    pub(crate) fn min_us(&self) -> Option<f64> {
        self.ln_min().map(f64::exp)
    }

    /// Its logarithm.
    pub(crate) fn ln_min(&self) -> Option<f64> {
        self.minimum.ln_us()
    }

    /// Minimum RTT in normal times that the newest samples are compared with, µs; see
    /// [`MinimumMemory::of_newest_us`].
    pub(crate) fn min_of_newest_us(&self, edge: &EdgeView) -> Option<f64> {
        self.minimum.of_newest_us(edge)
    }

    /// Median reply time in normal times, s. `None`: not known yet.
    pub(crate) fn reply_s(&self) -> Option<f64> {
        self.ln_reply.get().map(f64::exp)
    }

    /// Connections reset while busy.
    pub(crate) const fn cuts(&self) -> &CutMemory {
        &self.cuts
    }

    /// Most of what is sent again had arrived, as in the last minute; see [`NeedlessMemory::are_most`].
    pub(crate) fn resends_needlessly(&self, tally: &Tally) -> bool {
        self.needless.are_most(tally)
    }

    /// Bytes acknowledged and received per second in normal times. `None`: not known yet.
    pub(crate) fn bytes_per_s(&self) -> Option<f64> {
        self.bytes_per_s.get()
    }

    /// Usual payload per second both ways, bytes, of an edge that carries less than half of it, although its traffic is
    /// steady in normal times and hardly ever waits to be read. `None`: it is no such edge, or too little is known.
    pub(crate) fn fell_short_of(&self, tally: &Tally, window: Duration) -> Option<f64> {
        self.bytes_per_s().filter(|_| self.has_little(tally, window) && !self.readers.excuses())
    }

    fn has_little(&self, tally: &Tally, window: Duration) -> bool {
        self.bytes_per_s().is_some_and(|usual| bytes_per_s(tally, window) < LITTLE * usual)
    }

    /// Normal response times of its requests. `None`: there was none yet.
    pub(crate) fn requests(&self) -> Option<&RequestMemory> {
        self.requests.as_deref()
    }

    /// The RTT of the last seconds is so much longer than usual that the sender's timers, which follow the usual RTT,
    /// fire although nothing is lost.
    pub(crate) fn outran_timers(&self, edge: &EdgeView, thresholds: &Thresholds) -> bool {
        let (Some(min_us), Some(p50_us)) = (self.min_us(), self.p50_us()) else { return false };
        let limit = f64::from(rise_limit(min_us, thresholds)).max(path::TIMER_RATIO * p50_us);
        edge.recent.rtt.quantile_us(path::TIMER_QUANTILE).is_some_and(|now| now >= limit)
    }

    /// State of the path by its newest samples. `class`: logarithm of the class's usual minimum. `None`: too few
    /// samples, or no baseline, or only older samples than a rise are as fast as usual.
    pub(crate) fn path(&self, edge: &EdgeView, class: Option<f64>, thresholds: &Thresholds) -> Option<Path> {
        let path = path::judge(edge, self.minimum.normal(edge, class)?, thresholds)?;
        let holds = match path {
            Path::Usual => path::are_recent(edge) || !self.rise.is_young(self.last_at),
            // Where nothing ever was as usual, the baseline is of another kind of samples.
            Path::Longer(_) => self.was_usual,
        };
        holds.then_some(path)
    }

    /// Whether most samples of the last seconds are as fast as usual.
    pub(crate) fn is_fast(&self, edge: &EdgeView, class: Option<f64>, thresholds: &Thresholds) -> bool {
        let normal = self.minimum.normal(edge, class);
        normal.is_some_and(|normal| path::is_fast(&edge.recent.rtt, normal, thresholds))
    }

    /// Its fastest round trips against their own noise; see [`LowestMemory::judge`].
    pub(crate) fn lowest(&self, edge: &EdgeView, window: Duration, thresholds: &Thresholds) -> Option<Lowest> {
        self.lowest.judge(edge, window, thresholds)
    }

    /// Median reply time and its baseline, s, when it is inflated: at least `rtt_inflation` times the baseline and
    /// `think_time_ms` above it. Of fewer than 20 samples the fastest eighth counts. `None`: not inflated, or not
    /// known.
    pub(crate) fn slow_reply(&self, tally: &Tally, hz: Option<u32>, thresholds: &Thresholds) -> Option<(f64, f64)> {
        let (now, usual) = (reply_s(tally, hz)?, self.reply_s()?);
        let slow = now >= thresholds.rtt_inflation * usual && (now - usual) * 1000.0 >= thresholds.think_time_ms;
        slow.then_some((now, usual))
    }

    /// The subject started all handshakes on the edge, and there was at least one.
    pub(crate) fn client_only(&self) -> bool {
        self.roles == [true, false]
    }

    /// The subject is a client by its handshakes, or without any by its ports.
    pub(crate) fn is_client(&self, tally: &Tally) -> bool {
        self.client_only() || (self.roles == [false, false] && tally.reply_count() > 0)
    }

    /// Highest RTT that still counts as near the usual minimum, µs. `None`: no baseline.
    fn fast_us(&self, thresholds: &Thresholds) -> Option<f64> {
        self.min_us().map(|min| (FAST_RATIO * min).max(min + thresholds.rtt_floor_ms * 1000.0))
    }

    /// Samples of a window that are about as short as the usual median, or shorter. `None`: no baseline.
    fn quick(&self, tally: &Tally, thresholds: &Thresholds) -> Option<u64> {
        let us = (FAST_RATIO * self.p50_us()?).max(self.fast_us(thresholds)?);
        Some(tally.rtt.count_up_to(us as u32))
    }

    /// The quick samples are as many as ever: slow ones are of another kind, which came on top.
    fn has_all_quick(&self, tally: &Tally, window: Duration, thresholds: &Thresholds) -> bool {
        let usual = self.quick_per_s.get().map(|per_s| per_s * window.as_secs_f64()).filter(|usual| *usual >= 1.0);
        let all_there = |(quick, usual): (u64, f64)| quick as f64 >= ALL_THERE * usual;
        self.quick(tally, thresholds).zip(usual).is_some_and(all_there)
    }

    /// The peer thinks: the median is inflated, while samples near the usual minimum keep arriving.
    pub(crate) fn thinks(&self) -> bool {
        self.slow_since.is_some() && self.path_fast
    }

    /// See [`SilenceMemory::is_silent`].
    pub(crate) const fn is_silent(&self) -> bool {
        self.silence.is_silent()
    }

    /// See [`SilenceMemory::is_going_silent`].
    pub(crate) fn is_going_silent(&self, tick: Duration) -> bool {
        self.silence.is_going_silent(tick)
    }

    /// See [`SilenceMemory::quiet`].
    pub(crate) fn quiet(&self) -> Option<f64> {
        self.silence.quiet()
    }

    /// A handshake that this end began has completed, or data flowed in normal times.
    pub(crate) fn was_accepted(&self) -> bool {
        self.roles[Role::Client as usize] || self.bytes_per_s.get().is_some_and(|bytes| bytes > 0.0)
    }

    /// A handshake that the peer began has completed, or data flowed in normal times.
    pub(crate) fn has_served(&self) -> bool {
        self.roles[Role::Server as usize] || self.bytes_per_s.get().is_some_and(|bytes| bytes > 0.0)
    }

    /// Attempts to connect in normal times: those that were answered, and others, decaying sums.
    pub(crate) const fn attempts(&self) -> (f64, f64) {
        self.attempts
    }

    pub(crate) fn observe_cuts(&mut self, edge: &EdgeView, at: Duration) {
        self.cuts.observe(edge, at);
    }

    pub(crate) fn observe_needless(&mut self, tally: &Tally, tick: Duration, window: Duration) {
        self.needless.observe(tally, tick, window);
    }

    pub(crate) fn observe_silence(&mut self, edge: &EdgeView, tick: Duration) {
        self.silence.observe(edge, tick);
    }

    pub(crate) fn observe(&mut self, tally: &Tally, clock: Clock, thresholds: &Thresholds) {
        self.last_at = clock.at;
        for (seen, n) in self.roles.iter_mut().zip(tally.connects) {
            *seen |= n > 0;
        }
        let fast_us = self.fast_us(thresholds);
        let fast = fast_us.map_or(0, |us| tally.rtt.count_up_to(us as u32));
        let is_slow = self.is_slow(tally, thresholds) && !self.has_all_quick(tally, clock.window, thresholds);
        let slow = (is_slow || self.slow_reply(tally, clock.hz, thresholds).is_some())
            && fast_us.zip(tally.min_rtt_us).is_some_and(|(f, m)| f64::from(m) <= f);
        match self.slow_since {
            _ if !slow => (self.slow_since, self.path_fast) = (None, false),
            None => self.slow_since = Some(clock.at),
            // The minimum covers up to 17 s, so only newer samples describe the path of today. More fast samples than a
            // tick ago are new ones, unless the window just reached further back. After a whole window all are new.
            Some(since) => {
                self.path_fast |= (!clock.window_grew && fast >= self.fast + NEW_FAST_SAMPLES)
                    || (fast >= NEW_FAST_SAMPLES && clock.at.saturating_sub(since) >= clock.window);
            }
        }
        self.fast = fast;
    }

    pub(crate) fn observe_requests(&mut self, edge: &EdgeView, clock: Clock, thresholds: &Thresholds) {
        if let (Some(known), Some(requests)) = (&mut self.requests, requests(edge, clock.at, clock.window)) {
            known.observe(&requests, thresholds);
        }
    }

    /// The window has a finding or a hint.
    pub(crate) fn distrust(&mut self) {
        self.lowest.distrust();
        self.readers.distrust();
        if let Some(known) = &mut self.requests {
            known.distrust();
        }
    }

    /// `class`: as of [`EdgeMemory::path`].
    pub(crate) fn observe_path(&mut self, edge: &EdgeView, clock: Clock, class: Option<f64>, thresholds: &Thresholds) {
        let path = self.path(edge, class, thresholds);
        self.was_usual |= path == Some(Path::Usual);
        self.rise.observe(path, edge, clock.at, clock.window);
    }

    pub(crate) fn observe_lowest(&mut self, edge: &EdgeView, clock: Clock, thresholds: &Thresholds) {
        self.lowest.observe(edge, clock.at, clock.window, thresholds);
    }

    /// When all its newest round trips were found to be longer, monotonic. `None`: they are not.
    pub(crate) const fn rose_since(&self) -> Option<Duration> {
        self.rise.since()
    }

    /// When they became longer, monotonic; see [`RiseMemory::began`].
    pub(crate) const fn rise_began(&self) -> Option<Duration> {
        self.rise.began()
    }

    /// The moments of that rise.
    pub(crate) const fn rise(&self) -> &RiseMemory {
        &self.rise
    }

    /// `odd`: the window's losses, alone or with those of other edges, are hardly chance.
    pub(crate) fn observe_loss(&mut self, odd: bool, at: Duration) {
        self.odd_since = if odd { self.odd_since.or(Some(at)) } else { None };
    }

    /// Since when the losses are hardly chance, monotonic. `None`: they may be.
    pub(crate) const fn loss_since(&self) -> Option<Duration> {
        self.odd_since
    }

    /// The losses are unusual, and have not lasted for long: they must not become normal.
    pub(crate) fn is_odd(&self) -> bool {
        self.odd_since.is_some_and(|since| self.last_at.saturating_sub(since) < ODD_LOSS)
    }

    fn is_slow(&self, tally: &Tally, thresholds: &Thresholds) -> bool {
        let (Some(p50), Some(min), Some(usual)) = (tally.rtt.quantile_us(0.5), tally.min_rtt_us, self.p50_us()) else {
            return false;
        };
        tally.rtt.count() >= MIN_RTT_SAMPLES
            && p50 >= thresholds.rtt_inflation * usual
            && p50 - f64::from(min) >= thresholds.think_time_ms * 1000.0
    }

    pub(crate) fn learn(&mut self, edge: &EdgeView, step: Step, thresholds: &Thresholds) {
        let Step { window, keep, share, hz, .. } = step;
        let tally = &edge.window;
        if let Some(requests) = requests(edge, self.last_at, window) {
            self.requests.get_or_insert_default().learn(&requests, step, thresholds);
        }
        if !self.is_odd() {
            self.loss.learn(edge.losses(), step);
        }
        self.cuts.learn(tally, self.last_at, step);
        self.lowest.learn(self.last_at, step);
        self.silence.learn(edge, step);
        self.readers.learn(tally, self.has_little(tally, window), self.last_at, keep);
        let refused = tally.failures(Failure::Refused);
        let others = tally.failed_attempts() - refused + tally.retransmits[Retransmit::Syn as usize];
        let answered = tally.connects(Role::Client) + refused;
        self.attempts.0 = self.attempts.0 * keep + answered as f64 * share;
        self.attempts.1 = self.attempts.1 * keep + others as f64 * share;
        // While the reason for an inflated median is open, it must not become normal, nor a load that may be it.
        let begin = self.slow_since.into_iter().chain(self.rise.since()).min();
        if begin.is_some_and(|since| self.last_at.saturating_sub(since) < UNDECIDED) {
            return;
        }
        self.bytes_per_s.learn(bytes_per_s(tally, window), keep);
        if tally.rtt.count() >= MIN_LEARN_SAMPLES
            && let Some(p50) = tally.rtt.quantile_us(0.5)
        {
            self.ln_p50.learn(p50.max(1.0).ln(), keep);
        }
        self.minimum.learn(tally, step, thresholds);
        if tally.reply_count() >= MIN_LEARN_SAMPLES
            && let Some(reply) = hz.and_then(|hz| tally.reply_quantile_seconds(0.5, hz))
        {
            self.ln_reply.learn(reply.ln(), keep);
        }
        if let Some(quick) = self.quick(tally, thresholds) {
            self.quick_per_s.learn(quick as f64 / window.as_secs_f64(), keep);
        }
    }
}

/// Payload both ways, bytes per second.
fn bytes_per_s(tally: &Tally, window: Duration) -> f64 {
    (tally.bytes_acked + tally.bytes_received) as f64 / window.as_secs_f64()
}

/// The edge's requests in the window that ends at `at`. `None`: there are none.
fn requests(edge: &EdgeView, at: Duration, length: Duration) -> Option<Requests<'_>> {
    let bytes = Some(edge.window.bytes_acked + edge.window.bytes_received);
    Some(Requests { role: edge.role?, now: edge.responses.as_deref()?, bytes, at, length })
}

/// Median reply time, s. Of few samples the fastest eighth: if one in ten is slow in normal times, seven of eight are
/// with a chance of 1e-6. `None`: too few samples.
fn reply_s(tally: &Tally, hz: Option<u32>) -> Option<f64> {
    let quantile = if tally.reply_count() >= MIN_RTT_SAMPLES { 0.5 } else { 0.125 };
    tally.reply_quantile_seconds(quantile, hz?).filter(|_| tally.reply_count() >= MIN_LEARN_SAMPLES)
}

//! What is known of one edge: its normal times, and what is odd about it now.

use crate::hints::{
    memory::mean::{Clock, Loss, Mean, Tick},
    memory::path::{self, NEW_FAST_SAMPLES, Path, rise_limit},
    thresholds::Thresholds,
};
use crate::{sample::Tally, state::EdgeView};
use netwhy_abi::{Retransmit, Role};
use std::time::Duration;

/// RTT samples that a median needs …
pub(crate) const MIN_RTT_SAMPLES: u64 = 20;
/// … and one of many that are averaged, or a statement about nearly all of them.
pub(crate) const MIN_LEARN_SAMPLES: u64 = 8;
/// How long odd losses that nobody could be blamed for are kept out of the baseline.
pub(crate) const ODD_LOSS: Duration = Duration::from_secs(120);
/// How long an inflated median that nobody could be blamed for is kept out of the baseline.
const UNDECIDED: Duration = Duration::from_secs(60);
/// Clean ticks after which an edge's own minimum weighs as much as its class's.
const SHRINK_TICKS: f64 = 10.0;

/// Ticks over which a peer's silence is measured.
const SILENCE_TICKS: usize = 3;
/// Share of the usual traffic that stayed unacknowledged from which a peer counts as silent.
const SILENT: f64 = 0.9;
/// Newest RTT samples that end a silence.
const ANSWERS: u64 = 3;

/// Bytes acknowledged, timeouts and loss episodes of a window.
type Sums = (u64, u64, u64);

/// What the engine knows of one edge.
#[derive(Clone, Debug, Default)]
pub(crate) struct EdgeMemory {
    pub(crate) last_at: Duration,
    /// Roles in which handshakes were seen; a connection older than the agent shows none.
    roles: [bool; Role::ALL.len()],
    pub(crate) loss: Loss,
    ln_p50: Mean,
    pub(crate) ln_min: Mean,
    ln_reply: Mean,
    acked_per_s: Mean,
    bytes_per_s: Mean,
    /// Newest samples above the path's limit, and all, in normal times: decaying sums.
    above: f64,
    samples: f64,
    /// Since when losses are odd.
    odd_since: Option<Duration>,
    /// Since when all newest samples are above the limit.
    rose_since: Option<Duration>,
    /// (`bytes_acked`, timeouts, loss episodes) of the last windows, newest first.
    recent: [Option<Sums>; 4],
    /// Nothing is acknowledged any more; see [`EdgeMemory::is_silent`].
    silent: bool,
    /// Since when the median RTT or reply time is inflated.
    slow_since: Option<Duration>,
    /// Samples near the minimum in the previous window.
    fast: u64,
    /// Since `slow_since`, samples near the baseline's minimum came in: the path itself is still fast.
    path_fast: bool,
}

impl EdgeMemory {
    /// Median RTT in normal times, µs. `None`: not known yet.
    pub(crate) fn p50_us(&self) -> Option<f64> {
        self.ln_p50.get().map(f64::exp)
    }

    /// Minimum RTT in normal times, µs. `None`: not known yet.
    pub(crate) fn min_us(&self) -> Option<f64> {
        self.ln_min.get().map(f64::exp)
    }

    /// Round trips of the last seconds take so much longer than usual that the sender's timers, which are set by the usual
    /// ones, run out although nothing is lost.
    pub(crate) fn outran_timers(&self, edge: &EdgeView, thresholds: &Thresholds) -> bool {
        let (Some(min_us), Some(p50_us)) = (self.min_us(), self.p50_us()) else { return false };
        let limit = f64::from(rise_limit(min_us, thresholds)).max(path::TIMER_RATIO * p50_us);
        edge.recent.rtt.quantile_us(path::TIMER_QUANTILE).is_some_and(|now| now >= limit)
    }

    /// Bytes acknowledged and received per second in normal times. `None`: not known yet.
    pub(crate) fn bytes_per_s(&self) -> Option<f64> {
        self.bytes_per_s.get()
    }

    /// Minimum RTT in normal times, never below what is usual in its class while few windows are known of it, µs.
    fn shrunk_min_us(&self, class: Option<f64>) -> Option<f64> {
        let own = self.ln_min.get()?;
        let (ticks, class) = (f64::from(self.ln_min.ticks), class.map_or(own, |ln| ln.max(own)));
        Some(((ticks * own + SHRINK_TICKS * class) / (ticks + SHRINK_TICKS)).exp())
    }

    /// What the newest samples say of the path: those of the last seconds, or where they are too few of the window.
    /// `class`: logarithm of the class's usual minimum. `None`: too few samples, or no baseline.
    pub(crate) fn path(&self, edge: &EdgeView, class: Option<f64>, thresholds: &Thresholds) -> Option<Path> {
        path::judge(edge, self.shrunk_min_us(class)?, (self.above, self.samples), thresholds)
    }

    /// Whether the last seconds' samples, enough of them, are mostly as fast as they normally are.
    pub(crate) fn is_near(&self, edge: &EdgeView, class: Option<f64>, thresholds: &Thresholds) -> bool {
        let usual_us = self.shrunk_min_us(class);
        usual_us.is_some_and(|us| path::is_near(&edge.recent.rtt, us, (self.above, self.samples), thresholds))
    }

    /// Median reply time in normal times, s. `None`: not known yet.
    pub(crate) fn reply_s(&self) -> Option<f64> {
        self.ln_reply.get().map(f64::exp)
    }

    /// Median reply time (of fewer than 20 samples that of the fastest eighth) at least `rtt_inflation` times its baseline and `think_time_ms` above it, s and baseline, s.
    /// `None`: it isn't, or is not known.
    pub(crate) fn slow_reply(&self, tally: &Tally, hz: Option<u32>, thresholds: &Thresholds) -> Option<(f64, f64)> {
        let (now, usual) = (reply(tally, hz)?, self.reply_s()?);
        let slow = now >= thresholds.rtt_inflation * usual && (now - usual) * 1000.0 >= thresholds.think_time_ms;
        slow.then_some((now, usual))
    }

    /// True when all handshakes seen were this subject's own SYNs, and there were any.
    pub(crate) fn client_only(&self) -> bool {
        self.roles == [true, false]
    }

    /// The same, or none were seen and its ports are a client's.
    pub(crate) fn is_client(&self, tally: &Tally) -> bool {
        self.client_only() || (self.roles == [false, false] && tally.reply_count() > 0)
    }

    /// Highest RTT that still counts as the path at its baseline, µs. `None`: no baseline.
    fn fast_us(&self, thresholds: &Thresholds) -> Option<f64> {
        self.min_us().map(|min| (1.5 * min).max(min + thresholds.rtt_floor_ms * 1000.0))
    }

    /// Median at least `rtt_inflation` times its baseline and `think_time_ms` above the minimum, while samples near
    /// the baseline's minimum keep coming in: the peer thinks, the path is as fast as ever.
    pub(crate) fn thinks(&self) -> bool {
        self.slow_since.is_some() && self.path_fast
    }

    /// Almost nothing of the usual traffic of the last seconds got an acknowledgement while timeouts went on, and nothing has
    /// answered since.
    pub(crate) const fn is_silent(&self) -> bool {
        self.silent
    }

    /// The same of the last tick alone, while something was sent again: it may be falling silent.
    pub(crate) fn is_hushed(&self, tick: Duration) -> bool {
        self.unacknowledged(tick, 1, |(_, _, now), (_, _, then)| now > then)
    }

    /// Whether all but a tenth of the usual traffic got no acknowledgement over the last `ticks` (at most 3): how far the
    /// window's sum fell, against what leaves a window in that time. False without a baseline, without so many windows, or
    /// when `resent` finds nothing new between the windows (a client that merely stopped is not silence).
    fn unacknowledged(&self, tick: Duration, ticks: usize, resent: impl Fn(Sums, Sums) -> bool) -> bool {
        let usual = self.acked_per_s.get().filter(|acked| *acked > 0.0);
        let (Some(usual), Some(now), Some(then)) = (usual, self.recent[0], self.recent.get(ticks).copied().flatten())
        else {
            return false;
        };
        let leaves = usual * tick.as_secs_f64() * ticks as f64;
        resent(now, then) && then.0.saturating_sub(now.0) as f64 >= SILENT * leaves
    }

    pub(crate) fn observe_silence(&mut self, edge: &EdgeView, tick: Duration) {
        let tally = &edge.window;
        let timeouts = tally.retransmits[Retransmit::Timeout as usize];
        self.recent.rotate_right(1);
        self.recent[0] = Some((tally.bytes_acked, timeouts, tally.loss_episodes));
        // Timeouts come ever more seldom: what was silent stays so until something answers.
        let answers = edge.recent.connects.iter().sum::<u64>() > 0 || edge.recent.rtt.count() >= ANSWERS;
        self.silent = self.unacknowledged(tick, SILENCE_TICKS, |now, then| now.1 > then.1)
            || (self.silent && timeouts > 0 && !answers);
    }

    pub(crate) fn observe(&mut self, tally: &Tally, clock: Clock, thresholds: &Thresholds) {
        self.last_at = clock.at;
        for (seen, n) in self.roles.iter_mut().zip(tally.connects) {
            *seen |= n > 0;
        }
        let fast_us = self.fast_us(thresholds);
        let fast = fast_us.map_or(0, |us| tally.rtt.count_up_to(us as u32));
        let slow = (self.is_slow(tally, thresholds) || self.slow_reply(tally, clock.hz, thresholds).is_some())
            && fast_us.zip(tally.min_rtt_us).is_some_and(|(f, m)| f64::from(m) <= f);
        match self.slow_since {
            _ if !slow => (self.slow_since, self.path_fast) = (None, false),
            None => self.slow_since = Some(clock.at),
            // The minimum remembers up to 17 s: only samples that came in since tell the path of today. More fast
            // samples than a tick ago are new ones (when the window didn't just reach further back); and after a
            // whole window all of them are.
            Some(since) => {
                self.path_fast |= (!clock.window_grew && fast >= self.fast + NEW_FAST_SAMPLES)
                    || (fast >= NEW_FAST_SAMPLES && clock.at.saturating_sub(since) >= clock.window);
            }
        }
        self.fast = fast;
    }

    pub(crate) fn observe_path(&mut self, edge: &EdgeView, at: Duration, class: Option<f64>, thresholds: &Thresholds) {
        let rose = matches!(self.path(edge, class, thresholds), Some(Path::Rose(_)));
        self.rose_since = if rose { self.rose_since.or(Some(at)) } else { None };
    }

    /// `odd`: the window's losses, alone or with those of other edges, are hardly chance.
    pub(crate) fn observe_loss(&mut self, odd: bool, at: Duration) {
        self.odd_since = if odd { self.odd_since.or(Some(at)) } else { None };
    }

    /// Losses of now must not become normal: they are odd, and not for long yet.
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

    pub(crate) fn learn(&mut self, edge: &EdgeView, at: Tick, thresholds: &Thresholds) {
        let Tick { window, hz, keep, share } = at;
        let tally = &edge.window;
        if !self.is_odd() {
            self.loss.learn(tally, keep, share);
        }
        self.bytes_per_s.learn((tally.bytes_acked + tally.bytes_received) as f64 / window.as_secs_f64(), keep);
        self.acked_per_s.learn(tally.bytes_acked as f64 / window.as_secs_f64(), keep);
        // While it can't be said yet why the median rose, it must not become normal.
        let begin = self.slow_since.into_iter().chain(self.rose_since).min();
        let undecided = begin.is_some_and(|since| self.last_at.saturating_sub(since) < UNDECIDED);
        if !undecided
            && tally.rtt.count() >= MIN_LEARN_SAMPLES
            && let (Some(p50), Some(min)) = (tally.rtt.quantile_us(0.5), tally.min_rtt_us)
        {
            self.ln_p50.learn(p50.max(1.0).ln(), keep);
            self.ln_min.learn(f64::from(min.max(1)).ln(), keep);
        }
        if !undecided
            && tally.reply_count() >= MIN_LEARN_SAMPLES
            && let Some(reply) = hz.and_then(|hz| tally.reply_quantile_seconds(0.5, hz))
        {
            self.ln_reply.learn(reply.ln(), keep);
        }
        if !undecided && let Some(usual) = self.min_us() {
            let all = edge.window.rtt.count();
            let fast = edge.window.rtt.count_up_to(rise_limit(usual, thresholds));
            self.above = self.above * keep + (all - fast) as f64 * share;
            self.samples = self.samples * keep + all as f64 * share;
        }
    }
}

/// Median reply time, s; of few samples what seven of eight exceed, which has a chance of 1e-6 when one in ten usually
/// does. `None`: too few samples.
fn reply(tally: &Tally, hz: Option<u32>) -> Option<f64> {
    let quantile = if tally.reply_count() >= MIN_RTT_SAMPLES { 0.5 } else { 0.125 };
    tally.reply_quantile_seconds(quantile, hz?).filter(|_| tally.reply_count() >= MIN_LEARN_SAMPLES)
}

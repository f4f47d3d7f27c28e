//! `forward`: passes frames between two interfaces, late and with holes, as a long or bad path would.
//!
//! Frames go through AF_PACKET sockets with PACKET_VNET_HDR: the header in front of each frame carries checksum and
//! segmentation offload along, so that a 64 KiB TSO frame stays one frame, as on a veth pair without a forwarder.

mod frame;
mod interface;

use crate::{
    stats::{Stats, add, report},
    wire::obey_stdin,
};
use anyhow::{Context as _, Result, bail, ensure};
use frame::{concerns, range};
use interface::{open, receive};
use netwhy_tests::stop;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};
use std::{
    collections::{VecDeque, hash_map::RandomState},
    hash::BuildHasher as _,
    num::NonZeroU64,
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// Largest frame with its header: 64 KiB of payload, with room for what a path with big segments allows.
const FRAME: usize = 256 << 10;
/// How long before a frame is due the forwarder stops sleeping and looks at the clock instead: waking takes that long.
const SPIN: Duration = Duration::from_micros(120);
/// Frames read from one side before looking at the other and at the clock.
const BATCH: usize = 64;

/// Forward between two interfaces with delay, jitter and loss (needs CAP_NET_RAW)
///
/// A line `delay-us N` on standard input changes the delay while it runs, `duplicate PERCENT` the share of duplicates,
/// `corrupt PERCENT` that of frames with a wrong checksum.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The two interfaces; neither may be part of a bridge or have an address
    #[arg(num_args = 2, required = true, value_name = "INTERFACE")]
    interfaces: Vec<String>,
    /// Delay in each direction
    #[arg(long, default_value_t = 0.0, value_name = "MS")]
    delay_ms: f64,
    /// Variation of the delay, evenly spread to both sides; frames stay in order
    #[arg(long, default_value_t = 0.0, value_name = "MS")]
    jitter_ms: f64,
    /// Share of frames to drop in each direction
    #[arg(long, default_value_t = 0.0, value_name = "PERCENT")]
    loss: f64,
    /// Delay and drop only frames to or from addresses that begin with this many bits of this one; can be repeated
    #[arg(long, value_name = "IPV4/BITS", value_parser = range)]
    only: Vec<(u32, u32)>,
    /// Delay and drop only frames that arrive at this interface
    #[arg(long, value_enum, value_name = "INTERFACE")]
    one_way: Option<Side>,
    /// Delay only this share of the frames; the others overtake them
    #[arg(long, default_value_t = 100.0, value_name = "PERCENT")]
    share: f64,
    /// Share of frames to send twice
    #[arg(long, default_value_t = 0.0, value_name = "PERCENT")]
    duplicate: f64,
    /// Same seed, same sequence of random numbers
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Frames that may wait in each direction; more are dropped
    #[arg(long, default_value_t = 50_000, value_name = "N")]
    queue: usize,
    /// End after this long
    #[arg(long, value_name = "S")]
    seconds: Option<f64>,
}

/// One of the two interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Side {
    First,
    Second,
}

/// Settings that can change while it runs.
struct Knobs {
    delay_us: AtomicU64,
    /// Millionths.
    duplicate: AtomicU64,
    /// Millionths.
    corrupt: AtomicU64,
}

impl Knobs {
    fn obey(&self, words: &[&str]) -> Result<()> {
        match words {
            ["delay-us", n] => self.delay_us.store(n.parse()?, Relaxed),
            ["duplicate", percent] => self.duplicate.store(millionths(percent.parse()?), Relaxed),
            ["corrupt", percent] => self.corrupt.store(millionths(percent.parse()?), Relaxed),
            _ => bail!("not understood"),
        }
        Ok(())
    }
}

fn millionths(percent: f64) -> u64 {
    (percent * 1e4).round() as u64
}

pub(crate) fn run(args: Args) -> Result<()> {
    for (name, percent) in [("loss", args.loss), ("share", args.share), ("duplicate", args.duplicate)] {
        ensure!((0.0..=100.0).contains(&percent), "--{name} must be between 0 and 100");
    }
    ensure!(args.delay_ms >= 0.0 && args.jitter_ms >= 0.0, "--delay-ms and --jitter-ms must not be negative");
    stop::install()?;
    let mut ends = Vec::new();
    for name in &args.interfaces {
        ends.push(End { socket: open(name)?, waiting: VecDeque::new(), last_due: Instant::now() });
    }
    let knobs = Arc::new(Knobs {
        delay_us: ((args.delay_ms * 1e3).round() as u64).into(),
        duplicate: millionths(args.duplicate).into(),
        corrupt: 0.into(),
    });
    let mut forwarder = Forwarder {
        ends,
        knobs: Arc::clone(&knobs),
        one_way: args.one_way,
        share: args.share / 100.0,
        jitter_s: args.jitter_ms / 1e3,
        loss: args.loss / 100.0,
        queue: args.queue,
        only: args.only,
        random: Random(args.seed.unwrap_or_else(|| RandomState::new().hash_one(0))),
        frame: vec![0; FRAME],
    };
    let stats = Arc::new(Stats::default());
    stats.spawn(move |stats| {
        if let Err(error) = forwarder.run(stats) {
            eprintln!("netwhy-traffic: forward: {error:#}");
        }
    })?;
    obey_stdin(move |words| knobs.obey(words));
    report("forward", None, args.seconds, &stats)
}

/// One interface.
struct End {
    socket: OwnedFd,
    /// Frames to send out here: when, and what. In order of time.
    waiting: VecDeque<(Instant, Box<[u8]>)>,
    /// When the last of them is due.
    last_due: Instant,
}

struct Forwarder {
    ends: Vec<End>,
    knobs: Arc<Knobs>,
    one_way: Option<Side>,
    share: f64,
    jitter_s: f64,
    loss: f64,
    queue: usize,
    /// Addresses and masks of those that are held up. Empty: all.
    only: Vec<(u32, u32)>,
    random: Random,
    frame: Vec<u8>,
}

impl Forwarder {
    fn run(&mut self, stats: &Stats) -> Result<()> {
        // The default slack of 50 µs would be 5 % of a delay of 1 ms.
        rustix::thread::set_current_timer_slack(NonZeroU64::new(1)).context("set the timer slack")?;
        // Without the privilege it is merely less exact on a busy machine.
        let _ = rustix::process::setpriority_process(None, -20);
        while !stop::requested() {
            self.send_due(stats);
            let next = self.ends.iter().filter_map(|end| Some(end.waiting.front()?.0)).min();
            let timeout = next.map_or(Duration::from_millis(100), |due| {
                // Rounds down to 0 shortly before a frame is due: then this loop spins until it is.
                due.saturating_duration_since(Instant::now()).saturating_sub(SPIN)
            });
            let mut fds: Vec<_> = self.ends.iter().map(|end| PollFd::new(&end.socket, PollFlags::IN)).collect();
            match poll(&mut fds, Timespec::try_from(timeout).ok().as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error).context("wait for frames"),
            }
            let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
            for (side, ready) in ready.into_iter().enumerate() {
                if ready {
                    self.receive(side, stats)?;
                }
            }
        }
        Ok(())
    }

    /// Reads what has arrived at one side and queues it for the other.
    fn receive(&mut self, side: usize, stats: &Stats) -> Result<()> {
        for _ in 0..BATCH {
            let (n, age) = match receive(&self.ends[side].socket, &mut self.frame) {
                Ok(received) => received,
                Err(error) => match error.raw_os_error() {
                    Some(libc::EAGAIN) => return Ok(()),
                    Some(libc::ENODEV | libc::ENXIO | libc::EBADF) => return Err(error).context("read frames"),
                    // A frame whose offload the header can't express (EINVAL), or the interface going down (ENETDOWN).
                    _ => {
                        add(&stats.frames_refused, 1);
                        continue;
                    }
                },
            };
            if !self.holds_up(side, n) {
                // Passes at once; what is held up belongs to other connections or overtakes nothing.
                self.pass(side, n, stats);
                continue;
            }
            if self.loss > 0.0 && self.random.unit() < self.loss {
                add(&stats.frames_lost, 1);
                continue;
            }
            let duplicate = self.knobs.duplicate.load(Relaxed) as f64 / 1e6;
            if duplicate > 0.0 && self.random.unit() < duplicate {
                self.pass(side, n, stats);
            }
            let corrupt = self.knobs.corrupt.load(Relaxed) as f64 / 1e6;
            if corrupt > 0.0 && self.random.unit() < corrupt {
                frame::corrupt(&mut self.frame[..n]);
            }
            self.delay(side, n, age, stats);
        }
        Ok(())
    }

    /// Whether the frame that was just read is one of those that are delayed.
    fn holds_up(&mut self, side: usize, length: usize) -> bool {
        let is_this_way = self.one_way.is_none_or(|one| one as usize == side);
        let concerns = || self.only.is_empty() || concerns(&self.frame[..length], &self.only);
        is_this_way && concerns() && (self.share >= 1.0 || self.random.unit() < self.share)
    }

    fn pass(&self, side: usize, length: usize, stats: &Stats) {
        match rustix::io::write(&self.ends[1 - side].socket, &self.frame[..length]) {
            Ok(_) => add(&stats.frames, 1),
            Err(_) => add(&stats.frames_refused, 1),
        }
    }

    /// Queues the frame that was just read; `age`: since it arrived.
    fn delay(&mut self, side: usize, length: usize, age: Duration, stats: &Stats) {
        let jitter_s = if self.jitter_s > 0.0 { (self.random.unit() * 2.0 - 1.0) * self.jitter_s } else { 0.0 };
        let delay_s = self.knobs.delay_us.load(Relaxed) as f64 / 1e6;
        let delay = Duration::try_from_secs_f64(delay_s + jitter_s).unwrap_or_default();
        let other = &mut self.ends[1 - side];
        if other.waiting.len() >= self.queue {
            return add(&stats.frames_refused, 1);
        }
        // A frame never overtakes the one before.
        let due = (Instant::now() + delay.saturating_sub(age)).max(other.last_due);
        other.last_due = due;
        other.waiting.push_back((due, self.frame[..length].into()));
    }

    fn send_due(&mut self, stats: &Stats) {
        let now = Instant::now();
        for end in &mut self.ends {
            while let Some((_, frame)) = end.waiting.pop_front_if(|(due, _)| *due <= now) {
                match rustix::io::write(&end.socket, &frame) {
                    Ok(_) => add(&stats.frames, 1),
                    Err(_) => add(&stats.frames_refused, 1),
                }
            }
        }
    }
}

/// SplitMix64: small, fast, and good enough for drawing losses.
struct Random(u64);

impl Random {
    /// Evenly distributed in 0 … 1.
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

//! `forward`: passes frames between two interfaces, late and with holes, as a long or bad path would.
//!
//! Frames go through AF_PACKET sockets with PACKET_VNET_HDR: the header in front of each frame carries checksum and
//! segmentation offload along, so that a 64 KiB TSO frame stays one frame, as on a veth pair without a forwarder.

use crate::{
    stats::{Stats, add, report},
    wire::{obey_stdin, set_option},
};
use anyhow::{Context as _, Result, bail, ensure};
use netwhy_tests::stop;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};
use std::{
    collections::{VecDeque, hash_map::RandomState},
    ffi::CString,
    hash::BuildHasher as _,
    io,
    net::Ipv4Addr,
    num::NonZeroU64,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Largest frame with its header: 64 KiB of payload, with room for what a path with big segments allows.
const FRAME: usize = 256 << 10;
/// Room for frames that arrive while others are passed on.
const RECEIVE_BUFFER: i32 = 16 << 20;
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

/// Opens a raw socket that sees what an interface receives.
fn open(interface: &str) -> Result<OwnedFd> {
    let socket = packet_socket().context("open a raw socket (needs CAP_NET_RAW)")?;
    (|| {
        set_option(&socket, libc::SOL_PACKET, libc::PACKET_VNET_HDR, 1)?;
        // The other side's own frames must not come back.
        set_option(&socket, libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, 1)?;
        set_option(&socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)?;
        // FORCE goes beyond the machine's limit but needs CAP_NET_ADMIN.
        set_option(&socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, RECEIVE_BUFFER)
            .or_else(|_| set_option(&socket, libc::SOL_SOCKET, libc::SO_RCVBUF, RECEIVE_BUFFER))?;
        set_option(&socket, libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, RECEIVE_BUFFER)
            .or_else(|_| set_option(&socket, libc::SOL_SOCKET, libc::SO_SNDBUF, RECEIVE_BUFFER))?;
        bind(&socket, interface)
    })()
    .with_context(|| format!("open the interface {interface}"))?;
    Ok(socket)
}

fn packet_socket() -> io::Result<OwnedFd> {
    // Protocol 0: nothing arrives before the socket is bound to its interface.
    let flags = libc::SOCK_RAW | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: no pointers are passed.
    let fd = unsafe { libc::socket(libc::AF_PACKET, flags, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn bind(socket: &OwnedFd, interface: &str) -> io::Result<()> {
    let name = CString::new(interface)?;
    // SAFETY: the name is a C string that lives through the call.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    if index == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: an all-zero sockaddr_ll is valid.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
    address.sll_ifindex = index as i32;
    let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: the pointer is to an address that lives through the call, and the length is its own.
    let rc = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
    if rc == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Reads a frame, and how long ago the kernel received it: the delay counts from there, not from when we were woken.
#[expect(clippy::disallowed_methods, reason = "the kernel stamps frames with the wall clock")]
fn receive(socket: &OwnedFd, frame: &mut [u8]) -> io::Result<(usize, Duration)> {
    // Room for one control message with a timespec, aligned as its header wants.
    let mut control = [0_u64; 8];
    let mut part = libc::iovec { iov_base: frame.as_mut_ptr().cast(), iov_len: frame.len() };
    // SAFETY: an all-zero msghdr is valid.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut control).cast();
    message.msg_controllen = size_of_val(&control);
    // SAFETY: the message points to buffers that live through the call, with their own lengths.
    let n = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, 0) };
    let n = usize::try_from(n).map_err(|_| io::Error::last_os_error())?;
    // SAFETY: the kernel has filled in the message and the control buffer that it points to.
    let header = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
    // SAFETY: null, or within the control buffer.
    let Some(header) = (unsafe { header.as_ref() }) else { return Ok((n, Duration::ZERO)) };
    if (header.cmsg_level, header.cmsg_type) != (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) {
        return Ok((n, Duration::ZERO));
    }
    // SAFETY: the data of a message of this type is a timespec; its place need not be aligned.
    let stamp = unsafe { libc::CMSG_DATA(header).cast::<libc::timespec>().read_unaligned() };
    let stamp = Duration::new(stamp.tv_sec.unsigned_abs(), stamp.tv_nsec.unsigned_abs() as u32);
    // The stamp is on the wall clock; should that be set meanwhile, the frame is just not late.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok((n, now.checked_sub(stamp).filter(|age| *age < Duration::from_secs(1)).unwrap_or_default()))
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
                self::corrupt(&mut self.frame[..n]);
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

/// Length of the header that PACKET_VNET_HDR puts in front of a frame.
const VNET_HEADER: usize = 10;
const ETHERNET_HEADER: usize = 14;

/// Whether a frame's IPv4 source or destination is in one of the ranges.
fn concerns(frame: &[u8], ranges: &[(u32, u32)]) -> bool {
    let Some(packet) = frame.get(VNET_HEADER + ETHERNET_HEADER..) else { return false };
    let ipv4 = frame[VNET_HEADER + 12..][..2] == [8, 0];
    let address = |at: usize| Some(u32::from_be_bytes(*packet.get(at..)?.first_chunk()?));
    let within = |address: u32| ranges.iter().any(|(range, mask)| address & mask == *range);
    ipv4 && [address(12), address(16)].into_iter().flatten().any(within)
}

/// Makes the checksum of a frame's payload wrong, so that the receiver drops it: flips the last bit of the frame, and
/// declares a checksum finished that the kernel left for later.
fn corrupt(frame: &mut [u8]) {
    if let [flags, ..] = frame {
        // VIRTIO_NET_HDR_F_NEEDS_CSUM and …_DATA_VALID.
        *flags &= !3;
    }
    if frame.len() > VNET_HEADER + ETHERNET_HEADER
        && let Some(last) = frame.last_mut()
    {
        *last ^= 1;
    }
}

/// `10.0.2.0/24` as address and mask.
fn range(text: &str) -> Result<(u32, u32), String> {
    let wrong = || format!("{text:?} is no range: write one such as 10.0.2.0/24");
    let (address, bits) = text.split_once('/').ok_or_else(wrong)?;
    let (address, bits): (Ipv4Addr, u32) = (address.parse().map_err(|_| wrong())?, bits.parse().map_err(|_| wrong())?);
    let mask = u32::MAX.checked_shl(32_u32.checked_sub(bits).ok_or_else(wrong)?).unwrap_or(0);
    Ok((address.to_bits() & mask, mask))
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

#[cfg(test)]
mod tests;

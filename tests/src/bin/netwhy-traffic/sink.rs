//! `sink`: takes in whatever comes, fast or slowly.

use crate::{
    stats::{Stats, add, report},
    wire::{CHUNK, listen, obey_stdin},
};
use anyhow::{Result, bail};
use netwhy_tests::stop;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    net::{SocketFlags, accept_with},
};
use std::{
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// How often a slow reader reads.
const SLOW_READ: Duration = Duration::from_millis(50);

/// Take in bulk data (of `bulk`)
///
/// A line `slow-bytes-per-second N` on standard input changes the speed while it runs; 0: as fast as it can.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Port, on all IPv4 and IPv6 addresses; 0 takes a free one (the first line says which)
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Read no more than this from each connection; 0: as fast as it can
    #[arg(long, default_value_t = 0, value_name = "N")]
    slow_bytes_per_second: u64,
    /// Size of the receive buffer; the kernel's own choice otherwise
    #[arg(long, value_name = "N")]
    receive_buffer: Option<usize>,
    /// End after this long
    #[arg(long, value_name = "S")]
    seconds: Option<f64>,
}

pub(crate) fn run(args: Args) -> Result<()> {
    stop::install()?;
    let (listener, port) = listen(args.port, 1024, args.receive_buffer)?;
    let stats = Arc::new(Stats::default());
    let speed = Arc::new(AtomicU64::new(args.slow_bytes_per_second));
    let shared = Arc::clone(&speed);
    stats.spawn(move |stats| accept(&listener, &shared, stats))?;
    obey_stdin(move |words| match words {
        ["slow-bytes-per-second", n] => {
            speed.store(n.parse()?, Relaxed);
            Ok(())
        }
        _ => bail!("not understood"),
    });
    report("sink", Some(port), args.seconds, &stats)
}

fn accept(listener: &OwnedFd, speed: &Arc<AtomicU64>, stats: &Arc<Stats>) {
    while !stop::requested() {
        if !readable(listener, Duration::from_millis(100)) {
            continue;
        }
        match accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
            Ok(socket) => {
                add(&stats.connects, 1);
                let speed = Arc::clone(speed);
                if let Err(error) = stats.spawn(move |stats| drain(&socket, &speed, stats)) {
                    eprintln!("netwhy-traffic: {error:#}");
                }
            }
            Err(error) => stats.fail(&error.into()),
        }
    }
}

/// Reads one connection to its end.
fn drain(socket: &OwnedFd, speed: &AtomicU64, stats: &Stats) {
    let mut buffer = vec![0; CHUNK];
    // The bytes that a slow reader may read now.
    let mut allowance = 0.0_f64;
    let mut before = Instant::now();
    while !stop::requested() {
        let limit = speed.load(Relaxed);
        let room = if limit == 0 {
            if !readable(socket, Duration::from_millis(100)) {
                continue;
            }
            CHUNK
        } else {
            stop::sleep(SLOW_READ);
            let now = Instant::now();
            // Never more than half a second's worth: an idle connection saves nothing up.
            allowance = (allowance + (now - before).as_secs_f64() * limit as f64).min(limit as f64 / 2.0);
            before = now;
            (allowance as usize).min(CHUNK)
        };
        if room == 0 {
            continue;
        }
        match rustix::io::read(socket, &mut buffer[..room]) {
            Ok(0) => return,
            Ok(n) => {
                add(&stats.bytes_received, n);
                allowance -= n as f64;
            }
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(error) => return stats.fail(&error.into()),
        }
        if limit == 0 {
            (allowance, before) = (0.0, Instant::now());
        }
    }
}

fn readable(fd: &OwnedFd, timeout: Duration) -> bool {
    let mut fds = [PollFd::new(fd, PollFlags::IN)];
    poll(&mut fds, Timespec::try_from(timeout).ok().as_ref()).is_ok_and(|ready| ready > 0)
}

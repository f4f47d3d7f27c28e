//! `bulk`: sends without asking, as fast as the path or a limit allows.

use crate::{
    stats::{Stats, add, report},
    wire::{CHUNK, Connecting, PADDING, resolve},
};
use anyhow::{Result, ensure};
use netwhy_tests::stop;
use std::{
    io::{self, Write as _},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

/// Pause after a failure.
const BACK_OFF: Duration = Duration::from_millis(200);

/// Send bulk data (to `sink`)
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where to; can be repeated
    #[arg(long, required = true, value_name = "HOST:PORT")]
    to: Vec<String>,
    /// Connections to each
    #[arg(long, default_value_t = 1, value_name = "N")]
    connections: u32,
    /// Limit over all connections, Mbit/s of payload; 0: none
    #[arg(long, default_value_t = 0.0, value_name = "N")]
    rate_mbit: f64,
    /// Bytes per write
    #[arg(long, default_value_t = 16_384, value_name = "N")]
    write_bytes: usize,
    /// End after this many bytes over all connections
    #[arg(long, value_name = "N")]
    bytes: Option<u64>,
    /// End after this long
    #[arg(long, value_name = "S")]
    seconds: Option<f64>,
    #[command(flatten)]
    connecting: Connecting,
}

/// One connection's work.
struct Worker {
    to: SocketAddr,
    connecting: Connecting,
    write_bytes: usize,
    /// Time per write. `None`: no limit.
    period: Option<Duration>,
    bytes: u64,
}

pub(crate) fn run(args: Args) -> Result<()> {
    ensure!((1..=CHUNK).contains(&args.write_bytes), "--write-bytes must be between 1 and {CHUNK}");
    ensure!(args.rate_mbit.is_finite() && args.rate_mbit >= 0.0, "--rate-mbit must not be negative");
    stop::install()?;
    let targets = resolve(&args.to)?;
    args.connecting.check()?;
    let stats = Arc::new(Stats::default());
    let all = args.connections * targets.len() as u32;
    let write_bits = args.write_bytes as f64 * 8.0;
    let period =
        (args.rate_mbit > 0.0).then(|| Duration::from_secs_f64(write_bits * f64::from(all) / (args.rate_mbit * 1e6)));
    for i in 0..all {
        let share = args.bytes.map(|bytes| bytes / u64::from(all) + u64::from(u64::from(i) < bytes % u64::from(all)));
        let worker = Worker {
            to: targets[i as usize % targets.len()],
            connecting: args.connecting.clone(),
            write_bytes: args.write_bytes,
            period,
            bytes: share.unwrap_or(u64::MAX),
        };
        stats.spawn(move |stats| worker.run(stats))?;
    }
    report("bulk", None, args.seconds, &stats)
}

impl Worker {
    fn run(&self, stats: &Stats) {
        let mut left = self.bytes;
        while !stop::requested() && left > 0 {
            let result = self.connecting.open(self.to).and_then(|mut stream| {
                add(&stats.connects, 1);
                self.send(&mut stream, &mut left, stats)
            });
            if let Err(error) = result {
                stats.fail(&error);
                if stop::sleep(BACK_OFF) {
                    return;
                }
            }
        }
    }

    /// Sends until nothing is left, a stop is requested, or the connection fails.
    fn send(&self, stream: &mut TcpStream, left: &mut u64, stats: &Stats) -> io::Result<()> {
        let mut due = Instant::now();
        let mut stalled_since = None;
        while *left > 0 && !stop::requested() {
            if let Some(period) = self.period {
                stop::sleep(due.saturating_duration_since(Instant::now()));
                // A stalled connection does not catch up.
                due = (due + period).max(Instant::now().checked_sub(Duration::from_millis(20)).unwrap_or(due));
            }
            let n = self.write_bytes.min(usize::try_from(*left).unwrap_or(usize::MAX));
            match stream.write(&PADDING[..n]) {
                Ok(n) => {
                    *left -= n as u64;
                    add(&stats.bytes_sent, n);
                    stalled_since = None;
                }
                // A slow reader is no failure: only a peer that takes nothing for as long as a connect may take twice.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && stalled_since.is_none() => {
                    stalled_since = Some(Instant::now());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

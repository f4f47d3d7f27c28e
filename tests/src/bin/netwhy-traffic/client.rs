//! `client`: sends requests and measures how long the answers take.

use crate::{
    stats::{Stats, add, report},
    wire::{CHUNK, CLOSE, Connecting, HEADER, MAX_MESSAGE, PADDING, RESPONSE_HEADER, resolve},
};
use anyhow::{Result, ensure};
use netwhy_tests::stop;
use rustix::net::sockopt;
use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// Pause after a failure, so that a refusing peer isn't stormed.
const BACK_OFF: Duration = Duration::from_millis(20);

/// Send requests (to `server`)
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where to; can be repeated
    #[arg(long, required = true, value_name = "HOST:PORT")]
    to: Vec<String>,
    /// Connections to each
    #[arg(long, default_value_t = 1, value_name = "N")]
    connections: u32,
    /// Connections of a thread, which take turns: one of them has a request under way at a time
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    per_thread: u16,
    /// Further connections to each that stay silent
    #[arg(long, default_value_t = 0, value_name = "N")]
    idle: u32,
    /// Requests per second over all connections; 0: each as soon as the one before is answered
    #[arg(long, default_value_t = 0.0, value_name = "N")]
    rate: f64,
    /// Length of a request, at least 8
    #[arg(long, default_value_t = 128, value_name = "N")]
    request_bytes: u32,
    /// Length of the answer; 0: as the server likes
    #[arg(long, default_value_t = 0, value_name = "N")]
    response_bytes: u32,
    /// A new connection for each request, closed by this end
    ///
    /// `--close=server` has the other end close first, which leaves no closed connection's port behind here;
    /// `--close=reset` ends it with a reset.
    #[arg(long, value_name = "END", num_args = 0..=1, require_equals = true, default_missing_value = "client")]
    close: Option<End>,
    /// End after this many requests, answered or not
    #[arg(long, value_name = "N")]
    requests: Option<i64>,
    /// End after this long
    #[arg(long, value_name = "S")]
    seconds: Option<f64>,
    #[command(flatten)]
    connecting: Connecting,
}

/// Who closes a connection.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum End {
    Client,
    Server,
    Reset,
}

/// One thread's work.
struct Worker {
    /// The other end of each of its connections.
    to: Vec<SocketAddr>,
    connecting: Connecting,
    request_bytes: u32,
    response_bytes: u32,
    close: Option<End>,
    /// Time between requests. `None`: closed loop.
    period: Option<Duration>,
    /// When the first is due.
    first: Instant,
    left: Arc<AtomicI64>,
}

pub(crate) fn run(args: Args) -> Result<()> {
    ensure!(
        (HEADER..=MAX_MESSAGE).contains(&(args.request_bytes as usize)),
        "--request-bytes must be between {HEADER} and {MAX_MESSAGE}"
    );
    ensure!(args.response_bytes as usize <= MAX_MESSAGE, "--response-bytes must be at most {MAX_MESSAGE}");
    ensure!(args.rate.is_finite() && args.rate >= 0.0, "--rate must not be negative");
    stop::install()?;
    let targets = resolve(&args.to)?;
    args.connecting.check()?;
    let stats = Arc::new(Stats::default());
    let shares = shares(&targets, args.connections, args.per_thread);
    let threads = shares.len() as u32;
    let period = (args.rate > 0.0).then(|| Duration::from_secs_f64(f64::from(threads) / args.rate));
    let left = Arc::new(AtomicI64::new(args.requests.unwrap_or(i64::MAX)));
    let start = Instant::now();
    for (i, to) in (0..).zip(shares) {
        let worker = Worker {
            to,
            connecting: args.connecting.clone(),
            request_bytes: args.request_bytes,
            response_bytes: args.response_bytes,
            close: args.close,
            period,
            // Threads take turns.
            first: start + period.unwrap_or_default() * i / threads,
            left: Arc::clone(&left),
        };
        stats.spawn(move |stats| worker.run(stats))?;
    }
    if args.idle > 0 {
        let (idle, connecting) = (args.idle, args.connecting);
        stats.spawn(move |stats| hold_idle(&targets, idle, &connecting, stats))?;
    }
    report("client", None, args.seconds, &stats)
}

/// The other ends of each thread's connections: `each` to every target.
fn shares(targets: &[SocketAddr], each: u32, per_thread: u16) -> Vec<Vec<SocketAddr>> {
    let all: Vec<SocketAddr> = (0..each).flat_map(|_| targets).copied().collect();
    all.chunks(per_thread.into()).map(<[SocketAddr]>::to_vec).collect()
}

/// Opens silent connections and keeps them until the end.
fn hold_idle(targets: &[SocketAddr], each: u32, connecting: &Connecting, stats: &Stats) {
    let mut held = Vec::new();
    for _ in 0..each {
        for to in targets {
            if stop::requested() {
                return;
            }
            match connecting.open(*to) {
                Ok(stream) => {
                    add(&stats.connects, 1);
                    held.push(stream);
                }
                Err(error) => stats.fail(&error),
            }
        }
    }
    while !stop::sleep(Duration::from_secs(3600)) {}
}

impl Worker {
    fn run(&self, stats: &Stats) {
        let mut connections: Vec<(SocketAddr, Option<TcpStream>)> = self.to.iter().map(|to| (*to, None)).collect();
        let mut turn = 0;
        let mut buffer = vec![0; CHUNK.min(16 << 10)];
        let mut due = self.first;
        while !stop::requested() && self.left.fetch_sub(1, Relaxed) > 0 {
            if let Some(period) = self.period {
                if stop::sleep(due.saturating_duration_since(Instant::now())) {
                    break;
                }
                // After a stall the schedule starts anew: a burst would be another kind of traffic.
                due = (due + period).max(Instant::now().checked_sub(period).unwrap_or(due));
            }
            turn = (turn + 1) % connections.len();
            let (to, stream) = &mut connections[turn];
            let start = Instant::now();
            match self.request(*to, stream, &mut buffer, stats) {
                Ok(()) => {
                    stats.latency.record(start.elapsed());
                    add(&stats.requests, 1);
                }
                Err(error) => {
                    stats.fail(&error);
                    *stream = None;
                    if stop::sleep(BACK_OFF) {
                        break;
                    }
                }
            }
        }
    }

    /// Sends one request and reads the whole answer.
    fn request(
        &self,
        to: SocketAddr,
        stream: &mut Option<TcpStream>,
        buffer: &mut [u8],
        stats: &Stats,
    ) -> io::Result<()> {
        let connection = match stream {
            Some(connection) => connection,
            None => {
                let opened = self.connecting.open(to)?;
                add(&stats.connects, 1);
                stream.insert(opened)
            }
        };
        let mut head = [0; 1024];
        head[..4].copy_from_slice(&self.request_bytes.to_be_bytes());
        let flag = if self.close == Some(End::Server) { CLOSE } else { 0 };
        head[4..8].copy_from_slice(&(self.response_bytes | flag).to_be_bytes());
        let mut to_send = self.request_bytes as usize;
        let first = to_send.min(head.len());
        connection.write_all(&head[..first])?;
        to_send -= first;
        while to_send > 0 {
            let n = to_send.min(CHUNK);
            connection.write_all(&PADDING[..n])?;
            to_send -= n;
        }
        add(&stats.bytes_sent, self.request_bytes as usize);
        // The length is known once the header is there; nothing follows an answer, so that reading ahead takes no harm.
        let (mut received, mut length) = (0, None);
        while length.is_none_or(|length| received < length) {
            // The header must come to lie at the start; what follows may overwrite itself.
            let at = if length.is_none() { received } else { 0 };
            match connection.read(&mut buffer[at..])? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => {
                    received += n;
                    add(&stats.bytes_received, n);
                }
            }
            if let (None, Some(header)) =
                (length, buffer[..received.min(buffer.len())].first_chunk::<RESPONSE_HEADER>())
            {
                length = Some(u32::from_be_bytes(*header) as usize);
            }
        }
        if self.close == Some(End::Server) && connection.read(buffer)? != 0 {
            return Err(io::Error::other("bytes after the answer"));
        }
        if self.close == Some(End::Reset) {
            sockopt::set_socket_linger(&*connection, Some(Duration::ZERO))?;
        }
        if self.close.is_some() {
            *stream = None;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

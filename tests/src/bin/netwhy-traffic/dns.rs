//! `resolver` and `lookup`: DNS over UDP, as far as timing goes: every question is answered with its own text.

use crate::{
    stats::{Stats, add, report},
    wire::{obey_stdin, resolve},
};
use anyhow::{Context as _, Result, bail, ensure};
use netwhy_tests::stop;
use std::{
    collections::VecDeque,
    io,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// A question: identity, "recursion desired", one question, `shop.test`, type A, class IN.
const QUESTION: [u8; 27] = *b"\0\0\x01\0\0\x01\0\0\0\0\0\0\x04shop\x04test\0\0\x01\0\x01";
/// Set in the third byte of an answer.
const ANSWER: u8 = 0x80;
/// How often a resolver without work looks at its settings.
const IDLE: Duration = Duration::from_millis(50);

/// Answer DNS questions over UDP
///
/// A line `delay-us N` on standard input changes the delay while it runs.
#[derive(clap::Args)]
pub(crate) struct Resolver {
    /// Port, on all IPv4 addresses
    #[arg(long, default_value_t = 53)]
    port: u16,
    /// Wait this long before each answer
    #[arg(long, default_value_t = 0, value_name = "US")]
    delay_us: u64,
    /// End after this long
    #[arg(long, value_name = "S")]
    seconds: Option<f64>,
}

/// Ask DNS questions over UDP, each from a socket of its own
#[derive(clap::Args)]
pub(crate) struct Lookup {
    /// Resolver; can be repeated
    #[arg(long, required = true, value_name = "HOST:PORT")]
    to: Vec<String>,
    /// Questions per second to each
    #[arg(long, default_value_t = 10.0, value_name = "N")]
    rate: f64,
    /// Give up a question after this long
    #[arg(long, default_value_t = 5000, value_name = "MS")]
    timeout_ms: u64,
    /// End after this long
    #[arg(long, value_name = "S")]
    seconds: Option<f64>,
}

pub(crate) fn run_resolver(args: Resolver) -> Result<()> {
    stop::install()?;
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, args.port)).context("open the DNS port")?;
    let port = socket.local_addr().map(|address| address.port()).ok();
    let delay = Arc::new(AtomicU64::new(args.delay_us));
    let shared = Arc::clone(&delay);
    let stats = Arc::new(Stats::default());
    stats.spawn(move |stats| answer(&socket, &shared, stats))?;
    obey_stdin(move |words| match words {
        ["delay-us", n] => {
            delay.store(n.parse()?, Relaxed);
            Ok(())
        }
        _ => bail!("not understood"),
    });
    report("resolver", port, args.seconds, &stats)
}

fn answer(socket: &UdpSocket, delay_us: &AtomicU64, stats: &Stats) {
    let mut waiting: VecDeque<(Instant, SocketAddr, Vec<u8>)> = VecDeque::new();
    let mut buffer = [0; 512];
    while !stop::requested() {
        let due = waiting.front().map(|(due, ..)| due.saturating_duration_since(Instant::now()));
        // Zero would mean to wait for ever.
        let patience = due.unwrap_or(IDLE).clamp(Duration::from_micros(1), IDLE);
        let received = socket.set_read_timeout(Some(patience)).and_then(|()| socket.recv_from(&mut buffer));
        match received {
            Ok((n, from)) if n > 2 => {
                let mut reply = buffer[..n].to_vec();
                reply[2] |= ANSWER;
                waiting.push_back((Instant::now() + Duration::from_micros(delay_us.load(Relaxed)), from, reply));
            }
            Ok(_) => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            Err(error) => stats.fail(&error),
        }
        while let Some((_, to, reply)) = waiting.pop_front_if(|(due, ..)| *due <= Instant::now()) {
            match socket.send_to(&reply, to) {
                Ok(_) => add(&stats.requests, 1),
                Err(error) => stats.fail(&error),
            }
        }
    }
}

pub(crate) fn run_lookup(args: Lookup) -> Result<()> {
    ensure!(args.rate.is_finite() && args.rate > 0.0, "--rate must be above 0");
    stop::install()?;
    let stats = Arc::new(Stats::default());
    for to in resolve(&args.to)? {
        let (period, timeout) =
            (Duration::from_secs_f64(1.0 / args.rate), Duration::from_millis(args.timeout_ms.max(1)));
        stats.spawn(move |stats| {
            while !stop::sleep(period) {
                let start = Instant::now();
                match ask(to, timeout) {
                    Ok(()) => {
                        stats.latency.record(start.elapsed());
                        add(&stats.requests, 1);
                    }
                    Err(error) => stats.fail(&error),
                }
            }
        })?;
    }
    report("lookup", None, args.seconds, &stats)
}

fn ask(to: SocketAddr, timeout: Duration) -> io::Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.connect(to)?;
    socket.set_read_timeout(Some(timeout))?;
    socket.send(&QUESTION)?;
    let mut buffer = [0; 512];
    let n = socket.recv(&mut buffer)?;
    if n > 2 && buffer[2] & ANSWER != 0 { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

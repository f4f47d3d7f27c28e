//! `dns-server` and `dns-client`: name lookups over UDP (RFC 1035), with sockets used as the common resolvers use them.

use crate::{
    stats::{Stats, add, report},
    wire::{obey_stdin, resolve},
};
use anyhow::{Context as _, Result, bail, ensure};
use netwhy_tests::stop;
use std::{
    collections::VecDeque,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// Length of a message's header.
const HEADER: usize = 12;
/// Longest message over UDP without extensions.
const LONGEST: usize = 512;
const TYPE_A: u16 = 1;
const TYPE_AAAA: u16 = 28;
const CLASS_IN: u16 = 1;
/// "This is a response", in the header's third byte; recursion is available, in its fourth.
const RESPONSE: u8 = 0x80;
const RECURSION: u8 = 0x80;
/// Response codes, in the header's fourth byte.
const CODE: u8 = 0x0f;
const SERVFAIL: u8 = 2;
/// How often a quiet thread looks whether it is to end.
const IDLE: Duration = Duration::from_millis(50);

/// Answer name lookups over UDP
///
/// Every name has one address. A line `delay-us N` on standard input changes the delay while it runs; `fail N` lets one
/// in so many answers be SERVFAIL, `fail 0` none.
#[derive(clap::Args)]
pub(crate) struct ServerArgs {
    /// Port
    #[arg(long, default_value_t = 53)]
    port: u16,
    /// Answer at this address only [default: all; where a host has several, answers leave from its first one, which
    /// connected sockets do not take]
    #[arg(long, value_name = "IP")]
    address: Option<IpAddr>,
    /// Wait this long before each answer
    #[arg(long, default_value_t = 0, value_name = "US")]
    delay_us: u64,
    /// End after this long
    #[arg(long, value_name = "S")]
    seconds: Option<f64>,
}

pub(crate) fn serve(args: &ServerArgs) -> Result<()> {
    stop::install()?;
    let socket = match args.address {
        Some(address) => UdpSocket::bind((address, args.port)),
        None => UdpSocket::bind((Ipv6Addr::UNSPECIFIED, args.port))
            .or_else(|_| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, args.port))),
    };
    let socket = socket.with_context(|| format!("bind UDP port {}", args.port))?;
    let port = socket.local_addr()?.port();
    let knobs = Arc::new(Knobs { delay_us: args.delay_us.into(), fail: 0.into() });
    let stats = Arc::new(Stats::default());
    let set = Arc::clone(&knobs);
    obey_stdin(move |words| {
        match words {
            ["delay-us", n] => set.delay_us.store(n.parse()?, Relaxed),
            ["fail", n] => set.fail.store(n.parse()?, Relaxed),
            _ => bail!("not understood"),
        }
        Ok(())
    });
    stats.spawn(move |stats| {
        if let Err(error) = answer_all(&socket, &knobs, stats) {
            eprintln!("netwhy-traffic: dns-server: {error}");
        }
    })?;
    report("dns-server", Some(port), args.seconds, &stats)
}

/// Settings that can change while it runs.
struct Knobs {
    delay_us: AtomicU64,
    /// One in so many answers is an error. 0: none.
    fail: AtomicU64,
}

/// Answers in the order of the questions, each when its time has come.
fn answer_all(socket: &UdpSocket, knobs: &Knobs, stats: &Stats) -> io::Result<()> {
    let mut owed: VecDeque<(Instant, SocketAddr, Vec<u8>)> = VecDeque::new();
    let (mut message, mut answers) = ([0; LONGEST], 0_u64);
    while !stop::requested() {
        while owed.front().is_some_and(|(due, ..)| *due <= Instant::now()) {
            let Some((_, to, answer)) = owed.pop_front() else { break };
            match socket.send_to(&answer, to) {
                Ok(n) => add(&stats.bytes_sent, n),
                // Who asked may have gone.
                Err(error) => stats.fail(&error),
            }
            add(&stats.requests, 1);
        }
        let wait = owed.front().map_or(IDLE, |(due, ..)| due.saturating_duration_since(Instant::now()).min(IDLE));
        socket.set_read_timeout(Some(wait.max(Duration::from_micros(100))))?;
        match socket.recv_from(&mut message) {
            Ok((n, from)) => {
                add(&stats.bytes_received, n);
                if let Some(mut answer) = answer(&message[..n]) {
                    answers += 1;
                    let every = knobs.fail.load(Relaxed);
                    if every > 0 && answers.is_multiple_of(every) {
                        answer[3] |= SERVFAIL;
                    }
                    let due = Instant::now() + Duration::from_micros(knobs.delay_us.load(Relaxed));
                    owed.push_back((due, from, answer));
                }
            }
            Err(error) if is_timeout(&error) => {}
            // An answer to somebody gone comes back as an error of the next call.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

/// Answer to a query with one question: its address, or no record for types except A and AAAA. `None`: no such query.
fn answer(query: &[u8]) -> Option<Vec<u8>> {
    let (header, rest) = query.split_at_checked(HEADER)?;
    if header[2] & RESPONSE != 0 || header[4..6] != [0, 1] {
        return None;
    }
    // Labels, each after its length, up to the empty one.
    let mut end = 0;
    loop {
        let length = usize::from(*rest.get(end)?);
        // Longer labels are pointers, which a question has none of.
        if length > 63 {
            return None;
        }
        end += length + 1;
        if length == 0 {
            break;
        }
    }
    let question = rest.get(..end + 4)?;
    let kind = u16::from_be_bytes([question[end], question[end + 1]]);
    let address: &[u8] = match kind {
        TYPE_A => &[192, 0, 2, 1],
        TYPE_AAAA => &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        _ => &[],
    };
    let mut out = Vec::with_capacity(LONGEST);
    out.extend([header[0], header[1], RESPONSE | (header[2] & 0x79), RECURSION]);
    out.extend([0, 1, 0, u8::from(!address.is_empty()), 0, 0, 0, 0]);
    out.extend(question);
    if !address.is_empty() {
        // The name is that of the question, 12 bytes into the message; 30 s to live.
        out.extend([0xc0, HEADER as u8]);
        out.extend(kind.to_be_bytes());
        out.extend(CLASS_IN.to_be_bytes());
        out.extend(30u32.to_be_bytes());
        out.extend((address.len() as u16).to_be_bytes());
        out.extend(address);
    }
    Some(out)
}

/// How a resolver uses its sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Style {
    /// One connected socket for both types, recvfrom
    Glibc,
    /// One unconnected socket for both types, sendto and recvfrom
    Musl,
    /// A connected socket for each type, write and read
    Go,
}

/// Look names up (at `dns-server`)
#[derive(clap::Args)]
pub(crate) struct ClientArgs {
    /// The server; can be repeated
    #[arg(long, required = true, value_name = "HOST:PORT")]
    to: Vec<String>,
    /// How sockets are used; can be repeated, and takes turns
    #[arg(long, value_enum, value_name = "STYLE", default_values = ["glibc", "musl", "go"])]
    style: Vec<Style>,
    /// Lookups per second, each of an A and an AAAA record; a thread for each style and server
    #[arg(long, default_value_t = 10.0, value_name = "N")]
    rate: f64,
    /// Give an answer up after this long
    #[arg(long, default_value_t = 5000, value_name = "MS")]
    timeout_ms: u64,
    /// End after this long
    #[arg(long, value_name = "S")]
    seconds: Option<f64>,
}

pub(crate) fn look_up(args: &ClientArgs) -> Result<()> {
    ensure!(args.rate > 0.0 && args.rate.is_finite(), "--rate must be above 0");
    stop::install()?;
    let stats = Arc::new(Stats::default());
    let targets = resolve(&args.to)?;
    let all = args.style.len() * targets.len();
    let period = Duration::from_secs_f64(all as f64 / args.rate);
    let timeout = Duration::from_millis(args.timeout_ms.max(1));
    let pairs = targets.iter().flat_map(|server| args.style.iter().map(|style| (*server, *style)));
    for (i, (server, style)) in pairs.enumerate() {
        let mut due = Instant::now() + period * i as u32 / all as u32;
        let mut id = (i as u16) << 12;
        stats.spawn(move |stats| {
            while !stop::sleep(due.saturating_duration_since(Instant::now())) {
                due = (due + period).max(Instant::now());
                id = id.wrapping_add(2);
                let start = Instant::now();
                match style.look_up(server, id, timeout, stats) {
                    Ok(()) => {
                        stats.latency.record(start.elapsed());
                        add(&stats.requests, 1);
                    }
                    Err(error) => stats.fail(&error),
                }
            }
        })?;
    }
    report("dns-client", None, args.seconds, &stats)
}

impl Style {
    /// Looks up both types of a name; numbers of the messages: `id` and the next.
    fn look_up(self, server: SocketAddr, id: u16, timeout: Duration, stats: &Stats) -> io::Result<()> {
        let queries = [query(id, TYPE_A), query(id + 1, TYPE_AAAA)];
        match self {
            Self::Go => queries.iter().try_for_each(|q| self.exchange(server, &[q], timeout, stats)),
            Self::Glibc | Self::Musl => self.exchange(server, &[&queries[0], &queries[1]], timeout, stats),
        }
    }

    /// Sends queries on a new socket and waits for the answer to each.
    fn exchange(self, server: SocketAddr, queries: &[&Vec<u8>], timeout: Duration, stats: &Stats) -> io::Result<()> {
        let any: SocketAddr =
            if server.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
        let socket = UdpSocket::bind(any)?;
        socket.set_read_timeout(Some(timeout))?;
        if self != Self::Musl {
            socket.connect(server)?;
        }
        for query in queries {
            let n = if self == Self::Musl { socket.send_to(query, server)? } else { socket.send(query)? };
            add(&stats.bytes_sent, n);
        }
        let mut message = [0; LONGEST];
        let mut left: Vec<&[u8]> = queries.iter().map(|query| &query[..2]).collect();
        while !left.is_empty() {
            let n = match self {
                Self::Go => socket.recv(&mut message)?,
                Self::Glibc | Self::Musl => socket.recv_from(&mut message)?.0,
            };
            add(&stats.bytes_received, n);
            // Ignore messages that answer no query of this socket.
            let is_answer = |id: &&[u8]| n >= HEADER && message[..2] == **id && message[2] & RESPONSE != 0;
            if left.iter().any(is_answer) && message[3] & CODE != 0 {
                return Err(io::Error::other("the answer is an error"));
            }
            left.retain(|id| !is_answer(id));
        }
        Ok(())
    }
}

/// Query for a name in the shop, recursion desired.
fn query(id: u16, kind: u16) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    out.extend(id.to_be_bytes());
    out.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in ["api", "shop", "svc", "cluster", "local"] {
        out.push(label.len() as u8);
        out.extend(label.as_bytes());
    }
    out.push(0);
    out.extend(kind.to_be_bytes());
    out.extend(CLASS_IN.to_be_bytes());
    out
}

#[cfg(test)]
mod tests;

//! `server`: answers requests; can think, work, or stop accepting.

mod connection;

use crate::{
    stats::{Stats, add, report},
    wire::{CHUNK, CLOSE, MAX_MESSAGE, RESPONSE_HEADER, listen, obey_stdin},
};
use anyhow::{Context as _, Result, bail};
use connection::Connection;
use netwhy_tests::stop;
use rustix::{
    buffer::spare_capacity,
    event::{Timespec, epoll},
    io::Errno,
    net::{SocketFlags, accept_with, sockopt},
};
use std::{
    collections::{HashMap, VecDeque},
    hint,
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{self, Relaxed},
        },
    },
    time::{Duration, Instant},
};

/// Answer requests (of `client`)
///
/// Lines on standard input change it while it runs: `think-us N`, `work-us N`, `slow EVERY US`, `hold EVERY US`,
/// `response-bytes N`, `accept on|off`, `backlog N`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Port, on all IPv4 and IPv6 addresses; 0 takes a free one (the first line says which)
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Wait this long before each answer, idle
    #[arg(long, default_value_t = 0, value_name = "US")]
    think_us: u64,
    /// Think for `--slow-us` before one in so many answers; 0: before none
    #[arg(long, default_value_t = 0, value_name = "N")]
    slow_every: u64,
    /// Think time of the answers that `--slow-every` chooses
    #[arg(long, default_value_t = 200_000, value_name = "US")]
    slow_us: u64,
    /// Compute this long for each answer, busy
    #[arg(long, default_value_t = 0, value_name = "US")]
    work_us: u64,
    /// Length of an answer when the request doesn't say
    #[arg(long, default_value_t = 128, value_name = "N")]
    response_bytes: u64,
    /// Pause between accepts
    #[arg(long, default_value_t = 0, value_name = "US")]
    accept_delay_us: u64,
    /// Listen, but accept nothing
    #[arg(long)]
    no_accept: bool,
    /// Length of the accept queue
    #[arg(long, default_value_t = 1024, value_name = "N")]
    backlog: i32,
    /// Threads
    #[arg(long, default_value_t = 1, value_name = "N")]
    threads: usize,
    /// End after this long
    #[arg(long, value_name = "S")]
    seconds: Option<f64>,
}

/// Settings that can change while it runs.
struct Settings {
    think_us: AtomicU64,
    slow_every: AtomicU64,
    slow_us: AtomicU64,
    /// One in so many requests holds a lock that all others need. 0: none.
    hold_every: AtomicU64,
    hold_us: AtomicU64,
    work_us: AtomicU64,
    response_bytes: AtomicU64,
    accepting: AtomicBool,
    accept_delay: Duration,
}

pub(crate) fn run(args: Args) -> Result<()> {
    stop::install()?;
    let (listener, port) = listen(args.port, args.backlog, None)?;
    let listener = Arc::new(listener);
    let settings = Arc::new(Settings {
        think_us: args.think_us.into(),
        slow_every: args.slow_every.into(),
        slow_us: args.slow_us.into(),
        hold_every: 0.into(),
        hold_us: 0.into(),
        work_us: args.work_us.into(),
        response_bytes: args.response_bytes.into(),
        accepting: (!args.no_accept).into(),
        accept_delay: Duration::from_micros(args.accept_delay_us),
    });
    let stats = Arc::new(Stats::default());
    for _ in 0..args.threads.max(1) {
        let (listener, settings) = (Arc::clone(&listener), Arc::clone(&settings));
        stats.spawn(move |stats| {
            if let Err(error) = Worker::new(listener, settings, Arc::clone(stats)).and_then(|mut worker| worker.run()) {
                eprintln!("netwhy-traffic: server thread: {error:#}");
            }
        })?;
    }
    obey_stdin(move |words| obey(words, &settings, &listener));
    report("server", Some(port), args.seconds, &stats)
}

fn obey(words: &[&str], settings: &Settings, listener: &OwnedFd) -> Result<()> {
    match words {
        ["think-us", n] => settings.think_us.store(n.parse()?, Relaxed),
        ["slow", every, us] => {
            settings.slow_us.store(us.parse()?, Relaxed);
            settings.slow_every.store(every.parse()?, Relaxed);
        }
        ["hold", every, us] => {
            settings.hold_us.store(us.parse()?, Relaxed);
            settings.hold_every.store(every.parse()?, Relaxed);
        }
        ["work-us", n] => settings.work_us.store(n.parse()?, Relaxed),
        ["response-bytes", n] => settings.response_bytes.store(n.parse()?, Relaxed),
        ["accept", "on"] => settings.accepting.store(true, Relaxed),
        ["accept", "off"] => settings.accepting.store(false, Relaxed),
        // Listening again only changes the length of the queue.
        ["backlog", n] => rustix::net::listen(listener, n.parse()?)?,
        _ => bail!("not understood"),
    }
    Ok(())
}

const LISTENER: u64 = 0;

struct Worker {
    listener: Arc<OwnedFd>,
    settings: Arc<Settings>,
    stats: Arc<Stats>,
    epoll: OwnedFd,
    connections: HashMap<u64, Connection>,
    next_id: u64,
    /// Whether the listener is in the epoll set.
    listening: bool,
    accept_again: Instant,
    /// Answers that wait for their think time, the next one first: when due, connection, length.
    thinking: VecDeque<(Instant, u64, usize)>,
    /// Requests so far.
    requests: u64,
    buffer: Vec<u8>,
}

impl Worker {
    fn new(listener: Arc<OwnedFd>, settings: Arc<Settings>, stats: Arc<Stats>) -> Result<Self> {
        Ok(Self {
            listener,
            settings,
            stats,
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC).context("epoll")?,
            connections: HashMap::new(),
            next_id: LISTENER + 1,
            listening: false,
            accept_again: Instant::now(),
            thinking: VecDeque::new(),
            requests: 0,
            buffer: vec![0; CHUNK],
        })
    }

    fn run(&mut self) -> Result<()> {
        let mut events = Vec::with_capacity(256);
        while !stop::requested() {
            let mut now = Instant::now();
            self.listen_or_not(now)?;
            // Wakes now and then to notice changed settings.
            let mut timeout = Duration::from_millis(50);
            if let Some((due, ..)) = self.thinking.front() {
                timeout = timeout.min(due.saturating_duration_since(now));
            }
            if !self.listening && self.settings.accepting.load(Relaxed) {
                timeout = timeout.min(self.accept_again.saturating_duration_since(now));
            }
            match epoll::wait(&self.epoll, spare_capacity(&mut events), Timespec::try_from(timeout).ok().as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error).context("wait for events"),
            }
            for event in events.drain(..) {
                match event.data.u64() {
                    LISTENER => self.accept()?,
                    id => self.serve(id, event.flags),
                }
            }
            now = Instant::now();
            while let Some((_, id, bytes)) = self.thinking.pop_front_if(|(due, ..)| *due <= now) {
                self.answer(id, bytes);
            }
        }
        Ok(())
    }

    /// Keeps the listener in the epoll set exactly while connections are to be accepted.
    fn listen_or_not(&mut self, now: Instant) -> Result<()> {
        let wanted = self.settings.accepting.load(Ordering::Relaxed) && now >= self.accept_again;
        if wanted && !self.listening {
            let flags = epoll::EventFlags::IN | epoll::EventFlags::EXCLUSIVE;
            epoll::add(&self.epoll, &*self.listener, epoll::EventData::new_u64(LISTENER), flags)?;
        } else if !wanted && self.listening {
            epoll::delete(&self.epoll, &*self.listener)?;
        }
        self.listening = wanted;
        Ok(())
    }

    fn accept(&mut self) -> Result<()> {
        loop {
            let socket = match accept_with(&*self.listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
                Ok(socket) => socket,
                Err(Errno::AGAIN) => return Ok(()),
                Err(error) => {
                    // The peer may be gone already: that is no reason to end.
                    self.stats.fail(&error.into());
                    return Ok(());
                }
            };
            sockopt::set_tcp_nodelay(&socket, true)?;
            add(&self.stats.connects, 1);
            let id = self.next_id;
            self.next_id += 1;
            epoll::add(&self.epoll, &socket, epoll::EventData::new_u64(id), epoll::EventFlags::IN)?;
            self.connections.insert(id, Connection::new(socket));
            if !self.settings.accept_delay.is_zero() {
                self.accept_again = Instant::now() + self.settings.accept_delay;
                return Ok(());
            }
        }
    }

    fn serve(&mut self, id: u64, flags: epoll::EventFlags) {
        if flags.contains(epoll::EventFlags::OUT) {
            self.flush(id);
        }
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if !flags.intersects(epoll::EventFlags::IN | epoll::EventFlags::HUP | epoll::EventFlags::ERR) {
            return;
        }
        let mut answers = Vec::new();
        let alive = match rustix::io::read(&connection.socket, &mut self.buffer[..]) {
            Ok(0) => false,
            Ok(n) => {
                add(&self.stats.bytes_received, n);
                connection.feed(&self.buffer[..n], |wanted| answers.push(wanted)).is_ok()
            }
            Err(Errno::AGAIN | Errno::INTR) => true,
            Err(error) => {
                self.stats.fail(&error.into());
                false
            }
        };
        if !alive {
            self.connections.remove(&id);
            return;
        }
        let work = Duration::from_micros(self.settings.work_us.load(Relaxed));
        for wanted in answers {
            let length = match wanted & !CLOSE {
                0 => self.settings.response_bytes.load(Relaxed) as usize,
                length => length as usize,
            };
            let length = length.clamp(RESPONSE_HEADER, MAX_MESSAGE);
            if let Some(connection) = self.connections.get_mut(&id) {
                connection.closing |= wanted & CLOSE != 0;
            }
            add(&self.stats.requests, 1);
            burn(work);
            let think = self.think();
            self.hold();
            if think.is_zero() {
                self.answer(id, length);
            } else {
                let due = Instant::now() + think;
                let place = self.thinking.partition_point(|(other, ..)| *other <= due);
                self.thinking.insert(place, (due, id, length));
            }
        }
    }

    /// Think time of the next answer.
    fn think(&mut self) -> Duration {
        self.requests += 1;
        let every = self.settings.slow_every.load(Relaxed);
        let is_slow = every > 0 && self.requests.is_multiple_of(every);
        let us = if is_slow { &self.settings.slow_us } else { &self.settings.think_us };
        Duration::from_micros(us.load(Relaxed))
    }

    /// Sleeps with the lock that every answer of this thread needs, when it is time.
    fn hold(&self) {
        let every = self.settings.hold_every.load(Relaxed);
        if every > 0 && self.requests.is_multiple_of(every) {
            std::thread::sleep(Duration::from_micros(self.settings.hold_us.load(Relaxed)));
        }
    }

    fn answer(&mut self, id: u64, length: usize) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.owed.push_back(length);
            self.flush(id);
        }
    }

    /// Sends what the connection's socket takes of what is owed; closes the connection when it is time or it failed.
    fn flush(&mut self, id: u64) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let done = match connection.send(&mut self.buffer, &self.stats) {
            Ok(()) => connection.closing && connection.owed.is_empty(),
            Err(error) => {
                self.stats.fail(&error.into());
                true
            }
        };
        let wants_out = !connection.owed.is_empty();
        if done {
            self.connections.remove(&id);
        } else if wants_out != connection.wants_out {
            connection.wants_out = wants_out;
            let flags = if wants_out { epoll::EventFlags::IN | epoll::EventFlags::OUT } else { epoll::EventFlags::IN };
            if let Err(error) = epoll::modify(&self.epoll, &connection.socket, epoll::EventData::new_u64(id), flags) {
                self.stats.fail(&error.into());
                self.connections.remove(&id);
            }
        }
    }
}

/// Uses the CPU for this long, as a clock on the wall sees it.
fn burn(work: Duration) {
    if work.is_zero() {
        return;
    }
    let start = Instant::now();
    while start.elapsed() < work {
        hint::spin_loop();
    }
}

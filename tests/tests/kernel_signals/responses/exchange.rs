//! Requests and answers with a clock at each step.

use crate::{
    socket::Pair,
    stage::{Options, Stage, Watch, id, wait_until},
};
use netwhy_abi::Role;
use netwhy_agent::{
    kernel::Mode,
    sample::{FineHistogram, Responses},
};
use netwhy_tests::lab::Pod;
use std::{
    io::{Read as _, Write as _},
    time::{Duration, Instant},
};

/// The first kernel whose packets the agent reads.
const READS_CONTENT: (u32, u32) = (6, 12);
/// Largest difference between a time and its truth.
const TOLERANCE: f64 = 0.05;

/// A client's Pod on one Node, a server's on another, and an agent that observes response times.
pub(super) struct Scene<'s> {
    pub(super) stage: &'s Stage,
    pub(super) client: Pod,
    pub(super) server: Pod,
    pub(super) watch: Watch,
}

/// Response times on, the rest as usual.
pub(super) fn options() -> Options {
    Options { modes: &[("responses", Mode::On)], ..Options::default() }
}

impl<'s> Scene<'s> {
    pub(super) fn open(stage: &'s Stage) -> Self {
        let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
        Self { stage, client, server, watch: stage.watch_with(options()) }
    }

    /// A connection from the client to the server whose next exchange counts. Without `bpf_dynptr_from_skb` the agent
    /// can't tell a TLS handshake, so that it leaves out the first two of each connection: they happen here.
    pub(super) fn connect(&self) -> Pair {
        let mut pair = self.connect_unused();
        if netwhy_agent::kernel::release().0 < READS_CONTENT {
            for _ in 0..2 {
                exchange(&mut pair, Shape::think(Duration::ZERO));
            }
        }
        pair
    }

    /// A connection without any exchange yet.
    pub(super) fn connect_unused(&self) -> Pair {
        let listener = self.stage.listen(&self.server);
        Pair::open(self.stage, &self.client, &listener, self.stage.address(&self.server, &listener))
    }

    /// Response times of one end so far.
    pub(super) fn of(&mut self, role: Role) -> Responses {
        self.watch.read();
        let cgroup = id(match role {
            Role::Client => &self.client,
            Role::Server => &self.server,
        });
        let mut sum = Responses::default();
        for (key, times) in &self.watch.sums().responses {
            if key.cgroup == cgroup {
                assert_eq!(key.role(), Some(role), "each Pod is one end");
                sum.add(times);
            }
        }
        sum
    }

    /// The same once so many exchanges are counted: a server's answer is seen when something arrives after it.
    #[track_caller]
    pub(super) fn wait_for(&mut self, role: Role, count: u64) -> Responses {
        wait_until(&format!("{count} exchanges of the {}", role.label()), || self.of(role).durations.count() >= count);
        let times = self.of(role);
        assert_eq!(times.durations.count(), count, "{:?}", self.watch.missed());
        times
    }
}

/// Moments of one exchange.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moments {
    /// Before and after the client's write.
    pub(super) asked: [Instant; 2],
    /// After the server's first read.
    pub(super) read: Instant,
    /// Before and after the server's write.
    pub(super) answered: [Instant; 2],
    /// After the client's first read of the answer.
    pub(super) done: Instant,
}

/// Microseconds between two moments.
fn us(from: Instant, to: Instant) -> f64 {
    to.saturating_duration_since(from).as_secs_f64() * 1e6
}

/// Lower and upper bounds of a truth.
pub(super) type Bounds = (f64, f64);

impl Moments {
    /// The client's response time.
    pub(super) fn at_client(&self) -> Bounds {
        (us(self.asked[1], self.answered[0]), us(self.asked[0], self.done))
    }

    /// The server's.
    pub(super) fn at_server(&self) -> Bounds {
        (us(self.read, self.answered[0]), us(self.asked[0], self.answered[1]))
    }
}

/// Shape of an exchange.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) request: usize,
    pub(super) answer: usize,
    /// Before the server reads.
    pub(super) unread: Duration,
    /// After it has read.
    pub(super) think: Duration,
}

impl Shape {
    pub(super) const fn think(think: Duration) -> Self {
        Self { request: 100, answer: 200, unread: Duration::ZERO, think }
    }
}

/// One exchange, both ends at once.
pub(super) fn exchange(pair: &mut Pair, shape: Shape) -> Moments {
    let Pair { client, server } = pair;
    std::thread::scope(|scope| {
        // Rooms are filled before the clock runs: that a page is first touched is no part of an exchange.
        let (request, answer) = (vec![1; shape.request], vec![1; shape.answer]);
        let serving = scope.spawn(move || {
            let mut room = vec![1; shape.request];
            if !shape.unread.is_zero() {
                // Data is there before it is read.
                assert_eq!(server.peek(&mut [0]).unwrap(), 1);
                std::thread::sleep(shape.unread);
            }
            let first = server.read(&mut room).unwrap();
            let read = Instant::now();
            server.read_exact(&mut room[first..]).unwrap();
            std::thread::sleep(shape.think);
            let before = Instant::now();
            server.write_all(&answer).unwrap();
            (read, [before, Instant::now()])
        });
        let mut room = vec![1; shape.answer];
        let before = Instant::now();
        client.write_all(&request).unwrap();
        let after = Instant::now();
        let first = client.read(&mut room).unwrap();
        let done = Instant::now();
        client.read_exact(&mut room[first..]).unwrap();
        let (read, answered) = serving.join().unwrap();
        Moments { asked: [before, after], read, answered, done }
    })
}

/// The quantile of a list.
fn quantile(mut values: Vec<f64>, q: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (q * values.len() as f64).ceil().max(1.0) as usize;
    values[rank - 1]
}

/// The counted times are the true ones: their sum, median and 99th percentile within 5 %.
#[track_caller]
pub(super) fn agrees(what: &str, times: &FineHistogram, truth: &[Bounds]) {
    assert_eq!(times.count(), truth.len() as u64, "{what}");
    let low = |value: f64| value * (1.0 - TOLERANCE) - 10.0;
    let high = |value: f64| value * (1.0 + TOLERANCE) + 10.0;
    let sums = (truth.iter().map(|t| t.0).sum::<f64>(), truth.iter().map(|t| t.1).sum::<f64>());
    let sum = times.sum_us as f64;
    println!("{what}: sum {:.4} … {:.4} of the truth's bounds", sum / sums.1, sum / sums.0);
    assert!((low(sums.0)..=high(sums.1)).contains(&sum), "{what}: sum {sum} µs, in truth {sums:?}");
    for q in [0.5, 0.99] {
        let counted = times.quantile_us(q).unwrap();
        let lows = quantile(truth.iter().map(|t| t.0).collect(), q);
        let highs = quantile(truth.iter().map(|t| t.1).collect(), q);
        println!("{what}: quantile {q} {:.4} … {:.4} of the truth's bounds", counted / highs, counted / lows);
        let fits = (low(lows)..=high(highs)).contains(&counted);
        assert!(fits, "{what}: quantile {q} is {counted} µs, in truth {lows} … {highs}");
    }
}

/// A time within 5 % of its bounds.
#[track_caller]
pub(super) fn is_about(what: &str, us: u64, low: Duration, high: Duration) {
    let (low, high) = (low.as_secs_f64() * 1e6, high.as_secs_f64() * 1e6);
    let range = low * (1.0 - TOLERANCE)..=high * (1.0 + TOLERANCE);
    assert!(range.contains(&(us as f64)), "{what}: {us} µs, in truth {low} … {high}");
}

/// Duration of a stage.
pub(super) fn stage(times: &Responses, role: Role, name: &str) -> u64 {
    times.stages(role).into_iter().find(|(stage, _)| *stage == name).unwrap().1
}

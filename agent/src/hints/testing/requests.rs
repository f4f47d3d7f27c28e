//! Requests second by second, and the sums that a view has of them.

use super::{Case, Run, firing};
use crate::{
    api::Hint,
    calls::CallCounts,
    sample::{FineHistogram, Responses},
    state::{ResponseView, Waiting},
};
use netwhy_abi::{FINE_BUCKETS, Role, fine_bucket_index};
use std::{collections::VecDeque, time::Duration};

/// Knuth's 64-bit linear congruential generator; the upper half is used.
pub(crate) struct Lcg(pub(crate) u64);

impl Lcg {
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    /// True once in `n` times.
    pub(crate) fn once_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// Seconds of a window, and of the last seconds.
const WINDOW: usize = 10;
const RECENT: usize = 3;

/// The requests of one edge over the last ten seconds.
#[derive(Default)]
pub(crate) struct Stream {
    seconds: VecDeque<Responses>,
    waiting: Option<Waiting>,
    calls: Vec<CallCounts>,
}

impl Stream {
    /// A second's requests by their times, µs; `other_us`: what each spends in a stage other than the last one.
    pub(crate) fn second(&mut self, role: Role, times: &[u32], other_us: u64) {
        let mut sum = Responses::default();
        for us in times {
            let bucket = fine_bucket_index(*us) as u8;
            sum.durations.add(&FineHistogram::from_counts([(bucket, 1)], u64::from(*us)));
            let other_us = other_us.min(u64::from(*us));
            match role {
                Role::Client => sum.network_us += other_us,
                Role::Server => {
                    sum.unread_us += other_us;
                    sum.application_us += u64::from(*us) - other_us;
                }
            }
        }
        self.push(sum);
    }

    pub(crate) fn push(&mut self, second: Responses) {
        self.seconds.push_back(second);
        if self.seconds.len() > WINDOW {
            self.seconds.pop_front();
        }
    }

    /// Sampled calls of a second.
    pub(crate) fn call(&mut self, calls: u64, errors: u64) {
        self.calls.push(CallCounts { calls, errors, grpc: 0 });
    }

    /// Requests that end without an answer, in the newest second.
    pub(crate) fn give_up(&mut self, n: u64, age_us: u64) {
        let last = self.seconds.back_mut().unwrap();
        last.unanswered += n;
        last.durations.add(&FineHistogram::from_counts([(FINE_BUCKETS as u8 - 1, n)], n * age_us));
    }

    /// Requests that the walk of this second finds without an answer.
    pub(crate) fn wait(&mut self, requests: u64, at: Duration) {
        let since = self.waiting.map_or(at, |before| before.since);
        self.waiting = (requests > 0).then_some(Waiting { requests, since });
    }

    pub(crate) fn view(&self) -> ResponseView {
        let sum = |seconds: usize| {
            let mut sum = Responses::default();
            self.seconds.iter().rev().take(seconds).for_each(|second| sum.add(second));
            sum
        };
        let mut calls = CallCounts::default();
        self.calls.iter().rev().take(WINDOW).for_each(|second| calls.add(*second));
        ResponseView {
            calls,
            window: sum(WINDOW),
            recent: sum(RECENT),
            newest: sum(1),
            waiting: self.waiting,
            ..ResponseView::default()
        }
    }
}

/// One edge with requests, and an engine that judges it.
pub(crate) struct Scene {
    pub(crate) run: Run,
    pub(crate) case: Case,
    pub(crate) stream: Stream,
    pub(crate) random: Lcg,
    pub(crate) role: Role,
    pub(crate) other_us: u64,
    pod: &'static str,
    peer: &'static str,
}

impl Scene {
    /// The requests go from `pod` to `peer`, or come from there.
    pub(crate) fn new(case: Case, (pod, peer): (&'static str, &'static str), role: Role) -> Self {
        let mut scene =
            Self { run: Run::new(), case, stream: Stream::default(), random: Lcg(7), role, other_us: 100, pod, peer };
        let edge = scene.case.edge(pod, peer);
        (edge.role, edge.port) = (Some(role), 80);
        scene
    }

    /// A second with so many requests; `draw` gives the time of each, µs.
    pub(crate) fn second(&mut self, n: u64, mut draw: impl FnMut(&mut Lcg) -> u32) -> Vec<Hint> {
        let times: Vec<u32> = (0..n).map(|_| draw(&mut self.random)).collect();
        self.stream.second(self.role, &times, self.other_us);
        self.tick()
    }

    /// The engine judges what the stream has.
    pub(crate) fn tick(&mut self) -> Vec<Hint> {
        // The first windows are short.
        self.run.window_ms = 1_000 * self.stream.seconds.len() as u64;
        self.case.edge(self.pod, self.peer).responses = Some(Box::new(self.stream.view()));
        firing(&self.run.tick(&self.case))
    }

    /// Seconds of requests that raise no hint.
    #[track_caller]
    pub(crate) fn is_silent(&mut self, seconds: u64, n: u64, mut draw: impl FnMut(&mut Lcg) -> u32) {
        for at in 0..seconds {
            let hints = self.second(n, &mut draw);
            assert!(hints.is_empty(), "second {at}: {:?}", hints.iter().map(|h| &h.summary).collect::<Vec<_>>());
        }
    }

    /// Seconds until the first hint, and that hint.
    #[track_caller]
    pub(crate) fn first_hint(&mut self, within: u64, n: u64, mut draw: impl FnMut(&mut Lcg) -> u32) -> (u64, Hint) {
        for at in 1..=within {
            if let Some(hint) = self.second(n, &mut draw).into_iter().next() {
                return (at, hint);
            }
        }
        panic!("no hint within {within} s");
    }
}

/// About a millisecond.
pub(crate) fn quick(random: &mut Lcg) -> u32 {
    900 + random.below(400) as u32
}

/// About a millisecond, and every `n`th so many µs.
pub(crate) fn every(n: u64, us: u32) -> impl FnMut(&mut Lcg) -> u32 {
    let mut requests = 0_u64;
    move |random| {
        requests += 1;
        let quick = quick(random);
        if requests.is_multiple_of(n) { us } else { quick }
    }
}

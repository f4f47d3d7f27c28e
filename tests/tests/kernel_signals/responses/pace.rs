//! Exchanges of busy connections on a busy machine, of which a part stands for all of them.

use super::busy::busy;
use crate::{
    socket::Pair,
    stage::{needs, stage, wait_until},
};
use netwhy_abi::Role;
use std::{
    io::{Read as _, Write as _},
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

/// Connections, each the only one of its edge, so that all are observed.
const CONNECTIONS: usize = 4;
/// One exchange in this many is slow.
const EVERY: u64 = 200;
/// What a slow one takes at least, and what tells it from others.
const SLOW: Duration = Duration::from_millis(50);
const SEEN_AS_SLOW: Duration = Duration::from_millis(45);
/// A bound of a bucket below that, µs.
const FAST_US: u32 = 40_000;

/// Ends the threads of a scope, also when an assertion fails in it.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Exchanges without a pause, and how many there were: all, and slow ones.
fn keep_busy(pair: &mut Pair, is_over: &AtomicBool, [all, slow]: [&AtomicU64; 2]) {
    let Pair { client, server } = pair;
    for round in 1_u64.. {
        if is_over.load(Relaxed) {
            return;
        }
        let began = Instant::now();
        client.write_all(&[0; 100]).unwrap();
        server.read_exact(&mut [0; 100]).unwrap();
        if round.is_multiple_of(EVERY) {
            std::thread::sleep(SLOW);
        }
        server.write_all(&[0; 200]).unwrap();
        client.read_exact(&mut [0; 200]).unwrap();
        all.fetch_add(1, Relaxed);
        if began.elapsed() >= SEEN_AS_SLOW {
            slow.fetch_add(1, Relaxed);
        }
    }
}

#[test]
fn exchanges_of_busy_connections_stand_for_others_and_slow_ones_for_themselves() {
    needs!(RESPONSES);
    let stage = stage!("a", "b");
    let mut scene = busy(&stage);
    let mut pairs: Vec<Pair> = (0..CONNECTIONS).map(|_| scene.connect()).collect();
    let (is_over, all, slow) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let (before, after) = std::thread::scope(|scope| {
        let _over = Over(&is_over);
        for pair in &mut pairs {
            scope.spawn(|| keep_busy(pair, &is_over, [&all, &slow]));
        }
        let second = || std::thread::sleep(Duration::from_secs(1));
        wait_until("exchanges are left out", || {
            second();
            scene.watch.read();
            scene.watch.source.loaded().pace_us() > 0
        });
        // Until the pace fits, and walks know what each connection stands for.
        for _ in 0..6 {
            second();
            scene.watch.read();
        }
        let mut counts = || ([all.load(Relaxed), slow.load(Relaxed)], Role::ALL.map(|role| scene.of(role)));
        let before = counts();
        (0..6).for_each(|_| second());
        (before, counts())
    });
    let [truth, slow] = [after.0[0] - before.0[0], after.0[1] - before.0[1]];
    for ((role, mut times), before) in Role::ALL.into_iter().zip(after.1).zip(&before.1) {
        times.subtract(before);
        let (role, count) = (role.label(), times.durations.count());
        // Of a sum of independent weights; a little passes between the two clocks.
        let error = (times.squares as f64).sqrt() / truth as f64;
        println!("{role}: {count} of {truth} counted, standard error {error:.4}");
        assert!(times.squares > count * 3 / 2, "{role}: exchanges stand for others: {times:?}");
        assert!(error < 0.1, "{role}: enough are counted: {times:?}");
        assert!((count as f64 / truth as f64 - 1.0).abs() < 4.0 * error + 0.03, "{role}: {count} of {truth}");
        let counted = count - times.durations.count_up_to(FAST_US);
        let room = 2 * CONNECTIONS as u64 + slow / 10;
        assert!(counted.abs_diff(slow) <= room, "{role}: {counted} of {slow} slow exchanges");
    }
}

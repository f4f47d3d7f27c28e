use super::*;
use std::{
    fs::File,
    sync::atomic::{AtomicU64, Ordering},
};

const SHORT: Timing = Timing { thread: "test", period: Duration::from_millis(2), is_jittered: true };

/// Attaches nothing, and counts how often.
fn counted() -> (Arc<Attach>, Arc<AtomicU64>) {
    let calls = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&calls);
    let attach = move || {
        counter.fetch_add(1, Ordering::Relaxed);
        Ok(OwnedFd::from(File::open("/dev/null")?))
    };
    (Arc::new(attach), calls)
}

/// Starts until it fails, and returns the error.
fn first_error(probe: &mut DutyProbe) -> io::Error {
    let began = Instant::now();
    loop {
        if let Err(error) = probe.start() {
            return error;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "no failure in 10 s");
        thread::yield_now();
    }
}

#[test]
fn a_duty_cycle_keeps_its_share_and_its_totals_add_up() {
    for (n, share) in [(8, 0.125), (32, 0.031_25)] {
        let (attach, calls) = counted();
        let mut probe = DutyProbe::new(attach, SHORT);
        probe.set(Some(DutyCycle::one_in(n)));
        probe.start().unwrap();
        let began = Instant::now();
        // Enough periods for the jitter to average out. Each has its gap: a busy machine makes some far longer.
        while calls.load(Ordering::Relaxed) <= 40 {
            assert!(began.elapsed() < Duration::from_secs(180), "{:?}", probe.stats());
            thread::sleep(SHORT.period);
        }
        probe.pause();
        let (stats, elapsed) = (probe.stats(), began.elapsed());
        let measured = stats.attached.as_secs_f64() / elapsed.as_secs_f64();
        assert!((share * 0.6..share * 1.6).contains(&measured), "1/{n}: {measured} with {stats:?}");
        assert_eq!((stats.periods, stats.failures), (calls.load(Ordering::Relaxed), 0));
        assert!(
            stats.attached >= SHORT.period * (stats.periods as u32 - 1),
            "the last period may be cut short: {stats:?}"
        );
    }
}

#[test]
fn without_jitter_the_first_period_begins_at_once() {
    let (attach, calls) = counted();
    let mut probe = DutyProbe::new(attach, Timing { is_jittered: false, period: Duration::from_millis(50), ..SHORT });
    probe.set(Some(DutyCycle::one_in(1_000)));
    probe.start().unwrap();
    let began = Instant::now();
    while probe.stats().periods == 0 {
        assert!(began.elapsed() < Duration::from_secs(10));
        thread::yield_now();
    }
    probe.pause();
    assert_eq!((calls.load(Ordering::Relaxed), probe.stats().periods), (1, 1));
}

#[test]
fn a_paused_probe_is_detached_and_its_totals_stand_still() {
    let (attach, calls) = counted();
    let mut probe = DutyProbe::new(attach, SHORT);
    for cycle in [DutyCycle::CONTINUOUS, DutyCycle::one_in(2)] {
        probe.set(Some(cycle));
        probe.resume().unwrap();
        probe.pause();
        let before = (probe.stats(), calls.load(Ordering::Relaxed));
        probe.start().unwrap();
        assert!(matches!(probe.link, Link::Detached));
        assert_eq!((probe.stats(), calls.load(Ordering::Relaxed)), before);
    }
    probe.set(None);
    probe.resume().unwrap();
    assert!(matches!(probe.link, Link::Detached));
}

#[test]
fn time_attached_all_the_time_is_counted_once() {
    let (attach, calls) = counted();
    let mut probe = DutyProbe::new(attach, SHORT);
    let began = Instant::now();
    probe.set(Some(DutyCycle::CONTINUOUS));
    probe.start().unwrap();
    let first = probe.stats().attached;
    probe.set(Some(DutyCycle::one_in(8)));
    let second = probe.stats().attached;
    assert!(first <= second && second <= began.elapsed());
    assert_eq!((calls.load(Ordering::Relaxed), probe.stats().periods), (1, 0));
}

#[test]
fn a_refusal_is_counted_and_reported_once_with_its_kind() {
    let mut probe = DutyProbe::new(Arc::new(|| Err(io::Error::from_raw_os_error(libc::EPERM))), SHORT);
    probe.set(Some(DutyCycle::one_in(1_000)));
    assert_eq!(first_error(&mut probe).raw_os_error(), Some(libc::EPERM));
    probe.pause();
    assert_eq!((probe.stats().failures, probe.stats().periods), (1, 0));
    assert!(probe.start().is_ok(), "reported already");
    assert_eq!(probe.check().unwrap_err().raw_os_error(), Some(libc::EPERM));
}

#[test]
fn a_thread_that_panics_is_reported_and_runs_again() {
    let (working, calls) = counted();
    let panics = AtomicU64::new(2);
    let attach = move || {
        let left = panics.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        assert!(left.is_err(), "on purpose");
        working()
    };
    let mut probe = DutyProbe::new(Arc::new(attach), SHORT);
    probe.set(Some(DutyCycle::one_in(8)));
    for failures in [1, 2] {
        assert_eq!(first_error(&mut probe).to_string(), "the thread test panicked: on purpose");
        assert_eq!(probe.stats().failures, failures);
    }
    let began = Instant::now();
    while probe.stats().periods < 2 {
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", probe.stats());
        probe.start().unwrap();
        thread::yield_now();
    }
    probe.pause();
    assert_eq!((probe.stats().failures, probe.stats().periods), (2, calls.load(Ordering::Relaxed)));
}

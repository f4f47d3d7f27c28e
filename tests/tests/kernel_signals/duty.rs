//! The RTT probe on a duty cycle, as on a machine that receives very many segments.

use crate::{
    socket::{Flow, Pair},
    stage::{LIVING, Options, PATIENCE, Stage, Watch, id, stage},
};
use netwhy_abi::DutyCycle;
use netwhy_agent::kernel::Loaded;
use std::time::{Duration, Instant};

/// An agent whose RTT probe runs on a duty cycle at any segment rate, after its first duty period.
fn watch_on_duty_cycle(stage: &Stage) -> Watch {
    watch_with(stage, Options::default())
}

fn watch_with(stage: &Stage, options: Options) -> Watch {
    let mut watch = stage.watch_with(Options { rtt_duty_above: 0, ..options });
    let began = Instant::now();
    loop {
        watch.read();
        let stats = watch.source.loaded().rtt_stats().unwrap();
        if stats.periods > 0 {
            assert!(stats.is_reduced);
            return watch;
        }
        assert!(began.elapsed() < PATIENCE, "no duty period in {PATIENCE:?}: {stats:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_busy_connection_on_a_duty_cycle_of_an_eighth_still_gives_samples() {
    let stage = stage!("a", "b");
    let mut watch = watch_on_duty_cycle(&stage);
    let busy = keep_busy(&stage, &mut watch, Duration::from_secs(3));
    assert_eq!(busy.duty_cycle, DutyCycle::one_in(8));
    // Other work on the machine makes duty periods longer; the gaps follow.
    assert!((0.04..0.3).contains(&busy.share), "{busy:?}");
    assert!(busy.periods >= 3, "{busy:?}");
    for samples in busy.samples {
        let (samples, expected) = (samples as f64, busy.exchanges as f64 / distance());
        assert!(samples > expected / 5.0, "{samples} samples of one socket: {busy:?}");
        assert!(samples < 50.0 + expected * 8.0, "{samples} samples of one socket: {busy:?}");
    }
}

#[test]
fn a_busy_connection_on_the_low_duty_cycle_still_gives_samples() {
    let stage = stage!("a", "b");
    let mut watch = watch_with(&stage, Options { rtt_low_duty_above: 0, ..Options::default() });
    let busy = keep_busy(&stage, &mut watch, Duration::from_secs(12));
    assert_eq!(busy.duty_cycle, DutyCycle::one_in(32));
    // Four to twelve duty periods: gaps vary by half.
    assert!((0.01..0.08).contains(&busy.share), "{busy:?}");
    assert!(busy.periods >= 2, "{busy:?}");
    for samples in busy.samples {
        let (samples, expected) = (samples as f64, busy.exchanges as f64 / distance() / 4.0);
        assert!(samples > expected / 5.0, "{samples} samples of one socket: {busy:?}");
        assert!(samples < 50.0 + expected * 8.0, "{samples} samples of one socket: {busy:?}");
    }
}

/// Exchanges for each sample of a busy connection: sampled 1 in 16, and 1 in 16 of those stays while the socket is busy.
/// Without storage nobody knows that it is, and all stay.
fn distance() -> f64 {
    if LIVING.is_lacking() { 16.0 } else { 256.0 }
}

/// Figures of a busy connection.
#[derive(Debug)]
struct Busy {
    duty_cycle: DutyCycle,
    /// Measured share of the time that the probe was attached.
    share: f64,
    periods: u64,
    exchanges: u64,
    /// RTT samples of the client and of the server.
    samples: [u64; 2],
}

fn keep_busy(stage: &Stage, watch: &mut Watch, duration: Duration) -> Busy {
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let mut pair = Pair::open(stage, &client, &listener, stage.address(&server, &listener));
    let before = watch.source.loaded().rtt_stats().unwrap();
    let (began, mut exchanges) = (Instant::now(), 0u64);
    while began.elapsed() < duration {
        for _ in 0..100 {
            pair.exchange(100, 100);
        }
        exchanges += 100;
    }
    let (after, elapsed) = (watch.source.loaded().rtt_stats().unwrap(), began.elapsed().as_secs_f64());
    watch.read();
    assert_eq!(after.failures, 0);
    Busy {
        duty_cycle: DutyCycle::one_in(after.divisor),
        share: (after.attached_seconds - before.attached_seconds) / elapsed,
        periods: after.periods - before.periods,
        exchanges,
        samples: [&client, &server].map(|pod| watch.of(id(pod)).rtt.count()),
    }
}

#[test]
fn connections_that_live_in_the_gap_between_two_duty_periods_are_counted_whole() {
    let stage = stage!("a", "b");
    let mut watch = watch_on_duty_cycle(&stage);
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let to = stage.address(&server, &listener);
    let (mut at_client, mut at_server) = (Flow::default(), Flow::default());
    // Far more segments than make an unsampled socket look older than the agent while the probe is attached all the
    // time.
    for _ in 0..12 {
        let mut pair = Pair::open(&stage, &client, &listener, to);
        pair.bulk(16 << 20);
        let (client, server) = pair.finish();
        at_client += client;
        at_server += server;
    }
    watch.read();
    assert_eq!(Flow::from(watch.of(id(&client))), at_client);
    assert_eq!(Flow::from(watch.of(id(&server))), at_server);
}

#[test]
fn the_rtt_probe_stays_off_while_the_agent_is_detached() {
    let stage = stage!("a");
    stays_off_while_detached(watch_on_duty_cycle(&stage), |loaded| {
        let stats = loaded.rtt_stats().unwrap();
        (stats.periods, stats.attached_seconds)
    });
}

/// `totals`: number of duty periods so far, and their length.
pub(crate) fn stays_off_while_detached(mut watch: Watch, totals: fn(&Loaded) -> (u64, f64)) {
    watch.source.loaded_mut().detach();
    let before = totals(watch.source.loaded());
    std::thread::sleep(Duration::from_millis(600));
    watch.read();
    let after = totals(watch.source.loaded());
    assert_eq!(after, before);
    watch.source.loaded_mut().attach().unwrap();
    std::thread::sleep(Duration::from_secs(2));
    let again = totals(watch.source.loaded());
    assert!(again.0 > after.0, "{after:?}, {again:?}");
}

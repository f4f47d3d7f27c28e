//! Received segments that are looked at in windows only, as on a machine that receives very many.

use crate::{
    socket::{Flow, Pair},
    stage::{Options, Stage, Watch, id, stage},
};
use netwhy_agent::kernel::Loaded;
use std::time::{Duration, Instant};

/// An agent that uses windows however few segments there are, and does so already.
fn watch_in_windows(stage: &Stage) -> Watch {
    watching_in_windows(stage, Options::default())
}

fn watching_in_windows(stage: &Stage, options: Options) -> Watch {
    let mut watch = stage.watch_with(Options { rtt_windows_above: 0, ..options });
    let began = Instant::now();
    loop {
        watch.read();
        let stats = watch.source.loaded().rtt_stats().unwrap();
        if stats.windows > 0 {
            assert!(stats.part > 1);
            return watch;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "no window in 10 s: {stats:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_busy_connection_is_looked_at_an_eighth_of_the_time_and_still_gives_samples() {
    let stage = stage!("a", "b");
    let mut watch = watch_in_windows(&stage);
    let busy = keep_busy(&stage, &mut watch, Duration::from_secs(3));
    assert_eq!(busy.part, 8);
    // Other work on the machine makes windows longer; the gaps follow.
    assert!((0.04..0.3).contains(&busy.share), "{busy:?}");
    assert!(busy.windows >= 3, "{busy:?}");
    for samples in busy.samples {
        // One in sixteen in the long run, a sixteenth of that while the socket is busy: one in 256.
        let (samples, expected) = (samples as f64, busy.exchanges as f64 / 256.0);
        assert!(samples > expected / 5.0, "{samples} samples of one socket: {busy:?}");
        assert!(samples < 50.0 + expected * 8.0, "{samples} samples of one socket: {busy:?}");
    }
}

#[test]
fn windows_are_rare_where_there_are_very_many_segments_and_still_give_samples() {
    let stage = stage!("a", "b");
    let mut watch = watching_in_windows(&stage, Options { rtt_rare_above: 0, ..Options::default() });
    let busy = keep_busy(&stage, &mut watch, Duration::from_secs(12));
    assert_eq!(busy.part, 32);
    // Four to twelve windows: gaps vary by half.
    assert!((0.01..0.08).contains(&busy.share), "{busy:?}");
    assert!(busy.windows >= 2, "{busy:?}");
    for samples in busy.samples {
        let (samples, expected) = (samples as f64, busy.exchanges as f64 / 256.0 / 4.0);
        assert!(samples > expected / 5.0, "{samples} samples of one socket: {busy:?}");
        assert!(samples < 50.0 + expected * 8.0, "{samples} samples of one socket: {busy:?}");
    }
}

/// What an agent saw of a connection that was busy for a while.
#[derive(Debug)]
struct Busy {
    part: u32,
    /// Of the time, in which segments were looked at.
    share: f64,
    windows: u64,
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
        part: after.part,
        share: (after.attached_seconds - before.attached_seconds) / elapsed,
        windows: after.windows - before.windows,
        exchanges,
        samples: [&client, &server].map(|pod| watch.of(id(pod)).rtt.count()),
    }
}

#[test]
fn connections_that_live_between_two_windows_are_counted_whole() {
    let stage = stage!("a", "b");
    let mut watch = watch_in_windows(&stage);
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let to = stage.address(&server, &listener);
    let (mut at_client, mut at_server) = (Flow::default(), Flow::default());
    // Far more segments each than make an unseen socket look older than the agent where all are looked at.
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
fn windows_end_when_the_agent_lets_go() {
    let stage = stage!("a");
    looks_at_nothing_while_detached(watch_in_windows(&stage), |loaded| {
        let stats = loaded.rtt_stats().unwrap();
        (stats.windows, stats.attached_seconds)
    });
}

/// `windows`: how many there were so far, and for how long.
pub(crate) fn looks_at_nothing_while_detached(mut watch: Watch, windows: fn(&Loaded) -> (u64, f64)) {
    watch.source.loaded_mut().detach();
    let before = windows(watch.source.loaded());
    std::thread::sleep(Duration::from_millis(600));
    watch.read();
    let after = windows(watch.source.loaded());
    assert_eq!(after, before);
    watch.source.loaded_mut().attach().unwrap();
    std::thread::sleep(Duration::from_secs(2));
    let again = windows(watch.source.loaded());
    assert!(again.0 > after.0, "{after:?}, {again:?}");
}

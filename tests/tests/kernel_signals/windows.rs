//! Received segments that are looked at in windows only, as on a machine that receives very many.

use crate::{
    socket::{Flow, Pair},
    stage::{Options, Stage, Watch, id, stage},
};
use std::time::{Duration, Instant};

/// An agent that uses windows however few segments there are, and does so already.
fn watch_in_windows(stage: &Stage) -> Watch {
    let mut watch = stage.watch_with(Options { rtt_windows_above: 0, ..Options::default() });
    let began = Instant::now();
    loop {
        watch.read();
        let stats = watch.source.loaded().rtt_stats().unwrap();
        if stats.windows > 0 {
            assert!(stats.in_windows);
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
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let mut pair = Pair::open(&stage, &client, &listener, stage.address(&server, &listener));
    let before = watch.source.loaded().rtt_stats().unwrap();
    let (began, mut exchanges) = (Instant::now(), 0u64);
    while began.elapsed() < Duration::from_secs(3) {
        for _ in 0..100 {
            pair.exchange(100, 100);
        }
        exchanges += 100;
    }
    let (after, elapsed) = (watch.source.loaded().rtt_stats().unwrap(), began.elapsed().as_secs_f64());
    watch.read();
    let share = (after.attached_seconds - before.attached_seconds) / elapsed;
    // Other work on the machine makes windows longer; the gaps follow.
    assert!((0.04..0.3).contains(&share), "attached {share:.3} of the time: {before:?}, {after:?}");
    assert!(after.windows >= before.windows + 3, "{before:?}, {after:?}");
    assert_eq!(after.failures, 0);
    for pod in [&client, &server] {
        // One in sixteen in the long run, a sixteenth of that while the socket is busy: one in 256.
        let (samples, expected) = (watch.of(id(pod)).rtt.count() as f64, exchanges as f64 / 256.0);
        assert!(samples > expected / 5.0, "{samples} samples in {exchanges} exchanges");
        assert!(samples < 50.0 + expected * 8.0, "{samples} samples in {exchanges} exchanges");
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
    let mut watch = watch_in_windows(&stage);
    watch.source.loaded_mut().detach();
    let before = watch.source.loaded().rtt_stats().unwrap();
    std::thread::sleep(Duration::from_millis(600));
    watch.read();
    let after = watch.source.loaded().rtt_stats().unwrap();
    assert_eq!((after.windows, after.attached_seconds), (before.windows, before.attached_seconds));
    watch.source.loaded_mut().attach().unwrap();
    std::thread::sleep(Duration::from_secs(2));
    let again = watch.source.loaded().rtt_stats().unwrap();
    assert!(again.in_windows && again.windows > after.windows, "{after:?}, {again:?}");
}

//! Sampled calls stand for all requests.

use super::{
    nginx::{Nginx, start, url},
    scene::Scene,
};
use crate::stage::{Options, needs, stage, wait_until};
use netwhy_abi::{Counter, Role};
use netwhy_agent::{
    app,
    config::{Config, cli},
    pipeline::Pipeline,
    sample::SampleSource as _,
    state::NodeView,
};
use std::{ffi::OsString, time::Duration};

/// The whole machine's other traffic must not choose connections.
const CONFIG: &str = "signals:\n  responses: \"on\"\n  http: \"on\"\nsampling:\n  rtt_windows_above: 1000000000\n";

/// Calls of one end, and those of them that failed.
fn count(view: &NodeView, role: Role) -> (u64, u64) {
    let calls = view.subjects.iter().filter_map(|subject| subject.sums.calls.as_ref());
    calls.map(|calls| calls.count(role)).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
}

#[test]
fn a_twentieth_of_the_requests_of_wrk_gives_their_number() {
    needs!(HTTP);
    let stage = stage!("a", "b");
    let scene = Scene::with(&stage, Options { modes: &[], ..Options::default() });
    let _nginx = Nginx::start(&scene, "estimates");
    let args = ["netwhy-agent".into(), "--cgroup-root".into(), OsString::from(stage.lab.cgroups().root())];
    let cli = cli::parse(&args, |_| None).unwrap();
    let config = Config::parse(CONFIG, "test").unwrap();
    let (mut source, _) = app::open(&cli, &config).map_err(|failure| failure.error).unwrap();
    let mut pipeline = Pipeline::new("", &config);
    let mut take = || {
        let snapshot = source.sample().unwrap().unwrap();
        (pipeline.take(&snapshot), snapshot.counters)
    };
    take();
    let line = ["wrk", "-t", "1", "-c", "4", "-d", "6s", &url(&scene, "/orders/4711")];
    let mut wrk = start(&scene, &scene.client, &line);
    while wrk.wait(Duration::from_millis(250)).is_err() {
        take();
    }
    let text = wrk.stray_lines().join("\n");
    let (before, _) = text.split_once(" requests in ").unwrap();
    let requests: f64 = before.split_whitespace().last().unwrap().parse().unwrap();
    let mut last = take();
    for role in Role::ALL {
        // Those after the last call wait for the next one.
        wait_until("most requests are counted", || {
            last = take();
            count(&last.0, role).0 as f64 > 0.8 * requests
        });
        let (calls, errors) = count(&last.0, role);
        println!("{calls} calls of the {} for {requests} requests", role.label());
        assert!((0.8 * requests..1.03 * requests).contains(&(calls as f64)), "{calls} for {requests}: {:?}", last.1);
        assert_eq!(errors, 0);
    }
    assert_eq!(last.1[Counter::HeadsLost as usize], 0);
    assert!(last.1[Counter::HeadsLimited as usize] > 0, "thousands of requests a second");
}

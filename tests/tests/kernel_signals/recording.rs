//! A recording of real traffic gives what the running agent gave, every time.

use crate::{
    socket::Pair,
    stage::{id, stage},
};
use netwhy_agent::{
    app,
    config::{
        Config,
        cli::{self, ReplayFormat},
    },
    pipeline::Pipeline,
    replay::{Replayed, render, replay},
    sample::{Header, Recorder, Recording, SampleSource as _},
};
use std::{ffi::OsString, sync::Arc, time::Duration};

#[test]
fn replays_of_real_traffic_equal_each_other_and_the_live_pipeline() {
    let stage = stage!("a", "b");
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let root = stage.lab.cgroups().root();
    let args = ["netwhy-agent".into(), "--cgroup-root".into(), OsString::from(root), "--kube=off".into()];
    let cli = cli::parse(&args, |_| None).unwrap();
    let config = Config::default();
    let (mut source, peers) = app::open(&cli, &config).map_err(|failure| failure.error).unwrap();
    let header = Header {
        node: "lab".to_owned(),
        drop_reasons: source.loaded().drop_reasons.clone(),
        prefixes: peers.prefixes().into_iter().map(|(addr, bits, class)| (addr, bits, class as u32)).collect(),
        ..Header::default()
    };
    let mut recorder = Recorder::begin(Vec::new(), "test", &header).unwrap();
    let mut live = Pipeline::new(&header.node, &config);
    live.set_peers(Arc::new(peers));
    live.set_drop_reasons(Arc::new(header.drop_reasons.clone()));
    let mut seen = Replayed { view: Arc::default(), changes: Vec::new(), snapshots: 0 };
    let to = stage.address(&server, &listener);
    let mut pair = Pair::open(&stage, &client, &listener, to);
    let mut begin = None;
    while seen.view.at.saturating_sub(begin.unwrap_or(seen.view.at)) < Duration::from_secs(5) {
        for _ in 0..50 {
            pair.exchange(200, 2_000);
            Pair::open(&stage, &client, &listener, to).finish();
        }
        let snapshot = source.sample().unwrap().unwrap();
        recorder.push(&snapshot).unwrap();
        let view = live.take(&snapshot);
        let since = view.at.saturating_sub(*begin.get_or_insert(view.at));
        for hint in &view.hints {
            let before = seen.view.hints.iter().find(|h| h.id == hint.id).map(|h| h.state);
            if before != Some(hint.state) {
                seen.changes.push((since, hint.clone()));
            }
        }
        seen.view = Arc::new(view);
        seen.snapshots += 1;
    }
    let bytes = recorder.finish().unwrap();
    let again = || replay(Recording::read(bytes.as_slice(), "test").unwrap(), &config).unwrap();
    let (first, second) = (again(), again());
    for format in [ReplayFormat::Json, ReplayFormat::Metrics, ReplayFormat::Table] {
        let text = render(&first, format).unwrap();
        assert_eq!(text, render(&second, format).unwrap(), "two replays");
        assert_eq!(text, render(&seen, format).unwrap(), "replay and live");
    }
    let json = render(&first, ReplayFormat::Json).unwrap();
    for pod in [&client, &server] {
        assert!(json.contains(&format!("{}/{}", pod.node, pod.name)), "{} is in it: {json}", id(pod));
    }
}

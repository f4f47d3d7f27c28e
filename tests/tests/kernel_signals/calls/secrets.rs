//! Secrets that are sent beside method, path and status are nowhere: not in metrics, answers, logs and recordings.

use super::{
    nginx::{Nginx, curl, url},
    scene::Scene,
};
use crate::{
    program::{Agent, Scratch},
    stage::{Options, needs, stage, wait_until},
};
use netwhy_agent::{
    app,
    config::{
        Config,
        cli::{self, ReplayFormat},
    },
    pipeline::Pipeline,
    replay::{render, replay},
    sample::{Header, Recorder, Recording, SampleSource as _},
};

use std::{ffi::OsString, fs, process::Command};

const SECRET: &str = "hunter2-of-the-test";
const CONFIG: &str = "signals:\n  responses: \"on\"\n  http: \"on\"\nsampling:\n  http: 1\n";

/// Requests with a secret in query, header and body.
fn traffic(scene: &Scene<'_>) {
    let (query, header) = (format!("?token={SECRET}"), format!("Authorization: Bearer {SECRET}"));
    let body = format!("password={SECRET}");
    for _ in 0..5 {
        let to = url(scene, &format!("/orders/4711{query}"));
        curl(scene, &["-H", &header, &to, "-o", "/dev/null", &to]);
        curl(scene, &["-H", &header, "--data", &body, &url(scene, &format!("/broken{query}"))]);
    }
}

/// Off, so that only the agent under test observes.
fn unobserved() -> Options {
    Options { modes: &[], ..Options::default() }
}

#[track_caller]
pub(super) fn is_clean(what: &str, text: &str) {
    assert!(!text.contains("hunter2"), "{what} has a secret: {text}");
}

#[test]
fn metrics_answers_and_logs_of_an_agent_have_no_secret() {
    needs!(HTTP);
    let stage = stage!("a", "b");
    let scratch = Scratch::new("secrets");
    fs::write(scratch.file("config.yaml"), CONFIG).unwrap();
    let scene = Scene::with(&stage, unobserved());
    let _nginx = Nginx::start(&scene, "secrets_nginx");
    let config = scratch.file("config.yaml");
    let args = ["--config".as_ref(), config.as_os_str()];
    let agent = Agent::start_by(&stage, &args, |command| {
        // Everything that it could say.
        let words = command.get_args().map(|word| if word == "error" { "trace".as_ref() } else { word });
        let mut talkative = Command::new(command.get_program());
        let errors = fs::File::create(scratch.file("log")).unwrap();
        talkative.args(words).stdout(errors.try_clone().unwrap()).stderr(errors).spawn()
    });
    traffic(&scene);
    let route = "route=\"/orders/:id\"";
    wait_until("both ends' calls are in the metrics", || {
        let of = |role: &str| agent.sum("netwhy_http_request_seconds_count", &[route, role, "status=\"201\""]);
        of("role=\"server\"") >= 10.0 && of("role=\"client\"") >= 5.0
    });
    assert!(agent.sum("netwhy_http_request_seconds_count", &["method=\"POST\"", "status=\"503\""]) >= 5.0);
    assert!(agent.sum("netwhy_http_requests_estimated_total", &["role=\"server\""]) >= 15.0);
    assert!(agent.sum("netwhy_tcp_payload_readable_ratio", &["server"]) > 0.5);
    is_clean("/metrics", &agent.metrics());
    for path in ["pods", "edges", "node", "hints", "info"] {
        let (status, text) = agent.get(&format!("/api/v1/{path}"), "*/*").unwrap();
        assert_eq!(status, 200, "{path}");
        is_clean(path, &text);
    }
    drop(agent);
    is_clean("the log", &fs::read_to_string(scratch.file("log")).unwrap());
}

#[test]
fn recordings_have_no_secret_and_replay_to_the_same_calls() {
    needs!(HTTP);
    let stage = stage!("a", "b");
    let scene = Scene::with(&stage, unobserved());
    let _nginx = Nginx::start(&scene, "recordings_nginx");
    let args = ["netwhy-agent".into(), "--cgroup-root".into(), OsString::from(stage.lab.cgroups().root())];
    let cli = cli::parse(&args, |_| None).unwrap();
    let config = Config::parse(CONFIG, "test").unwrap();
    let (mut source, _) = app::open(&cli, &config).map_err(|failure| failure.error).unwrap();
    let mut recorder = Recorder::begin(Vec::new(), "test", &Header::default()).unwrap();
    let mut live = Pipeline::new("", &config);
    traffic(&scene);
    let mut view = None;
    wait_until("the calls are read", || {
        let snapshot = source.sample().unwrap().unwrap();
        recorder.push(&snapshot).unwrap();
        let taken = view.insert(live.take(&snapshot));
        let calls = taken.subjects.iter().filter_map(|subject| subject.sums.calls.as_ref());
        calls.map(|calls| calls.count(netwhy_abi::Role::Server).0).sum::<u64>() >= 15
    });
    let bytes = recorder.finish().unwrap();
    let text = String::from_utf8(bytes).unwrap();
    is_clean("the recording", &text);
    assert!(text.contains("\"/orders/:id\""), "{text}");
    let replayed = replay(Recording::read(text.as_bytes(), "test").unwrap(), &config).unwrap();
    let metrics = render(&replayed, ReplayFormat::Metrics).unwrap();
    assert!(metrics.contains("route=\"/orders/:id\",status=\"201\""), "{metrics}");
    let view = view.unwrap();
    for subject in &view.subjects {
        let again = replayed.view.subjects.iter().find(|other| other.id == subject.id);
        assert_eq!(again.and_then(|again| again.sums.calls.clone()), subject.sums.calls, "{:?}", subject.id);
    }
    for format in [ReplayFormat::Json, ReplayFormat::Table, ReplayFormat::Metrics] {
        is_clean("the replay", &render(&replayed, format).unwrap());
    }
}

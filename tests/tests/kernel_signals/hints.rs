//! Hints about requests, from real sockets to the judged view, with `signals.responses: on`.
//!
//! With `NETWHY_RECORD` in the environment each test writes its recording to that directory.

use crate::stage::{PATIENCE, Stage, needs, stage};
use netwhy_agent::{
    api::{BlameKind, Hint, HintState},
    app,
    config::{Config, cli},
    pipeline::Pipeline,
    sample::{Header, Recorder, SampleSource},
};
use netwhy_tests::lab::Program;
use rustix::process::{Pid, Signal, kill_process};
use std::{
    ffi::OsString,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

const TICK: Duration = Duration::from_secs(1);
/// Time in which an agent learns what is normal.
const LEARN: Duration = Duration::from_secs(25);
/// Time in which a hint must come. On a quiet machine it comes within 5 s.
const HINT: Duration = Duration::from_secs(12);

/// The causes that these tests are about.
const CAUSES: [&str; 4] = ["peer_not_answering", "pod_not_reading", "peer_slow", "pod_application_slow"];

/// A client that asks two servers, and an agent that judges all three.
struct Scene {
    agent: Box<dyn SampleSource>,
    live: Pipeline,
    recorder: Recorder<Vec<u8>>,
    server: Program,
    /// Address of that server's Node.
    address: String,
    _others: [Program; 2],
}

impl Scene {
    /// `options`: of the first server. `rate`: requests per second over four connections to each server.
    fn open(stage: &Stage, options: &[&str], rate: &str) -> Self {
        let ready = |program: Program| {
            program.wait_ready(PATIENCE).unwrap();
            program
        };
        let serve = |node: &str, pod: &str, options: &[&str]| {
            let args = [&["server", "--port", "8080", "--work-us", "200"], options].concat();
            ready(stage.lab.start(&stage.pod(node, pod), &args).unwrap())
        };
        let (server, other) = (serve("b", "api", options), serve("c", "cache", &[]));
        let [to_b, to_c] = ["b", "c"].map(|node| format!("{}:8080", stage.node(node).ipv4));
        let ask = ["client", "--to", &to_b, "--to", &to_c, "--connections", "4", "--rate", rate];
        let client = ready(stage.lab.start(&stage.pod("a", "cart"), &ask).unwrap());
        let args = ["netwhy-agent".into(), "--cgroup-root".into(), OsString::from(stage.lab.cgroups().root())];
        let cli = cli::parse(&[&args[..], &["--kube=off".into()]].concat(), |_| None).unwrap();
        let config = Config::parse("signals:\n  responses: on\n", "test").unwrap();
        let (source, peers) = app::open(&cli, &config).map_err(|failure| failure.error).unwrap();
        let header = Header {
            node: "lab".to_owned(),
            drop_reasons: source.loaded().drop_reasons.clone(),
            prefixes: peers.prefixes().into_iter().map(|(addr, bits, class)| (addr, bits, class as u32)).collect(),
            ..Header::default()
        };
        let mut live = Pipeline::new(&header.node, &config);
        live.set_peers(Arc::new(peers));
        Self {
            agent: Box::new(source),
            live,
            recorder: Recorder::begin(Vec::new(), "test", &header).unwrap(),
            server,
            address: stage.node("b").ipv4.to_string(),
            _others: [other, client],
        }
    }

    /// A tick; gives the hints of [`CAUSES`] that fire.
    fn tick(&mut self) -> Vec<Hint> {
        std::thread::sleep(TICK);
        let snapshot = self.agent.sample().unwrap().unwrap();
        self.recorder.push(&snapshot).unwrap();
        let hints = self.live.take(&snapshot).hints;
        let firing = hints.into_iter().filter(|hint| hint.state == HintState::Firing);
        firing.filter(|hint| CAUSES.contains(&hint.cause.as_str())).collect()
    }

    /// Ticks for this long, and expects none of these hints.
    #[track_caller]
    fn is_silent(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            let hints = self.tick();
            assert!(hints.is_empty(), "{hints:#?}");
        }
    }

    /// Ticks until both causes have fired. Prints how long each took.
    #[track_caller]
    fn expect(&mut self, causes: [&str; 2]) -> [Hint; 2] {
        let begin = Instant::now();
        let mut found: [Option<Hint>; 2] = [None, None];
        while begin.elapsed() < HINT {
            for hint in self.tick() {
                let place = causes.iter().position(|cause| *cause == hint.cause);
                let place = place.unwrap_or_else(|| panic!("{hint:#?}"));
                if found[place].is_none() {
                    println!("{} after {:.1} s: {}", hint.cause, begin.elapsed().as_secs_f64(), hint.summary);
                    found[place] = Some(hint);
                }
            }
            if let [Some(first), Some(second)] = &found {
                return [first.clone(), second.clone()];
            }
        }
        panic!("{causes:?}: {found:#?}");
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.server.pid().cast_signed()).unwrap(), signal).unwrap();
    }

    fn end(self, name: &str) {
        let recording = self.recorder.finish().unwrap();
        if let Some(folder) = std::env::var_os("NETWHY_RECORD") {
            std::fs::write(PathBuf::from(folder).join(format!("{name}.jsonl")), recording).unwrap();
        }
    }
}

#[test]
fn a_stopped_server_is_named_by_both_ends_although_its_kernel_acknowledges() {
    needs!(RESPONSES);
    let stage = stage!("a", "b", "c");
    let mut scene = Scene::open(&stage, &[], "200");
    scene.is_silent(LEARN);
    scene.signal(Signal::STOP);
    let [peer, own] = scene.expect(["peer_not_answering", "pod_not_reading"]);
    scene.signal(Signal::CONT);
    assert_eq!((peer.blame.kind, &peer.blame.name), (BlameKind::PeerPod, &scene.address), "{peer:#?}");
    assert!(peer.subject.name.contains("cart") && peer.blame.alternatives.is_empty(), "{peer:#?}");
    assert_eq!((own.blame.kind, &own.blame.name), (BlameKind::Pod, &own.subject.name), "{own:#?}");
    assert!(own.subject.name.contains("api"), "{own:#?}");
    scene.end("stopped-server");
}

#[test]
fn a_server_that_is_slow_in_a_fifth_of_its_requests_is_named_by_both_ends() {
    needs!(RESPONSES);
    let stage = stage!("a", "b", "c");
    let mut scene = Scene::open(&stage, &[], "200");
    scene.is_silent(LEARN);
    scene.server.tell("slow 5 200000").unwrap();
    let [peer, own] = scene.expect(["peer_slow", "pod_application_slow"]);
    assert_eq!((peer.blame.kind, &peer.blame.name), (BlameKind::PeerPod, &scene.address), "{peer:#?}");
    assert!(peer.ruled_out.iter().any(|ruled| ruled.cause == "path_latency"), "{peer:#?}");
    assert_eq!((own.blame.kind, &own.blame.name), (BlameKind::Pod, &own.subject.name), "{own:#?}");
    assert!(own.subject.name.contains("api"), "{own:#?}");
    scene.end("slow-fifth");
}

#[test]
fn a_long_tail_that_was_always_there_is_silent() {
    needs!(RESPONSES);
    let stage = stage!("a", "b", "c");
    let mut scene = Scene::open(&stage, &["--slow-every", "11", "--slow-us", "200000"], "200");
    scene.is_silent(2 * LEARN);
    scene.end("steady-tail");
}

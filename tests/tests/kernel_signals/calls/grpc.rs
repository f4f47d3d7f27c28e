//! Calls of gRPC between a server and a client of Python's `grpcio`, against what the client's program says.

use super::{
    nginx::start,
    scene::{Scene, options, wait_for_delayed_ack},
    secrets::is_clean,
};
use crate::{
    program::{Agent, Scratch},
    stage::{Options, name_of, needs, stage, wait_until},
};
use netwhy_abi::Role;
use netwhy_agent::calls::{Code, Protocol};
use netwhy_tests::{
    grpc::{self, PROGRAM},
    lab::Program,
};
use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

const PORT: u16 = 50_051;
const TLS_PORT: u16 = 50_052;
/// Route of a call whose request was missed.
const UNKNOWN: &str = "/unknown/unknown";
/// How long the agent waits for the end of a call after it missed segments.
const GIVES_UP: Duration = Duration::from_secs(10);

/// Calls of every kind, one at a time and many at once.
const LINES: [&str; 7] = [
    "/shop.v1.Orders/Get 20 15 1",
    "/shop.v1.Orders/Missing 5 10 1",
    "/shop.v1.Stock/Closed 5 10 1",
    "/shop.v1.Stock/Watch 20 5 1",
    "/shop.v1.Stock/Broken 20 5 1",
    "/shop.v1.Orders/List 0 100 10",
    "/shop.v1.Orders/List 0 30 1",
];

/// Finds the Python of the peers. Prints that a test is skipped if there is none.
fn python(test: &str) -> Option<String> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
    let found = grpc::find(&workspace.join(target));
    if found.is_none() {
        println!("SKIP {test}: no gRPC: `cargo xtask test` installs it");
    }
    Some(found?.to_str().unwrap().to_owned())
}

/// A server in the server's Pod, and a client in the client's.
struct Peers {
    _server: Program,
    client: Program,
    /// Lines of the client that were read.
    read: usize,
}

/// A call as the client's program saw it.
#[derive(Clone, Debug)]
struct Asked {
    method: String,
    code: String,
    us: u64,
}

impl Peers {
    /// `files`: of a certificate and its key, for TLS.
    fn start(scene: &Scene<'_>, python: &str, port: u16, files: Option<[&str; 2]>) -> Self {
        let address = format!("{}:{port}", scene.stage.node(&scene.server.node).ipv4);
        let mut line = vec![python, "-c", PROGRAM, "server", &address];
        line.extend(files.into_iter().flatten());
        let server = start(scene, &scene.server, &line);
        wait_until("the server listens", || server.stray_lines().iter().any(|line| line == "ready"));
        let mut line = vec![python, "-c", PROGRAM, "client", &address];
        line.extend(files.map(|[certificate, _]| certificate));
        let client = start(scene, &scene.client, &line);
        Self { _server: server, client, read: 0 }
    }

    /// Makes calls, and says how they ended. `line`: as the program takes it.
    fn ask(&mut self, line: &str) -> Vec<Asked> {
        self.client.tell(line).unwrap();
        let mut lines = Vec::new();
        wait_until("the calls have ended", || {
            lines = self.client.stray_lines().split_off(self.read);
            lines.last().is_some_and(|line| line == "done")
        });
        self.read += lines.len();
        lines.pop();
        let asked = |line: &String| {
            let [method, code, us]: [&str; 3] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
            Asked { method: method.to_owned(), code: code.to_owned(), us: us.parse().unwrap() }
        };
        lines.iter().map(asked).collect()
    }
}

/// Calls by route and code.
type Counts = BTreeMap<(String, String), u64>;

fn truth(asked: &[Asked]) -> Counts {
    let mut counts = Counts::new();
    asked.iter().for_each(|one| *counts.entry((one.method.clone(), one.code.clone())).or_default() += 1);
    counts
}

/// Calls of gRPC that an agent saw at one end: all, and those with a duration.
fn seen(scene: &Scene<'_>, role: Role) -> (Counts, usize) {
    let mut counts = Counts::new();
    let mut timed = 0;
    for call in scene.calls(role) {
        let Protocol::Grpc(code) = call.protocol else { panic!("{call:?}") };
        *counts.entry((call.route.clone(), code.label().to_owned())).or_default() += 1;
        timed += usize::from(call.us.is_some());
    }
    (counts, timed)
}

/// Calls by one half of their keys.
fn by(counts: &Counts, half: impl Fn(&(String, String)) -> &String) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    counts.iter().for_each(|(key, n)| *sums.entry(half(key).clone()).or_default() += n);
    sums
}

fn is_known(code: &str) -> bool {
    ![Code::Undecoded.label(), Code::TrailersOnly.label()].contains(&code)
}

/// Nothing is said of calls that is not so.
#[track_caller]
fn is_true(role: Role, seen: &Counts, truth: &Counts) {
    let known = |(route, code): &(String, String)| (route != UNKNOWN, is_known(code));
    for (key, n) in seen.iter().filter(|(key, _)| known(key) == (true, true)) {
        let all = truth.get(key).copied().unwrap_or(0);
        assert!(*n <= all, "{} {n} of {all} {key:?}: {truth:?}", role.label());
    }
    let (routes, codes) = (by(truth, |key| &key.0), by(truth, |key| &key.1));
    for (route, n) in by(seen, |key| &key.0).iter().filter(|(route, _)| *route != UNKNOWN) {
        assert!(routes.get(route).is_some_and(|all| n <= all), "{} {n} {route}: {routes:?}", role.label());
    }
    for (code, n) in by(seen, |key| &key.1).iter().filter(|(code, _)| is_known(code)) {
        assert!(codes.get(code).is_some_and(|all| n <= all), "{} {n} {code}: {codes:?}", role.label());
    }
}

fn total(counts: &Counts) -> u64 {
    counts.values().sum()
}

/// One call more, after those whose end was missed are given up.
fn give_up(peers: &mut Peers) -> Vec<Asked> {
    thread::sleep(GIVES_UP);
    peers.ask("/shop.v1.Orders/Get 1 1 1")
}

#[test]
fn every_call_is_counted_and_nothing_wrong_is_said() {
    needs!(HTTP);
    let Some(python) = python(name_of(|| ())) else { return };
    let stage = stage!("a", "b");
    let mut scene = Scene::open(&stage);
    let mut peers = Peers::start(&scene, &python, PORT, None);
    let mut asked = Vec::new();
    for line in LINES {
        asked.extend(peers.ask(line));
        scene.read();
    }
    asked.extend(give_up(&mut peers));
    let truth = truth(&asked);
    for role in Role::ALL {
        wait_until("all calls are seen", || {
            scene.read();
            total(&seen(&scene, role).0) >= asked.len() as u64
        });
        let (seen, timed) = seen(&scene, role);
        println!("{}: {timed} of {} calls have a duration; {seen:?}", role.label(), asked.len());
        is_true(role, &seen, &truth);
        assert_eq!(total(&seen), asked.len() as u64, "{}: {seen:?}", role.label());
        match role {
            // It sees all answers, and every request is at the server's end.
            Role::Client => assert_eq!(by(&seen, |key| &key.1), by(&truth, |key| &key.1)),
            Role::Server => assert_eq!(by(&seen, |key| &key.0), by(&truth, |key| &key.0)),
        }
        assert!(timed * 10 >= asked.len() * 3, "{}: {timed}", role.label());
    }
}

#[test]
fn durations_are_those_of_the_calls() {
    const THINK_US: u64 = 100_000;
    needs!(HTTP);
    let Some(python) = python(name_of(|| ())) else { return };
    let stage = stage!("a", "b");
    let mut scene = Scene::open(&stage);
    let mut peers = Peers::start(&scene, &python, PORT, None);
    // On a busy machine the first ones of a program may be long too.
    let mut asked = peers.ask("/shop.v1.Orders/Get 1 3 1");
    asked.extend(peers.ask("/shop.v1.Orders/List 100 20 1"));
    let most = asked.iter().map(|one| one.us).max().unwrap();
    for role in Role::ALL {
        let timed = |scene: &Scene<'_>| {
            let times = scene.calls(role).into_iter().filter_map(|call| call.us);
            times.partition::<Vec<_>, _>(|us| *us >= THINK_US)
        };
        wait_until("calls are timed", || {
            scene.read();
            timed(&scene).0.len() >= 5
        });
        let (long, short) = timed(&scene);
        println!("{}: {long:?} and {short:?}, the client's program at most {most}", role.label());
        assert!(long.iter().all(|us| *us <= most), "{long:?} {most}");
        // Whether their names are known or not: those before.
        assert!(short.len() <= 3, "{short:?}");
    }
}

#[test]
fn a_call_beyond_its_deadline_is_not_ok() {
    needs!(HTTP);
    let Some(python) = python(name_of(|| ())) else { return };
    let stage = stage!("a", "b");
    let mut scene = Scene::open(&stage);
    let mut peers = Peers::start(&scene, &python, PORT, None);
    peers.ask("/shop.v1.Orders/Get 1 3 1");
    let asked = peers.ask("/shop.v1.Orders/List 600 10 1 200");
    assert!(asked.iter().all(|one| one.code == "DEADLINE_EXCEEDED"), "{asked:?}");
    give_up(&mut peers);
    for role in Role::ALL {
        let late =
            |counts: &Counts| -> u64 { counts.iter().filter(|((_, code), _)| code != "OK").map(|(_, n)| n).sum() };
        wait_until("late calls are seen", || {
            scene.read();
            late(&seen(&scene, role).0) >= 3
        });
        let (seen, _) = seen(&scene, role);
        println!("{}: {seen:?}", role.label());
        let codes = ["CANCELLED", "DEADLINE_EXCEEDED", "undecoded"];
        let mut named = seen.keys().filter(|(route, _)| route.ends_with("/List"));
        assert!(named.all(|(_, code)| codes.contains(&code.as_str())), "{seen:?}");
        // The four others, whether their names are known or not.
        assert!(total(&seen) - late(&seen) <= 4 && total(&seen) <= 14, "{seen:?}");
    }
}

#[test]
fn a_connection_that_was_joined_late_says_nothing_wrong() {
    needs!(HTTP);
    let Some(python) = python(name_of(|| ())) else { return };
    let stage = stage!("a", "b");
    let mut scene = Scene::with(&stage, unobserved());
    let mut peers = Peers::start(&scene, &python, PORT, None);
    LINES[..5].iter().for_each(|line| drop(peers.ask(line)));
    scene.watch = stage.watch_with(options());
    let mut asked = Vec::new();
    for line in &LINES[..5] {
        asked.extend(peers.ask(line));
        scene.read();
    }
    // No block of headers has named it before.
    asked.extend(peers.ask("/shop.v1.Orders/List 20 10 1"));
    asked.extend(give_up(&mut peers));
    let truth = truth(&asked);
    for role in Role::ALL {
        wait_until("calls are seen", || {
            scene.read();
            total(&seen(&scene, role).0) * 2 >= asked.len() as u64
        });
        let (seen, _) = seen(&scene, role);
        println!("{}: {seen:?} of {}", role.label(), asked.len());
        is_true(role, &seen, &truth);
        assert!(total(&seen) <= asked.len() as u64, "{seen:?}");
    }
    let (server, _) = seen(&scene, Role::Server);
    assert!(server.keys().any(|(route, _)| route.ends_with("/List")), "{server:?}");
}

/// Off: nothing is observed.
fn unobserved() -> Options {
    Options { modes: &[], ..Options::default() }
}

#[test]
fn nothing_of_encrypted_calls_is_copied() {
    needs!(HTTP);
    let Some(python) = python(name_of(|| ())) else { return };
    let stage = stage!("a", "b");
    let mut scene = Scene::open(&stage);
    let scratch = Scratch::new("grpc_tls");
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["server".to_owned()]).unwrap().self_signed(&key).unwrap();
    let files = [("certificate.pem", certificate.pem()), ("key.pem", key.serialize_pem())].map(|(name, text)| {
        fs::write(scratch.file(name), text).unwrap();
        scratch.file(name).to_str().unwrap().to_owned()
    });
    // A port that speaks HTTP/2 in clear text is beside it.
    let mut clear = Peers::start(&scene, &python, PORT, None);
    clear.ask("/shop.v1.Orders/Get 1 5 1");
    let mut copied = 0;
    wait_for_delayed_ack();
    scene.watch.source.loaded_mut().read_heads(|_| copied += 1);
    assert!(copied > 0);
    drop(clear);
    wait_for_delayed_ack();
    scene.watch.source.loaded_mut().read_heads(|_| ());
    scene.read();
    let before = scene.looked_at(Role::Server);
    let mut tls = Peers::start(&scene, &python, TLS_PORT, Some([&files[0], &files[1]]));
    let asked = tls.ask("/shop.v1.Orders/Get 1 20 4");
    assert!(asked.iter().all(|one| one.code == "OK"), "{asked:?}");
    wait_for_delayed_ack();
    let mut copied = Vec::new();
    scene.watch.source.loaded_mut().read_heads(|head| copied.push(head.event));
    assert_eq!(copied, []);
    scene.read();
    let after = scene.looked_at(Role::Server);
    assert!(after.0 > before.0 && after.1 == before.1, "{before:?} {after:?}");
}

#[test]
fn metrics_answers_and_logs_have_no_secret_of_grpc() {
    needs!(HTTP);
    let Some(python) = python(name_of(|| ())) else { return };
    let stage = stage!("a", "b");
    let scratch = Scratch::new("grpc_secrets");
    let config = "signals:\n  responses: \"on\"\n  http: \"on\"\nsampling:\n  grpc: 1\n";
    fs::write(scratch.file("config.yaml"), config).unwrap();
    let scene = Scene::with(&stage, unobserved());
    let config = scratch.file("config.yaml");
    let args = ["--config".as_ref(), config.as_os_str()];
    let agent = Agent::start_by(&stage, &args, |command| {
        // Everything that it could say.
        let words = command.get_args().map(|word| if word == "error" { "trace".as_ref() } else { word });
        let mut talkative = Command::new(command.get_program());
        let errors = fs::File::create(scratch.file("log")).unwrap();
        talkative.args(words).stdout(errors.try_clone().unwrap()).stderr(errors).spawn()
    });
    let mut peers = Peers::start(&scene, &python, PORT, None);
    LINES.iter().for_each(|line| drop(peers.ask(line)));
    let missing = ["service=\"shop.v1.Orders\"", "method=\"Missing\"", "code=\"NOT_FOUND\""];
    wait_until("both ends' calls are in the metrics", || {
        let of = |role| agent.sum("netwhy_grpc_call_seconds_count", &[&missing[..], &[role]].concat());
        of("role=\"server\"") >= 1.0 && of("role=\"client\"") >= 1.0
    });
    is_clean("/metrics", &agent.metrics());
    for path in ["pods", "edges", "node", "hints", "info"] {
        let (status, text) = agent.get(&format!("/api/v1/{path}"), "*/*").unwrap();
        assert_eq!(status, 200, "{path}");
        is_clean(path, &text);
    }
    drop(agent);
    let log = fs::read_to_string(scratch.file("log")).unwrap();
    assert!(!log.is_empty());
    is_clean("the log", &log);
}

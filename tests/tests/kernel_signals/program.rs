//! The agent's program, from its start to its end.

use crate::{
    bpf_objects::Objects,
    socket::{Flow, Pair},
    stage::{PATIENCE, Stage, TRAFFIC, stage, wait_until},
};
use netwhy_tests::{kept::Kept, lab::Pod};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    ffi::OsStr,
    fs,
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

/// The agent's CPU time until it is ready, twice what a quick machine takes among many sockets. The time on the clock
/// would grow with the other work of this machine.
const READY_CPU: Duration = Duration::from_secs(5);
/// From the signal to the end. A task that does not stop takes 5 s.
const STOP: Duration = Duration::from_secs(4);

/// How much longer than these everything may take: `NETWHY_TEST_PATIENCE` times, for emulated machines.
pub(crate) fn patience() -> u32 {
    std::env::var("NETWHY_TEST_PATIENCE").map_or(1, |times| times.parse().unwrap())
}

/// CPU time of a process so far (proc_pid_stat(5): `utime` and `stime`).
fn cpu_time(process: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // The name, in parentheses, may contain anything.
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let ticks: u64 = fields.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum();
    Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// The program: `NETWHY_AGENT`, else built here.
fn program() -> PathBuf {
    netwhy_tests::built::built("NETWHY_AGENT", ["--bin", "netwhy-agent"]).unwrap()
}

/// A directory that goes with the test.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("netwhy-test-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A command line over the laboratory, without Kubernetes and without chatter.
pub(crate) fn command(stage: &Stage, args: &[&OsStr]) -> Command {
    let mut command = Command::new(program());
    for variable in [
        "NETWHY_KUBE",
        "NODE_NAME",
        "KUBECONFIG",
        "NETWHY_LISTEN",
        "NETWHY_PROBE_LISTEN",
        "NETWHY_CONFIG",
        "NETWHY_CGROUP_ROOT",
    ] {
        command.env_remove(variable);
    }
    command.args(["--kube", "off", "--log-level", "error"]);
    command.arg("--cgroup-root").arg(stage.lab.cgroups().root()).args(args);
    command
}

fn output(stage: &Stage, args: &[&str]) -> Output {
    let args: Vec<&OsStr> = args.iter().map(OsStr::new).collect();
    command(stage, &args).output().unwrap()
}

/// It ended with this code and these words, on this many lines that say "error: ".
#[track_caller]
fn refused(output: &Output, code: i32, lines: usize, words: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert_eq!(said.lines().count(), lines, "{said}");
    assert!(said.lines().all(|line| line.starts_with("error: ")), "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is in: {said}");
    }
}

/// Status and body of an agent's answer. `None`: nobody listens.
pub(crate) fn get(agent: SocketAddr, path: &str, accept: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(agent).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\nConnection: close\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}

/// A running agent; killed when dropped, and with the test.
pub(crate) struct Agent {
    pub(crate) child: Kept,
    address: SocketAddr,
}

impl Agent {
    /// Starts it and waits until it is ready.
    pub(crate) fn start(stage: &Stage, args: &[&OsStr]) -> Self {
        Self::start_by(stage, args, |mut command| command.spawn())
    }

    /// The same, started by `spawn`.
    pub(crate) fn start_by(stage: &Stage, args: &[&OsStr], spawn: impl FnOnce(Command) -> io::Result<Child>) -> Self {
        // This may build the program: nobody else may take the port meanwhile.
        let mut command = command(stage, args);
        // A port that was free a moment ago.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let listen = format!("--listen={address}");
        command.arg(listen).stdout(Stdio::null()).stderr(Stdio::piped());
        let child = Kept::new(Path::new(TRAFFIC), spawn(command).unwrap()).unwrap();
        let agent = Self { child, address };
        wait_until("ready", || agent.get("/readyz", "*/*").is_some_and(|(status, _)| status == 200));
        let cpu = cpu_time(agent.child.id());
        assert!(cpu <= READY_CPU * patience(), "ready after {cpu:?} of CPU time");
        agent
    }

    /// Status and body of an answer. `None`: nobody listens.
    pub(crate) fn get(&self, path: &str, accept: &str) -> Option<(u16, String)> {
        get(self.address, path, accept)
    }

    pub(crate) fn metrics(&self) -> String {
        self.get("/metrics", "text/plain").unwrap().1
    }

    /// Sum of a metric's series that contain all of these; none is zero.
    pub(crate) fn sum(&self, name: &str, parts: &[&str]) -> f64 {
        let text = self.metrics();
        let lines = text.lines().filter(|line| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']))
                && parts.iter().all(|part| line.contains(part))
        });
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    }

    /// Stops it; returns the exit code and what it had to say.
    pub(crate) fn stop(mut self, signal: Signal) -> (Option<i32>, String) {
        let begin = Instant::now();
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        let status = self.child.wait().unwrap();
        assert!(begin.elapsed() <= STOP * patience(), "stopped after {:?}", begin.elapsed());
        (status.code(), said)
    }
}

/// A client in a Pod on one Node, a server in a Pod on the other.
pub(crate) fn traffic(stage: &Stage) -> (Pod, Flow) {
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let mut pair = Pair::open(stage, &client, &listener, stage.address(&server, &listener));
    (0..100).for_each(|_| pair.exchange(1_000, 1_000));
    let (flow, _) = pair.finish();
    // The test's own requests to the agent are no Pod's traffic.
    stage.leave();
    (client, flow)
}

#[test]
fn an_agent_serves_what_the_sockets_counted_and_stops_cleanly() {
    let stage = stage!("a", "b");
    for signal in [Signal::TERM, Signal::INT] {
        let agent = Agent::start(&stage, &[]);
        let (client, flow) = traffic(&stage);
        let of_client = [client.name.as_str()];
        wait_until("the metrics have it", || {
            agent.sum("netwhy_tcp_segments_sent_total", &of_client) >= flow.data_segs_out as f64
        });
        assert_eq!(agent.sum("netwhy_tcp_segments_sent_total", &of_client), flow.data_segs_out as f64);
        assert_eq!(agent.sum("netwhy_tcp_connects_total", &[client.name.as_str(), "role=\"client\""]), 1.0);
        let objects = Objects::of(agent.child.id());
        assert!(objects.count() > 20, "{objects:?}");
        assert_eq!(agent.stop(signal), (Some(0), String::new()), "{signal:?}");
        wait_until("the kernel has none of its objects", || objects.left().is_empty());
        client.remove().unwrap();
        stage.pod("b", "server").remove().unwrap();
    }
}

#[test]
fn metrics_come_in_both_formats() {
    let stage = stage!("a", "b");
    let agent = Agent::start(&stage, &[]);
    let (client, _) = traffic(&stage);
    // The second look, because what a scrape took is known after the first.
    wait_until("the metrics have it", || agent.metrics().contains(&client.name));
    let (status, open) = agent.get("/metrics", "application/openmetrics-text; version=1.0.0").unwrap();
    assert_eq!((status, open.ends_with("# EOF\n")), (200, true));
    let (status, plain) = agent.get("/metrics", "text/plain").unwrap();
    assert_eq!((status, plain.contains("# EOF")), (200, false));
    let families = |text: &str| -> Vec<String> {
        let names = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
        let mut names: Vec<String> = names.map(|name| name.trim_end_matches("_total").to_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(families(&open), families(&plain));
    assert!(families(&open).len() > 20, "{open}");
}

#[test]
fn a_kernel_without_type_information_is_refused() {
    let stage = stage!("a");
    let empty = Scratch::new("sysfs");
    let sysfs = empty.0.to_str().unwrap();
    refused(&output(&stage, &["--sysfs", sysfs, "--listen", "127.0.0.1:0"]), 69, 1, &["BTF", sysfs]);
}

#[test]
fn a_cgroup_root_that_is_none_is_refused() {
    let stage = stage!("a");
    let mut command = Command::new(program());
    let output = command.args(["--kube=off", "--log-level=error", "--cgroup-root=/tmp"]).output().unwrap();
    refused(&output, 69, 1, &["/tmp", "cgroup v2", "--cgroup-root"]);
    drop(stage);
}

#[test]
fn a_taken_port_is_refused_and_nothing_stays_loaded() {
    let stage = stage!("a");
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let child = command(&stage, &["--listen".as_ref(), listen.as_ref()]).stderr(Stdio::piped()).spawn().unwrap();
    let own = child.id();
    let output = child.wait_with_output().unwrap();
    refused(&output, 1, 1, &[&listen, "--listen"]);
    assert!(!Path::new(&format!("/proc/{own}")).exists(), "what it loaded went with its descriptors");
}

#[test]
fn missing_privileges_are_refused_with_what_is_missing() {
    let stage = stage!("a");
    // Where nobody may read: a build directory in root's home is closed to them.
    let open = Scratch::new("nobody");
    let copy = open.file("netwhy-agent");
    fs::copy(program(), &copy).unwrap();
    for path in [&open.0, &copy] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut nobody = Command::new(&copy);
    nobody.args(["--kube=off", "--log-level=error", "--listen=127.0.0.1:0"]).uid(65_534).gid(65_534);
    refused(&nobody.output().unwrap(), 69, 1, &["run as root", "BPF", "PERFMON"]);
    let mut without = Command::new("setpriv");
    without.arg("--bounding-set=-bpf,-perfmon,-sys_admin").arg(&copy);
    without.args(["--kube=off", "--log-level=error", "--listen=127.0.0.1:0"]);
    match without.output() {
        Ok(output) => refused(&output, 69, 1, &["run as root", "BPF", "PERFMON"]),
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{error}"),
    }
    drop(stage);
}

/// kube goes on with an old token without a word, until it expires.
#[test]
fn a_renewed_token_that_the_later_user_can_not_read_is_refused() {
    let stage = stage!("a");
    let scratch = Scratch::new("token");
    let (token, file) = (scratch.file("token"), scratch.file("kubeconfig"));
    fs::write(&token, "secret").unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    // Of its own, because a machine may know no authority.
    let (authority, key) = (scratch.file("authority.pem"), rcgen::KeyPair::generate().unwrap());
    let certificate = rcgen::CertificateParams::new(vec!["x".to_owned()]).unwrap().self_signed(&key).unwrap();
    fs::write(&authority, certificate.pem()).unwrap();
    let kubeconfig = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: x\nclusters: [{{name: x, cluster: {{server: \
         'https://127.0.0.1:1', certificate-authority: {}}}}}]\nusers: [{{name: x, user: {{tokenFile: {}}}}}]\n\
         contexts: [{{name: x, context: {{cluster: x, user: x}}}}]\n",
        authority.display(),
        token.display()
    );
    fs::write(&file, kubeconfig).unwrap();
    let mut agent = Command::new(program());
    agent.args(["--kube=on", "--log-level=error", "--listen=127.0.0.1:0", "--node-name=x", "--kubeconfig"]).arg(&file);
    agent.arg("--cgroup-root").arg(stage.lab.cgroups().root());
    let output = agent.output().unwrap();
    refused(&output, 64, 1, &["user 65532 can't read the token", token.to_str().unwrap(), "fsGroup: 65532"]);
}

#[test]
fn every_mistake_in_a_configuration_is_told_at_once() {
    let stage = stage!("a");
    let scratch = Scratch::new("config");
    let file = scratch.file("bad.yaml");
    fs::write(&file, "sampling:\n  rtt_every: 0\n  nonsense: 1\nlimits:\n  edges: many\n").unwrap();
    let path = file.to_str().unwrap();
    let words = ["sampling.rtt_every", "sampling.nonsense", "limits.edges", "bad.yaml:5"];
    refused(&output(&stage, &["--config", path, "--listen", "127.0.0.1:0"]), 64, 3, &words);
    refused(&output(&stage, &["config", "check", path]), 64, 3, &words);
    refused(&output(&stage, &["--config", "/none.yaml", "--listen", "127.0.0.1:0"]), 64, 1, &["/none.yaml"]);
}

#[test]
fn preflight_tells_what_is_there_as_json() {
    let stage = stage!("a");
    let output = output(&stage, &["preflight", "-o", "json", "--listen", "127.0.0.1:0"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let checks = report["checks"].as_array().unwrap();
    assert!(checks.len() >= 8, "{report}");
    for check in checks {
        assert!(!check["need"].as_str().unwrap().is_empty(), "{check}");
        let verdict = check["verdict"].as_str().unwrap();
        assert!(["ok", "degraded"].contains(&verdict), "{check}");
    }
    let empty = Scratch::new("preflight");
    let without = self::output(&stage, &["preflight", "-o", "json", "--sysfs", empty.0.to_str().unwrap()]);
    assert_eq!(without.status.code(), Some(69));
}

#[test]
fn a_recording_replays_the_same_twice_and_is_refused_when_cut_off() {
    let stage = stage!("a", "b");
    let scratch = Scratch::new("record");
    let file = scratch.file("one.jsonl");
    let path = file.to_str().unwrap();
    let mut recording = command(&stage, &["record".as_ref(), path.as_ref(), "--seconds".as_ref(), "3".as_ref()])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let client = loop {
        let (client, _) = traffic(&stage);
        if recording.try_wait().unwrap().is_some() {
            break client;
        }
    };
    let recorded = recording.wait_with_output().unwrap();
    assert_eq!(recorded.status.code(), Some(0), "{}", String::from_utf8_lossy(&recorded.stderr));
    let replay = |format: &str| output(&stage, &["replay", path, "-o", format]);
    for format in ["json", "metrics", "table"] {
        let (first, second) = (replay(format), replay(format));
        assert_eq!(first.status.code(), Some(0), "{}", String::from_utf8_lossy(&first.stderr));
        assert!(!first.stdout.is_empty());
        assert_eq!(first.stdout, second.stdout, "{format}");
    }
    let metrics = String::from_utf8(replay("metrics").stdout).unwrap();
    assert!(metrics.contains(&client.name), "{metrics}");
    refused(&output(&stage, &["record", path]), 64, 1, &[path, "choose a file that does not exist"]);
    let whole = fs::read(&file).unwrap();
    let cut = scratch.file("cut.jsonl");
    for length in [0, 10, whole.len() / 2, whole.len() - 3] {
        fs::write(&cut, &whole[..length]).unwrap();
        refused(&output(&stage, &["replay", cut.to_str().unwrap()]), 64, 1, &["cut.jsonl"]);
    }
}

#[test]
fn a_changed_configuration_is_taken_over_and_a_wrong_one_is_not() {
    let stage = stage!("a", "b");
    let scratch = Scratch::new("reload");
    let file = scratch.file("netwhy.yaml");
    fs::write(&file, "labels:\n  peer: true\n").unwrap();
    let agent = Agent::start(&stage, &["--config".as_ref(), file.as_ref()]);
    let (client, _) = traffic(&stage);
    let peers = || agent.metrics().lines().any(|line| line.starts_with("netwhy_tcp_rtt_") && line.contains("peer=\""));
    let reloads = |result: &str| agent.sum("netwhy_agent_config_reloads_total", &[result]);
    wait_until("the client is there", || agent.metrics().contains(&client.name));
    wait_until("its peers are told apart", peers);
    fs::write(&file, "labels:\n  peer: maybe\n").unwrap();
    wait_until("the mistake is counted", || reloads("error") + reloads("failed") == 1.0);
    assert!(peers(), "and changes nothing");
    fs::write(&file, "labels:\n  peer: false\n").unwrap();
    wait_until("the change is counted", || reloads("ok") + reloads("success") == 1.0);
    wait_until("and in force", || !peers());
    let (code, said) = agent.stop(Signal::TERM);
    assert_eq!(code, Some(0));
    assert!(said.contains("labels.peer") && said.contains("maybe"), "the mistake was logged: {said:?}");
}

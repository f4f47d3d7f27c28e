//! A Node: an agent over the whole machine, cgroups, and connections that are made in them.

use crate::preflight::Preflight;
use netwhy_agent::kernel::release;
use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// Where the machines mount cgroups.
pub(crate) const CGROUPS: &str = "/sys/fs/cgroup";
/// Deadline of every wait, for emulated machines.
const PATIENCE: Duration = Duration::from_secs(600);
/// Payload of a connection, bytes.
const PAYLOAD: usize = 100;

/// The name of the function around a closure.
pub(crate) fn name_of<F>(_: F) -> &'static str {
    let name = std::any::type_name::<F>().trim_end_matches("::{{closure}}");
    name.split_once("::").map_or(name, |(_crate, name)| name)
}

/// Whether this is the machine of that name. If not, it is said for the test.
pub(crate) fn is_machine(name: &str, test: &str) -> bool {
    let here = std::env::var("NETWHY_TEST_MACHINE").is_ok_and(|machine| machine == name);
    if !here {
        println!("SKIP {test}: machine: needs `cargo xtask vm --machine {name}`");
    }
    here
}

/// Ends a test in every machine but the one of this name.
macro_rules! only_in {
    ($machine:literal) => {
        if !$crate::node::is_machine($machine, $crate::node::name_of(|| ())) {
            return;
        }
    };
}
pub(crate) use only_in;

/// The agent's command line, without Kubernetes and without chatter.
pub(crate) fn command<S: AsRef<OsStr>>(args: &[S]) -> Command {
    let program = netwhy_tests::built::built("NETWHY_AGENT", ["--bin", "netwhy-agent"]).unwrap();
    let mut command = Command::new(program);
    command.args(["--kube", "off", "--log-level", "error"]).args(args);
    command
}

/// File systems that are mounted, by type.
pub(crate) fn mounted(kind: &str) -> Vec<String> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    fields.filter(|fields| fields[2] == kind).map(|fields| fields[1].to_owned()).collect()
}

/// Waits until a condition holds.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "waited {PATIENCE:?} in vain: {what}");
        // No event announces the condition, and each look takes the agent's time.
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// A running agent; killed when dropped.
pub(crate) struct Agent {
    child: Child,
    address: SocketAddr,
}

impl Agent {
    /// Starts it and waits until it is ready.
    pub(crate) fn start<S: AsRef<OsStr>>(args: &[S]) -> Self {
        let mut command = command(args);
        // A port that was free a moment ago.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        command.arg(format!("--listen={address}")).stdout(Stdio::null());
        let agent = Self { child: command.spawn().unwrap(), address };
        wait_until("the agent is ready", || agent.get("/readyz").is_some_and(|(status, _)| status == 200));
        agent
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Status and body of an answer. `None`: nobody listens.
    fn get(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(self.address).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = "Host: localhost\r\nAccept: text/plain\r\nConnection: close";
        write!(stream, "GET {path} HTTP/1.1\r\n{head}\r\n\r\n").ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some((status, body.to_owned()))
    }

    /// All metrics, of one moment.
    pub(crate) fn metrics(&self) -> Metrics {
        Metrics(self.get("/metrics").unwrap().1)
    }

    /// Waits until the connections of each subject are counted: these, and no more. Subjects are named by their labels.
    #[track_caller]
    pub(crate) fn assert_counted(&self, expected: &BTreeMap<Vec<String>, u64>) {
        let counted = |metrics: &Metrics, labels: &[String]| {
            let of = |name: &str, more: &str| {
                let labels: Vec<&str> = labels.iter().map(String::as_str).chain([more]).collect();
                metrics.sum(name, &labels) as u64
            };
            let connections = of("netwhy_tcp_connects_total", "role=\"client\"");
            (connections, of("netwhy_tcp_bytes_total", "direction=\"sent\""))
        };
        let is_whole = |metrics: &Metrics, labels: &[String], connections: u64| {
            let (connects, bytes) = counted(metrics, labels);
            connects >= connections && bytes >= connections * PAYLOAD as u64
        };
        wait_until("all connections are counted", || {
            let metrics = self.metrics();
            expected.iter().all(|(labels, connections)| is_whole(&metrics, labels, *connections))
        });
        let metrics = self.metrics();
        for (labels, connections) in expected {
            let (connects, bytes) = counted(&metrics, labels);
            assert_eq!(connects, *connections, "{labels:?}");
            // Begin and end of a connection take a byte each of its sequence, and count as acknowledged.
            assert!(bytes <= connections * (PAYLOAD as u64 + 2), "{labels:?}: {bytes} bytes of {connections}");
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A scrape.
pub(crate) struct Metrics(String);

impl Metrics {
    /// Sum of a metric's series that contain all of these; none is zero.
    pub(crate) fn sum(&self, name: &str, parts: &[&str]) -> f64 {
        let lines = self.0.lines().filter(|line| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']))
                && parts.iter().all(|part| line.contains(part))
        });
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    }
}

/// Makes a cgroup and those above it.
pub(crate) fn cgroup(path: &str) -> PathBuf {
    let dir = Path::new(CGROUPS).join(path);
    fs::create_dir_all(&dir).unwrap();
    dir
}

/// Moves this process into a cgroup: sockets made from now on belong to it.
pub(crate) fn enter(dir: &Path) {
    fs::write(dir.join("cgroup.procs"), "0").unwrap();
}

/// Moves this process out of all cgroups but the root.
pub(crate) fn leave() {
    enter(Path::new(CGROUPS));
}

/// A listener outside of all Pods, on all addresses of the loopback device.
pub(crate) struct Server {
    listener: TcpListener,
}

impl Server {
    pub(crate) fn new() -> Self {
        Self { listener: TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap() }
    }

    /// Makes a connection to one of its addresses from the cgroup that this process is in, to its end.
    pub(crate) fn visit(&self, address: Ipv4Addr) {
        let port = self.listener.local_addr().unwrap().port();
        let mut client = TcpStream::connect((address, port)).unwrap();
        let (mut server, _) = self.listener.accept().unwrap();
        client.write_all(&[0; PAYLOAD]).unwrap();
        server.read_exact(&mut [0; PAYLOAD]).unwrap();
        drop(client);
        assert_eq!(server.read(&mut [0]).unwrap(), 0, "the end of the connection");
    }

    /// Makes connections from a cgroup.
    pub(crate) fn visits_from(&self, dir: &Path, connections: u64) {
        enter(dir);
        (0..connections).for_each(|_| self.visit(Ipv4Addr::LOCALHOST));
        leave();
    }
}

/// Path of a Pod's cgroup under the systemd driver. `qos`: `guaranteed`, `burstable` or `besteffort`.
pub(crate) fn pod_slice(qos: &str, uid: &str) -> String {
    let uid = uid.replace('-', "_");
    match qos {
        "guaranteed" => format!("kubepods.slice/kubepods-pod{uid}.slice"),
        _ => format!("kubepods.slice/kubepods-{qos}.slice/kubepods-{qos}-pod{uid}.slice"),
    }
}

/// Path of a container's cgroup in it, as containerd names it. `id`: 64 hex digits.
pub(crate) fn containerd_scope(pod: &str, id: &str) -> String {
    format!("{pod}/cri-containerd-{id}.scope")
}

/// Labels of a Pod where no API server names it.
pub(crate) fn pod_labels(uid: &str) -> Vec<String> {
    labels("kubepods", &format!("pod-{uid}"), &format!("Pod/{uid}"))
}

/// Labels of a subject.
pub(crate) fn labels(namespace: &str, name: &str, workload: &str) -> Vec<String> {
    vec![format!("namespace=\"{namespace}\""), format!("pod=\"{name}\""), format!("workload=\"{workload}\"")]
}

/// `preflight` finds every probe that the kernel has, and an agent counts what a Pod does, also after it gave up its
/// rights.
#[track_caller]
pub(crate) fn assert_measures() {
    const UID: &str = "5d2c8a90-7b1e-4f6a-9c3d-2e4f6a8b0c1d";
    let report = Preflight::run();
    assert_eq!(report.code, Some(0), "{report:?}");
    // An older kernel lacks some, as docs/kernels.md says.
    if release().0 >= (6, 12) {
        assert_eq!(report.lacking(), Vec::<String>::new());
    }
    let scope = cgroup(&containerd_scope(&pod_slice("burstable", UID), &"e".repeat(64)));
    let agent = Agent::start::<&str>(&[]);
    let server = Server::new();
    for turn in 1..=2 {
        server.visits_from(&scope, 50);
        agent.assert_counted(&BTreeMap::from([(pod_labels(UID), turn * 50)]));
    }
}

//! A laboratory with the test's own sockets in it, and an agent that observes it.

mod lacks;
mod refused;
mod watch;

pub(crate) use lacks::{
    ACCEPT_QUEUES, CHURN, DNS_CODES, DNS_NAMES, DROPS, FIRST_EXCHANGES, HTTP, LIVING, NEEDS, RESPONSES, RUN_QUEUE,
    Said, needs,
};
use netwhy_tests::lab::{Lab, Node, Pod, missing_tools};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::{
    fs::{self, File},
    io,
    net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream},
    os::{fd::AsFd as _, unix::fs::MetadataExt as _},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
pub(crate) use watch::{Options, Watch, edge_key};

pub(crate) const TRAFFIC: &str = env!("CARGO_BIN_EXE_netwhy-traffic");
const SYSFS: &str = "/sys";
/// Deadline of every wait. A busy machine may need most of it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A process is in one cgroup at a time: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// The name of the function around a closure.
pub(crate) fn name_of<F>(_: F) -> &'static str {
    let name = std::any::type_name::<F>().trim_end_matches("::{{closure}}");
    name.split_once("::").map_or(name, |(_crate, name)| name)
}

/// Ends a test on kernels before this one, which lack the feature under test.
macro_rules! since {
    ($major:literal, $minor:literal) => {
        if netwhy_agent::kernel::release().0 < ($major, $minor) {
            println!("SKIP {}: machine: needs Linux {}.{}", $crate::stage::name_of(|| ()), $major, $minor);
            return;
        }
    };
}
pub(crate) use since;

/// A stage with these Nodes; returns from the test where this machine can't have one.
macro_rules! stage {
    ($($node:literal),+) => {
        match $crate::stage::Stage::open($crate::stage::name_of(|| ()), &[$($node),+]) {
            Some(stage) => stage,
            None => return,
        }
    };
}
pub(crate) use stage;

/// Why this machine can't run the tests: what the machine is, or what only needs to be set up.
enum Lack {
    Machine(String),
    Setup(String),
}

fn lack() -> Option<Lack> {
    if !rustix::process::geteuid().is_root() {
        return Some(Lack::Setup("needs root".to_owned()));
    }
    if !Path::new(SYSFS).join("kernel/btf/vmlinux").exists() {
        return Some(Lack::Machine("the kernel has no type information (BTF)".to_owned()));
    }
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    if !mounts.lines().any(|line| line.split(' ').nth(2) == Some("cgroup2")) {
        return Some(Lack::Machine("no cgroup v2 is mounted".to_owned()));
    }
    let missing = missing_tools();
    (!missing.is_empty()).then(|| Lack::Setup(format!("needs {}", missing.join(", "))))
}

/// True when the test must end here; says why. With `CI=true` only what the machine can't have is an excuse.
fn skips(test: &str) -> bool {
    match lack() {
        None => false,
        Some(Lack::Machine(why)) => {
            println!("SKIP {test}: machine: {why}");
            true
        }
        Some(Lack::Setup(why)) => {
            assert!(!std::env::var("CI").is_ok_and(|ci| ci == "true"), "{test} {why}, and CI=true");
            println!("SKIP {test}: {why}");
            true
        }
    }
}

/// A laboratory whose sockets belong to the test itself.
pub(crate) struct Stage {
    // First to go, because taking the laboratory down kills what is in its cgroups.
    home: Home,
    pub(crate) lab: Lab,
    _alone: MutexGuard<'static, ()>,
}

/// Where the process was before; it goes back when dropped.
struct Home(PathBuf);

impl Home {
    fn find(mount: &Path) -> io::Result<Self> {
        let text = fs::read_to_string("/proc/self/cgroup")?;
        let own = text.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
        Ok(Self(mount.join(own)))
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        enter(&self.0).unwrap();
    }
}

/// Moves this process into a cgroup: sockets made from now on belong to it.
pub(crate) fn enter(dir: &Path) -> io::Result<()> {
    fs::write(dir.join("cgroup.procs"), "0")
}

impl Stage {
    /// `None`: this machine can't have one, and it was said why.
    pub(crate) fn open(test: &str, nodes: &[&str]) -> Option<Self> {
        if skips(test) {
            return None;
        }
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let lab = Lab::new(Path::new(TRAFFIC), nodes).unwrap();
        let home = Home::find(lab.cgroups().root().parent().unwrap()).unwrap();
        Some(Self { home, lab, _alone: alone })
    }

    pub(crate) fn node(&self, name: &str) -> &Node {
        self.lab.node(name).unwrap()
    }

    pub(crate) fn pod(&self, node: &str, name: &str) -> Pod {
        self.lab.pod(node, name).unwrap()
    }

    /// Runs on a Pod's Node and in its cgroup. The process stays in the cgroup.
    pub(crate) fn inside<T: Send>(&self, pod: &Pod, act: impl FnOnce() -> T + Send) -> T {
        enter(&pod.cgroup).unwrap();
        on_node(self.node(&pod.node), act)
    }

    /// Leaves the Pods' cgroups: the agent ignores the process from now on.
    pub(crate) fn leave(&self) {
        enter(&self.home.0).unwrap();
    }

    /// Listens in a Pod on all addresses of its Node.
    pub(crate) fn listen(&self, pod: &Pod) -> TcpListener {
        self.inside(pod, || TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0))).unwrap()
    }

    /// Connects from a Pod.
    pub(crate) fn connect(&self, pod: &Pod, to: SocketAddr) -> io::Result<TcpStream> {
        self.inside(pod, || TcpStream::connect(to))
    }

    /// IPv4 address of a listener in a Pod.
    pub(crate) fn address(&self, pod: &Pod, listener: &TcpListener) -> SocketAddr {
        SocketAddr::new(self.node(&pod.node).ipv4.into(), listener.local_addr().unwrap().port())
    }

    /// An agent over the whole laboratory.
    pub(crate) fn watch(&self) -> Watch {
        Watch::over(self.lab.cgroups().root(), Options::default())
    }

    pub(crate) fn watch_with(&self, options: Options) -> Watch {
        Watch::over(self.lab.cgroups().root(), options)
    }
}

/// Runs on a thread that is in a Node's network namespace: sockets that it makes stay there.
pub(crate) fn on_node<T: Send>(node: &Node, act: impl FnOnce() -> T + Send) -> T {
    let path = Path::new("/run/netns").join(&node.netns);
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let file = File::open(&path).unwrap();
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            act()
        });
        thread.join().unwrap()
    })
}

/// cgroup id of a directory.
pub(crate) fn id_of(dir: &Path) -> u64 {
    fs::metadata(dir).unwrap().ino()
}

/// cgroup id of a Pod.
pub(crate) fn id(pod: &Pod) -> u64 {
    id_of(&pod.cgroup)
}

/// Waits until a condition holds.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "waited {PATIENCE:?} in vain: {what}");
        // No event announces the condition.
        std::thread::sleep(Duration::from_millis(2));
    }
}

//! The agent's memory limit: what it sheds before the kernel would end it, and that every count stays right meanwhile.

use crate::{
    program::{Agent, Scratch},
    socket::{Flow, Pair},
    stage::{Options, PATIENCE, Stage, enter, needs, stage, wait_until},
};
use netwhy_abi::Counter;
use netwhy_agent::{api::MemoryLevel, memory::Headroom};
use netwhy_tests::lab::Pod;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::Value;
use std::{
    ffi::OsStr,
    fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Bytes of a socket's storage, as the agent reckons.
const STORAGE: u64 = netwhy_abi::memory::SOCKET_STORAGE as u64;
/// Connections to one address: fewer than there are local ports.
const PER_ADDRESS: usize = 20_000;

/// A cgroup of the memory controller, v2 or v1. Removed when dropped.
pub(crate) struct MemoryCgroup {
    dir: PathBuf,
    is_v2: bool,
}

impl MemoryCgroup {
    pub(crate) fn new(name: &str) -> Self {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let mut mounts = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let v1 = mounts.clone().find(|m| m[2] == "cgroup" && m[3].split(',').any(|option| option == "memory"));
        let is_v2 = v1.is_none();
        let mount = v1.or_else(|| mounts.find(|m| m[2] == "cgroup2")).unwrap()[1].to_owned();
        if is_v2 {
            fs::write(Path::new(&mount).join("cgroup.subtree_control"), "+memory").unwrap();
        }
        let dir = Path::new(&mount).join(format!("netwhy-memory-{}-{name}", std::process::id()));
        fs::create_dir(&dir).unwrap();
        Self { dir, is_v2 }
    }

    fn read(&self, v2: &str, v1: &str) -> u64 {
        let file = self.dir.join(if self.is_v2 { v2 } else { v1 });
        fs::read_to_string(&file).unwrap().trim().parse().unwrap()
    }

    pub(crate) fn used(&self) -> u64 {
        self.read("memory.current", "memory.usage_in_bytes")
    }

    /// Kernel memory that is charged.
    fn kernel(&self) -> u64 {
        if !self.is_v2 {
            return self.read("", "memory.kmem.usage_in_bytes");
        }
        let text = fs::read_to_string(self.dir.join("memory.stat")).unwrap();
        let line = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        // `kernel` since 6.0.
        line("kernel ").or_else(|| line("slab ")).unwrap()
    }

    pub(crate) fn set_limit(&self, bytes: u64) {
        let file = if self.is_v2 { "memory.max" } else { "memory.limit_in_bytes" };
        fs::write(self.dir.join(file), bytes.to_string()).unwrap();
    }

    /// Processes that the kernel ended for memory.
    pub(crate) fn kills(&self) -> u64 {
        let file = if self.is_v2 { "memory.events" } else { "memory.oom_control" };
        let text = fs::read_to_string(self.dir.join(file)).unwrap();
        text.lines().find_map(|line| line.strip_prefix("oom_kill ")).unwrap().parse().unwrap()
    }

    /// Starts an agent that is charged to this cgroup.
    fn agent(&self, stage: &Stage) -> Agent {
        self.agent_with(stage, &[])
    }

    pub(crate) fn agent_with(&self, stage: &Stage, args: &[&OsStr]) -> Agent {
        Agent::start_by(stage, args, |mut command| {
            use std::os::unix::process::CommandExt as _;
            let procs = self.dir.join("cgroup.procs");
            // SAFETY: writes a file and allocates nothing that another thread's lock guards.
            unsafe { command.pre_exec(move || fs::write(&procs, "0")) };
            command.spawn()
        })
    }
}

impl Drop for MemoryCgroup {
    fn drop(&mut self) {
        let begin = Instant::now();
        // A process that just ended may still be in it.
        while fs::remove_dir(&self.dir).is_err() && begin.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

pub(crate) fn memory(agent: &Agent) -> Value {
    let (_, body) = agent.get("/api/v1/info", "application/json").unwrap();
    serde_json::from_str::<Value>(&body).unwrap()["memory"].take()
}

/// Lets this process have many descriptors.
pub(crate) fn raise_descriptors(most: u64) {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    assert!(maximum.is_none_or(|maximum| maximum >= most), "this test needs {most} descriptors: raise ulimit -n");
    setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum }).unwrap();
}

/// Opens this many connections within a Pod's Node, over addresses of the loopback device. Each carries a byte.
pub(crate) fn open_many(stage: &Stage, pod: &Pod, connections: usize) -> Vec<Pair> {
    stage.inside(pod, || {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let open = |n: usize| {
            let to = SocketAddr::from(([127, 9, 0, 1 + (n / PER_ADDRESS) as u8], port));
            let client = TcpStream::connect(to).unwrap();
            let mut pair = Pair { client, server: listener.accept().unwrap().0 };
            pair.client.write_all(b"x").unwrap();
            pair.server.read_exact(&mut [0]).unwrap();
            pair
        };
        (0..connections).map(open).collect()
    })
}

fn flow(pairs: &[Pair]) -> Flow {
    let mut sum = Flow::default();
    for Pair { client, server } in pairs {
        sum += Flow::of(client);
        sum += Flow::of(server);
    }
    sum
}

#[test]
fn an_agent_knows_its_limit_and_its_use() {
    let stage = stage!("a");
    let cgroup = MemoryCgroup::new("limit");
    let agent = cgroup.agent(&stage);
    let limit = (cgroup.used() + (256 << 20)).next_multiple_of(1 << 20);
    cgroup.set_limit(limit);
    wait_until("the new limit is seen", || memory(&agent)["limit_bytes"] == limit);
    let info = memory(&agent);
    assert_eq!(info["limit_source"], if cgroup.is_v2 { "cgroup_v2" } else { "cgroup_v1" });
    assert_eq!(info["level"], "ok");
    let used = info["used_bytes"].as_u64().unwrap();
    assert!(used.abs_diff(cgroup.used()) < cgroup.used() / 5, "{used} and {}", cgroup.used());
    assert_eq!(agent.sum("netwhy_agent_memory_limit_bytes", &[]), limit as f64);
    let parts = info["budget"].as_array().unwrap();
    assert!(parts.iter().any(|part| part["part"] == "socket storage"), "{parts:?}");
    assert!(info["fitting_sockets"].as_u64().unwrap() > 1000, "{info}");
}

/// So many sockets do not fit under this limit: the agent lives on, says what it sheds, and loses no count.
#[test]
fn sockets_beyond_the_limit_get_no_storage_and_lose_no_count() {
    needs!(LIVING);
    const CONNECTIONS: usize = 9_000;
    let stage = stage!("a");
    raise_descriptors(2 * CONNECTIONS as u64 + 1000);
    let cgroup = MemoryCgroup::new("sockets");
    let agent = cgroup.agent(&stage);
    let begin = cgroup.used();
    // Room for the storage of about 4,000 sockets below three quarters of the limit.
    let limit = (begin + 4_000 * STORAGE) * 4 / 3;
    cgroup.set_limit(limit);
    wait_until("the limit is seen", || memory(&agent)["limit_bytes"].as_u64().is_some_and(|n| n <= limit));
    let pod = stage.pod("a", "many");
    let pairs = open_many(&stage, &pod, CONNECTIONS);
    stage.leave();
    wait_until("sockets are found without storage", || {
        let info = memory(&agent);
        info["sockets_without_storage"].as_u64().unwrap() > CONNECTIONS as u64 / 4
    });
    assert!(cgroup.used() <= limit, "{} of {limit}", cgroup.used());
    assert!(agent.sum("netwhy_agent_kernel_events_total", &["storage_shed"]) > 0.0);
    assert_eq!(agent.sum("netwhy_agent_kernel_events_total", &["base_shed"]), 0.0);
    let sent = flow(&pairs);
    drop(pairs);
    let counted = || agent.sum("netwhy_tcp_bytes_total", &[&pod.name, "sent"]);
    // The FIN of each end takes a byte of its sequence, which `bytes_acked` counts.
    let fins = 2 * CONNECTIONS as u64;
    wait_until("all counts arrived with the sockets' ends", || counted() >= sent.bytes_acked as f64);
    let most = (sent.bytes_acked + fins) as f64;
    assert!(counted() <= most, "{} of at most {most}", counted());
    assert_eq!((cgroup.kills(), agent.get("/livez", "*/*").map(|(status, _)| status)), (0, Some(200)));
    cgroup.set_limit(4 * limit);
    wait_until("farther from the limit", || memory(&agent)["level"] == "ok");
}

/// Sockets older than the agent, and no room for their base: what they counted before the agent must never appear.
#[test]
fn older_sockets_without_room_for_a_base_add_nothing_from_before() {
    needs!(LIVING);
    const OLDER: usize = 40;
    let stage = stage!("a", "b");
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let to = stage.address(&server, &listener);
    let open = || Pair::open(&stage, &client, &listener, to);
    let mut older: Vec<Pair> = (0..OLDER).map(|_| open()).collect();
    older.iter_mut().for_each(|pair| pair.exchange(1_000, 1_000));
    let room = Headroom { level: MemoryLevel::Near, timely: Some(0), exact: Some(100 * STORAGE) };
    let mut watch = stage.watch_with(Options { headroom: Some(room), ..Options::default() });
    watch.read();
    let without = watch.source.walk_stats().unwrap().without_storage;
    assert!(without >= 2 * OLDER as u64, "{without} of {}", 2 * OLDER);
    // A new socket is counted whole when it closes, also without storage.
    let mut new: Vec<Pair> = (0..10).map(|_| open()).collect();
    new.iter_mut().for_each(|pair| pair.exchange(1_000, 1_000));
    let mut whole = Flow::default();
    for pair in new {
        whole += pair.finish().0;
    }
    watch.read();
    let counted = Flow::from(watch.of(crate::stage::id(&client)));
    assert_eq!(counted, whole, "new sockets count whole");
    older.iter_mut().for_each(|pair| pair.exchange(1_000, 1_000));
    for pair in older {
        pair.finish();
    }
    watch.read();
    assert_eq!(Flow::from(watch.of(crate::stage::id(&client))), whole, "older sockets add nothing");
    assert!(watch.counter(Counter::BaseShed) >= OLDER as u64, "{}", watch.counter(Counter::BaseShed));
}

/// A socket that got no storage at first and gets some later: everything counts once.
#[test]
fn sockets_that_get_storage_late_count_once() {
    needs!(LIVING);
    let stage = stage!("a", "b");
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let to = stage.address(&server, &listener);
    let mut watch = stage.watch();
    let none = Headroom { level: MemoryLevel::Critical, timely: Some(0), exact: Some(0) };
    watch.source.set_headroom(&none).unwrap();
    let mut pair = Pair::open(&stage, &client, &listener, to);
    pair.exchange(1_000, 1_000);
    watch.read();
    assert_eq!(watch.of(crate::stage::id(&client)).data_segs_out, 0, "its counts wait for its end");
    watch.source.set_headroom(&Headroom::default()).unwrap();
    watch.read();
    assert_eq!(Flow::from(watch.of(crate::stage::id(&client))).data_segs_out, 1, "or for storage");
    pair.exchange(1_000, 1_000);
    let (flow, _) = pair.finish();
    watch.read();
    assert_eq!(Flow::from(watch.of(crate::stage::id(&client))), flow);
}

/// Every cgroup of a storm is counted, the agent stays within its limit, and gives the memory back.
#[test]
fn a_storm_of_short_cgroups_stays_within_the_limit_and_is_given_back() {
    const CGROUPS: u32 = 5_000;
    /// Time for one cgroup: 1,000 a second.
    const PACE: Duration = Duration::from_millis(1);
    let stage = stage!("a");
    let cgroup = MemoryCgroup::new("storm");
    let agent = cgroup.agent(&stage);
    let begin = cgroup.used();
    let limit = begin + (100 << 20);
    cgroup.set_limit(limit);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let to = listener.local_addr().unwrap();
    let root = stage.lab.cgroups().root().to_owned();
    let mut last: Option<PathBuf> = None;
    let mut peak = 0;
    let clock = Instant::now();
    for n in 0..CGROUPS {
        // The pace is what is tested.
        std::thread::sleep((n * PACE).saturating_sub(clock.elapsed()));
        let dir = root.join(format!("storm-{n}"));
        fs::create_dir(&dir).unwrap();
        enter(&dir).unwrap();
        if let Some(last) = last.replace(dir) {
            fs::remove_dir(last).unwrap();
        }
        let mut client = TcpStream::connect(to).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        client.write_all(b"x").unwrap();
        server.read_exact(&mut [0]).unwrap();
        if n % 100 == 0 {
            peak = peak.max(cgroup.used());
        }
    }
    stage.leave();
    fs::remove_dir(last.unwrap()).unwrap();
    let connects = || agent.sum("netwhy_tcp_connects_total", &["role=\"client\""]);
    // On a busy machine a cgroup may be gone before its name is read. Its samples are counted too.
    let unnamed = || agent.sum("netwhy_unattributed_samples_total", &[]);
    wait_until("every connection is counted", || connects() + unnamed() >= f64::from(CGROUPS));
    assert!(connects() <= f64::from(CGROUPS), "{}", connects());
    assert!(connects() == f64::from(CGROUPS) || unnamed() > 0.0, "{} of {CGROUPS}", connects());
    let kept = agent.sum("netwhy_agent_subjects", &["gone"]);
    assert!(kept <= 1024.0, "{kept}");
    assert_eq!(cgroup.kills(), 0);
    println!("{begin} bytes before, {peak} at the peak, {} after", cgroup.used());
    wait_until("memory is given back", || cgroup.used() < begin + (peak - begin) / 2 + (8 << 20));
}

/// Sum of the budget's parts.
fn budget(agent: &Agent) -> u64 {
    memory(agent)["budget"].as_array().unwrap().iter().map(|part| part["bytes"].as_u64().unwrap()).sum()
}

/// The agent's cgroup is charged with as much for sockets as the function says. Sockets of the whole machine count.
#[test]
fn the_budget_states_what_sockets_are_charged_with() {
    needs!(LIVING);
    check_charge(&[]);
}

/// The same with storage for response times.
#[test]
fn the_budget_states_what_sockets_with_response_times_are_charged_with() {
    needs!(LIVING);
    let scratch = Scratch::new("charge");
    let file = scratch.file("netwhy.yaml");
    fs::write(&file, "signals: {responses: \"on\"}\n").unwrap();
    check_charge(&["--config".as_ref(), file.as_ref()]);
}

/// Compares the charge of many sockets with the budget of an agent with these arguments.
fn check_charge(args: &[&OsStr]) {
    const CONNECTIONS: usize = 9_000;
    let stage = stage!("a");
    raise_descriptors(2 * CONNECTIONS as u64 + 1000);
    let cgroup = MemoryCgroup::new("charge");
    let agent = cgroup.agent_with(&stage, args);
    let pod = stage.pod("a", "many");
    // The cost of the first socket of a kind is no socket's.
    let mut pairs = open_many(&stage, &pod, 100);
    stage.leave();
    wait_until("the first sockets are found", || agent.sum("netwhy_agent_sockets", &[]) >= 200.0);
    let (charged, stated) = (cgroup.kernel(), budget(&agent));
    pairs.extend(open_many(&stage, &pod, CONNECTIONS));
    stage.leave();
    wait_until("all sockets are found", || agent.sum("netwhy_agent_sockets", &[]) >= 2.0 * CONNECTIONS as f64);
    let (charged, stated) = (cgroup.kernel() - charged, budget(&agent) - stated);
    println!("{} bytes a socket, {} stated", charged / (2 * CONNECTIONS as u64), stated / (2 * CONNECTIONS as u64));
    assert!(charged <= stated + (1 << 20) && charged * 2 >= stated, "charged {charged}, stated {stated}");
    drop(pairs);
}

/// Its charge for cgroups and their edges is at most what the function says, and not far below.
#[test]
fn the_budget_covers_what_cgroups_are_charged_with() {
    const CGROUPS: usize = 600;
    const PEERS: u8 = 4;
    let stage = stage!("a");
    let cgroup = MemoryCgroup::new("cgroups");
    let agent = cgroup.agent(&stage);
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let root = stage.lab.cgroups().root().to_owned();
    let subjects = || agent.sum("netwhy_agent_subjects", &["alive"]);
    let (charged, stated) = (cgroup.used(), budget(&agent));
    let mut dirs = Vec::new();
    let mut pairs = Vec::new();
    for n in 0..CGROUPS {
        let dir = root.join(format!("unit-{n}.service"));
        fs::create_dir(&dir).unwrap();
        enter(&dir).unwrap();
        for peer in 1..=PEERS {
            let client = TcpStream::connect(SocketAddr::from(([127, 9, 1, peer], port))).unwrap();
            let mut pair = Pair { client, server: listener.accept().unwrap().0 };
            pair.exchange(100, 100);
            pairs.push(pair);
        }
        dirs.push(dir);
    }
    stage.leave();
    wait_until("all cgroups are subjects", || subjects() >= CGROUPS as f64);
    // Memory grows until the window holds its ten seconds.
    let samples = || agent.sum("netwhy_agent_samples_total", &[]);
    let begin = samples();
    wait_until("the window is full", || {
        pairs.iter_mut().for_each(|pair| pair.exchange(100, 100));
        samples() >= begin + 12.0
    });
    let (charged, stated) = (cgroup.used().saturating_sub(charged), budget(&agent) - stated);
    println!("charged {charged}, stated {stated}");
    assert!(charged <= stated && charged * 4 >= stated, "charged {charged}, stated {stated}");
    drop(pairs);
    dirs.iter().for_each(|dir| fs::remove_dir(dir).unwrap());
}

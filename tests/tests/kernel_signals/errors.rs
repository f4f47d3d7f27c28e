//! A kernel that refuses: the refusal is named and counted, and the tick goes on with what is left.

use crate::{
    bpf_objects,
    socket::{Flow, Pair},
    stage::{Options, Stage, Watch, needs, stage, wait_until},
};
use netwhy_abi::Role;
use netwhy_agent::{
    api::{KernelErrors, ProbeState, ProbeStatus},
    sample::SampleSource as _,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{
    fs::File,
    net::TcpListener,
    os::fd::{AsFd as _, AsRawFd, BorrowedFd, OwnedFd},
    process::{Child, Command, Stdio},
};

/// Objects that an iterator passes without output before it pauses (`MAX_ITER_OBJECTS` of kernel/bpf/bpf_iter.c).
const MAX_ITER_OBJECTS: usize = 1_000_000;

/// Descriptors of one process, where the machine allows that many.
const EACH: u64 = 200_000;

fn errors(watch: &Watch, operation: &str) -> KernelErrors {
    watch.source.kernel_errors().into_iter().find(|errors| errors.operation == operation).unwrap()
}

fn probe<'w>(watch: &'w Watch, name: &str) -> &'w ProbeStatus {
    watch.source.loaded().probes.iter().find(|probe| probe.name == name).unwrap()
}

/// A connection between two Pods, and the listener behind it.
fn pair(stage: &Stage) -> (Pair, TcpListener) {
    let (client, server) = (stage.pod("a", "client"), stage.pod("a", "server"));
    let listener = stage.listen(&server);
    (Pair::open(stage, &client, &listener, stage.address(&server, &listener)), listener)
}

/// Processes with more descriptors than an iterator passes in one read; killed when dropped.
struct Flood(Vec<Child>);

impl Flood {
    fn begin() -> Self {
        let limit = getrlimit(Resource::Nofile);
        let most = limit.maximum.unwrap_or(EACH).max(EACH);
        // Only some machines allow to raise the upper limit.
        if setrlimit(Resource::Nofile, Rlimit { current: Some(EACH), maximum: Some(most) }).is_err() {
            setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
        }
        let null = File::open("/dev/null").unwrap();
        let each = getrlimit(Resource::Nofile).current.map_or(EACH, |most| most.min(EACH)).saturating_sub(1_000);
        // Children inherit what is not closed on exec.
        let copies: Vec<OwnedFd> = (0..each).map(|_| rustix::io::dup(&null).unwrap()).collect();
        let processes = MAX_ITER_OBJECTS / copies.len() + 2;
        let sleep = || Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().unwrap();
        let flood = Self((0..processes).map(|_| sleep()).collect());
        drop(copies);
        setrlimit(Resource::Nofile, limit).unwrap();
        flood
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(|child| child.kill().unwrap());
        self.0.iter_mut().for_each(|child| drop(child.wait()));
    }
}

#[test]
fn more_descriptors_than_one_read_passes_hide_no_socket_and_end_no_agent() {
    needs!(LIVING);
    let stage = stage!("a");
    let mut watch = stage.watch();
    let (mut pair, _listener) = pair(&stage);
    pair.exchange(3_000, 1_000);
    let flood = Flood::begin();
    // A walk over so many takes several readings.
    wait_until("a walk comes to all sockets", || {
        watch.read();
        watch.source.walk_stats().is_some_and(|walk| walk.sockets >= 3)
    });
    let mut fresh = stage.watch();
    fresh.read();
    drop(flood);
    for watch in [&watch, &fresh] {
        assert_eq!(errors(watch, "walk"), KernelErrors { operation: "walk".to_owned(), ..KernelErrors::default() });
        assert_eq!(probe(watch, "sockets").state, ProbeState::Ok);
    }
    assert_eq!(watch.all().bytes_received, 4_000, "the walk came to both ends");
}

#[test]
fn a_walk_is_made_in_parts_that_count_each_socket_once() {
    needs!(LIVING);
    let stage = stage!("a");
    let mut watch = stage.watch();
    let (mut pair, _listener) = pair(&stage);
    // Descriptors of the same two sockets in several parts.
    let copies: Vec<OwnedFd> = (0..4_000)
        .map(|i| rustix::io::dup(if i % 2 == 0 { pair.client.as_fd() } else { pair.server.as_fd() }).unwrap())
        .collect();
    watch.read();
    let sockets = watch.source.walk_stats().unwrap().sockets;
    pair.exchange(3_000, 1_000);
    watch.read();
    assert_eq!(watch.all().bytes_received, 4_000);
    drop(copies);
    watch.read();
    let after = watch.source.walk_stats().unwrap().sockets;
    assert!(sockets.abs_diff(after) < 1_000, "4,000 descriptors are two sockets: {sockets}, then {after}");
}

#[test]
fn a_walk_that_fails_degrades_its_probes_until_one_works() {
    needs!(LIVING);
    let stage = stage!("a");
    let mut watch = stage.watch();
    let (mut pair, _listener) = pair(&stage);
    pair.exchange(3_000, 1_000);
    let limit = getrlimit(Resource::Nofile);
    // No further descriptor, so no iterator.
    setrlimit(Resource::Nofile, Rlimit { current: Some(3), ..limit }).unwrap();
    watch.read();
    watch.read();
    setrlimit(Resource::Nofile, limit).unwrap();
    let failed = errors(&watch, "walk");
    let why = failed.last_error.unwrap();
    assert!(failed.count >= 1 && why.contains("task_file") && why.contains("os error 24"), "{why}");
    for name in ["sockets", "accept_queue"] {
        let status = probe(&watch, name);
        assert_eq!(status.state, ProbeState::Degraded, "{status:?}");
        assert!(status.why.contains(&why) && status.why.contains("incomplete"), "{status:?}");
    }
    assert_eq!(watch.all().bytes_received, 0, "nobody came to them");
    assert_eq!(watch.all().connects, [1, 1], "the rest is counted");
    watch.read();
    let now = errors(&watch, "walk");
    assert_eq!((now.count, now.last_error), (failed.count, None));
    assert_eq!(probe(&watch, "sockets"), probe(&stage.watch(), "sockets"), "as in a new agent");
    assert_eq!(watch.all().bytes_received, 4_000, "the next walk has it all");
}

#[test]
fn an_agent_starts_although_its_first_walk_fails() {
    needs!(LIVING);
    let stage = stage!("a");
    let limit = getrlimit(Resource::Nofile);
    let (mut pair, _listener) = pair(&stage);
    pair.exchange(3_000, 1_000);
    let mut watch = Watch::begin(stage.lab.cgroups().root(), Options::default(), || {
        setrlimit(Resource::Nofile, Rlimit { current: Some(3), ..limit }).unwrap();
    });
    assert_eq!(errors(&watch, "walk").count, 1);
    assert_eq!(probe(&watch, "sockets").state, ProbeState::Degraded);
    setrlimit(Resource::Nofile, limit).unwrap();
    watch.read();
    assert_eq!(watch.all().bytes_received, 0, "the first walk that works takes the base");
    pair.exchange(500, 200);
    watch.read();
    assert_eq!(watch.all().bytes_received, 700);
}

/// A descriptor of a map that the kernel no longer takes for one.
struct Broken {
    fd: i32,
    map: OwnedFd,
}

impl Broken {
    fn new(fd: i32) -> Self {
        // SAFETY: the descriptor is the agent's, which is in this process and stays open.
        let map = unsafe { BorrowedFd::borrow_raw(fd) }.try_clone_to_owned().unwrap();
        replace(fd, &File::open("/dev/null").unwrap());
        Self { fd, map }
    }

    fn repair(self) {
        replace(self.fd, &self.map);
    }
}

fn replace(fd: i32, by: &impl AsRawFd) {
    // SAFETY: the number stays that of an open descriptor, of the same owner.
    let rc = unsafe { libc::dup2(by.as_raw_fd(), fd) };
    assert_eq!(rc, fd);
}

#[test]
fn a_map_that_cannot_be_read_is_named_and_the_others_are_read() {
    let stage = stage!("a");
    let mut watch = stage.watch();
    let edges: Vec<Broken> = bpf_objects::descriptors_of_maps("EDGES").into_iter().map(Broken::new).collect();
    assert!(!edges.is_empty());
    let (mut pair, _listener) = pair(&stage);
    pair.exchange(3_000, 1_000);
    for _ in 0..12 {
        watch.read();
    }
    let failed = errors(&watch, "read_rows");
    assert_eq!(failed.count, 12);
    assert!(failed.last_error.is_some_and(|why| why.contains("EDGES") && why.contains("os error")));
    assert!(watch.sums().edges.is_empty());
    let completed = |watch: &Watch, role: Role| -> u64 {
        watch.sums().cgroups.values().map(|sums| sums.durations[role as usize].count()).sum()
    };
    assert_eq!([completed(&watch, Role::Client), completed(&watch, Role::Server)], [1, 1], "of another map");
    edges.into_iter().for_each(Broken::repair);
    let (client, server) = pair.finish();
    watch.read();
    assert_eq!(errors(&watch, "read_rows").last_error, None);
    let mut both = client;
    both += server;
    assert_eq!(Flow::from(watch.all()), both, "nothing is lost");
}

#[test]
fn an_agent_that_can_measure_nothing_any_more_ends() {
    let stage = stage!("a");
    let mut watch = stage.watch();
    let _all: Vec<Broken> = bpf_objects::descriptors_of_maps("").into_iter().map(Broken::new).collect();
    for _ in 0..9 {
        watch.read();
    }
    let error = watch.source.sample().unwrap_err().to_string();
    assert!(error.contains("10 ticks") && error.contains("EDGES") && error.contains("restart"), "{error}");
}

#[test]
fn peer_ranges_are_replaced_under_churn() {
    let stage = stage!("a");
    let limits = netwhy_abi::memory::Limits { cgroups: 64, edges: 64, drops: 64, prefixes: 8 };
    let mut watch = stage.watch_with(Options { limits, ..Options::default() });
    let class = netwhy_abi::PeerClass::SameZone;
    for round in 0..50u8 {
        // Eight Nodes, half of which are new in each round.
        let range = |i: u8| (std::net::Ipv4Addr::new(10, round / 2 + i, 0, 0).to_ipv6_mapped(), 96 + 16, class);
        watch.source.set_prefixes((0..8).map(range).collect());
        assert_eq!(errors(&watch, "set_prefixes").last_error, None, "round {round}");
    }
    let too_many = |i: u8| (std::net::Ipv4Addr::new(11, i, 0, 0).to_ipv6_mapped(), 96 + 16, class);
    watch.source.set_prefixes((0..9).map(too_many).collect());
    let failed = errors(&watch, "set_prefixes");
    assert!(failed.last_error.is_some_and(|why| why.contains("limits.prefixes")));
    watch.read();
    assert!(errors(&watch, "set_prefixes").count > failed.count, "it is tried again with each snapshot");
    watch.source.set_prefixes(Vec::new());
    assert_eq!(errors(&watch, "set_prefixes").last_error, None);
}

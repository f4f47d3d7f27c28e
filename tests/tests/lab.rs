//! The laboratory tests itself: what it claims to do to packets is measured by the traffic's own clocks and counters.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic, as tests may")]

use netwhy_tests::{
    kept::Kept,
    lab::{Fault, FaultKind, Lab, Shop, sweep},
    report::Counts,
};
use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

const TRAFFIC: &str = env!("CARGO_BIN_EXE_netwhy-traffic");
const PATIENCE: Duration = Duration::from_secs(60);

/// A laboratory, or nothing (and a line that says so) where this machine can't have one.
fn lab(nodes: &[&str]) -> Option<Lab> {
    if is_root() { Some(Lab::new(Path::new(TRAFFIC), nodes).unwrap()) } else { None }
}

fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        println!("SKIP laboratory: needs root");
    }
    root
}

#[test]
fn requests_travel_between_pods_on_two_nodes_over_ipv4_and_ipv6() {
    let Some(lab) = lab(&["a", "b"]) else { return };
    let (client, server) = (lab.pod("a", "client").unwrap(), lab.pod("b", "server").unwrap());
    let answers = lab.start(&server, &["server", "--port", "8080"]).unwrap();
    answers.wait_ready(PATIENCE).unwrap();
    assert_eq!(server.processes().unwrap(), [answers.pid()], "the server is in its pod's cgroup");
    let b = lab.node("b").unwrap();
    for to in [format!("{}:8080", b.ipv4), format!("[{}]:8080", b.ipv6)] {
        let asks = lab.start(&client, &["client", "--to", &to, "--requests", "50"]).unwrap();
        let last = asks.wait_for(PATIENCE, |report| report.last).unwrap();
        assert_eq!((last.total.requests, last.total.connects, last.total.failures.sum()), (50, 1, 0), "{to}");
    }
}

#[test]
fn connections_of_one_thread_take_turns() {
    let Some(lab) = lab(&["a", "b"]) else { return };
    let (client, server) = (lab.pod("a", "client").unwrap(), lab.pod("b", "server").unwrap());
    let answers = lab.start(&server, &["server", "--port", "8080"]).unwrap();
    answers.wait_ready(PATIENCE).unwrap();
    let to = format!("{}:8080", lab.node("b").unwrap().ipv4);
    let args = ["client", "--to", &to, "--connections", "64", "--per-thread", "32"];
    let asks = lab.start(&client, &args).unwrap();
    let many = |total: &Counts| total.connects >= 64 && total.requests >= 6_400;
    let total = asks.wait_for(PATIENCE, |report| many(&report.total)).unwrap().total;
    assert_eq!((total.connects, total.failures.sum()), (64, 0), "each is opened once");
}

#[test]
fn forwarder_delays_each_way_by_what_it_is_told() {
    for delay_ms in [0.5, 1.0, 10.0, 50.0] {
        let Some(lab) = lab(&["a", "b"]) else { return };
        let (client, server) = (lab.pod("a", "client").unwrap(), lab.pod("b", "server").unwrap());
        let answers = lab.start(&server, &["server", "--port", "8080"]).unwrap();
        answers.wait_ready(PATIENCE).unwrap();
        let b = lab.node("b").unwrap();
        let forwarder = lab.delay(b, &["--delay-ms", &delay_ms.to_string()]).unwrap();
        let to = format!("{}:8080", b.ipv4);
        let asks = lab.start(&client, &["client", "--to", &to, "--rate", "1000"]).unwrap();
        asks.wait_for(PATIENCE, |report| report.total.requests >= 40).unwrap();
        // The kernel's own figure: the path, without the time that the programs take to wake.
        let round_trip_ms = 2.0 * delay_ms;
        let min_rtt_ms = lowest_rtt_below(&lab, round_trip_ms * 1.1);
        assert!(min_rtt_ms > round_trip_ms * 0.9, "{delay_ms} ms each way: a round trip took {min_rtt_ms} ms");
        // The programs' own figure can only be above it.
        let latency = asks.latest().and_then(|report| report.latency).unwrap();
        assert!(latency.min_us as f64 >= round_trip_ms * 1e3 * 0.98, "{latency:?}");
        assert!(forwarder.wait_for(PATIENCE, |report| report.total.frames >= 80).is_ok());
    }
}

/// The kernel's lowest RTT of connections to port 8080, ms.
fn lowest_rtt_ms(lab: &Lab) -> f64 {
    let sockets = lab.node("a").unwrap().run(&["ss", "-tin", "dport", "=", "8080"]).unwrap();
    sockets.split_whitespace().find_map(|word| word.strip_prefix("minrtt:")).unwrap().parse().unwrap()
}

/// The same once it is below a limit: on a busy machine the forwarder is late for most frames.
#[track_caller]
fn lowest_rtt_below(lab: &Lab, limit_ms: f64) -> f64 {
    let end = Instant::now() + PATIENCE;
    loop {
        let ms = lowest_rtt_ms(lab);
        if ms < limit_ms {
            return ms;
        }
        assert!(Instant::now() < end, "no round trip took less than {limit_ms} ms: {ms} ms");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn forwarder_delays_one_way_and_changes_while_it_runs() {
    let Some(lab) = lab(&["a", "b"]) else { return };
    let (client, server) = (lab.pod("a", "client").unwrap(), lab.pod("b", "server").unwrap());
    let answers = lab.start(&server, &["server", "--port", "8080"]).unwrap();
    answers.wait_ready(PATIENCE).unwrap();
    let b = lab.node("b").unwrap();
    let mut forwarder = lab.delay(b, &["--delay-ms", "20", "--one-way", "first"]).unwrap();
    let to = format!("{}:8080", b.ipv4);
    let ask = || {
        let asks = lab.start(&client, &["client", "--to", &to, "--rate", "200"]).unwrap();
        asks.wait_for(PATIENCE, |report| report.total.requests >= 20).unwrap();
        (lowest_rtt_ms(&lab), asks)
    };
    let (_, asks) = ask();
    let one_way = lowest_rtt_below(&lab, 24.0);
    assert!(one_way >= 20.0, "20 ms one way were measured as a round trip of {one_way} ms");
    drop(asks);
    forwarder.tell("delay-us 60000").unwrap();
    // The line is read by a thread of its own: ask again until it was.
    let began = std::time::Instant::now();
    while !(60.0..66.0).contains(&ask().0) {
        assert!(began.elapsed() < PATIENCE, "the delay does not change");
    }
}

#[test]
fn forwarder_doubles_and_reorders_frames() {
    let Some(lab) = lab(&["a", "b"]) else { return };
    let (sender, receiver) = (lab.pod("a", "sender").unwrap(), lab.pod("b", "receiver").unwrap());
    let sink = lab.start(&receiver, &["sink", "--port", "9000"]).unwrap();
    sink.wait_ready(PATIENCE).unwrap();
    let (a, b) = (lab.node("a").unwrap(), lab.node("b").unwrap());
    a.run(&["ip", "link", "set", "dev", a.device, "gso_max_segs", "1"]).unwrap();
    let counter = |name: &str| -> u64 {
        let all = b.run(&["nstat", "-asz", name]).unwrap();
        let line = all.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let to = format!("{}:9000", b.ipv4);
    for (args, sign) in [
        (["--duplicate", "20"].as_slice(), "TcpExtTCPDSACKOldSent"),
        (["--share", "20", "--delay-ms", "3"].as_slice(), "TcpExtTCPOFOQueue"),
    ] {
        let before = counter(sign);
        let forwarder = lab.delay(b, args).unwrap();
        let bulk = lab.start(&sender, &["bulk", "--to", &to, "--bytes", "2000000", "--cc", "cubic"]).unwrap();
        bulk.wait_for(PATIENCE, |report| report.last).unwrap();
        assert!(counter(sign) > before + 20, "{args:?}: {sign} {} {before}", counter(sign));
        lab.net().unsplice(b).unwrap();
        drop(forwarder);
    }
}

#[test]
fn forwarder_keeps_offloaded_segments_whole() {
    let Some(lab) = lab(&["a", "b"]) else { return };
    let (sender, receiver) = (lab.pod("a", "sender").unwrap(), lab.pod("b", "receiver").unwrap());
    let mut sink = lab.start(&receiver, &["sink", "--port", "9000"]).unwrap();
    sink.wait_ready(PATIENCE).unwrap();
    let b = lab.node("b").unwrap();
    let mut forwarder = lab.delay(b, &["--delay-ms", "1"]).unwrap();
    let to = format!("{}:9000", b.ipv4);
    let bytes = 50_000_000;
    let bulk = lab.start(&sender, &["bulk", "--to", &to, "--bytes", &bytes.to_string(), "--cc", "cubic"]).unwrap();
    bulk.wait_for(PATIENCE, |report| report.last).unwrap();
    sink.wait_for(PATIENCE, |report| report.total.bytes_received == bytes).unwrap();
    assert_eq!(sink.stop().unwrap().total.bytes_received, bytes);
    let passed = forwarder.stop().unwrap().total;
    assert_eq!(passed.frames_refused, 0);
    // One frame per segment would be 34 000 for the data alone.
    assert!(passed.frames < bytes / 1448 / 2, "{passed:?}");
}

#[test]
fn loss_fault_drops_its_share_and_healing_ends_it() {
    if !is_root() {
        return;
    }
    let mut shop = Shop::open(Path::new(TRAFFIC), Some("cubic")).unwrap();
    let fault: Fault = "loss=5:per-packet".parse().unwrap();
    let retransmits = |shop: &Shop| kernel_counter(shop, "RetransSegs");
    shop.program("web-a").unwrap().wait_for(PATIENCE, |report| report.total.requests > 100).unwrap();
    // Nothing is lost; on a machine that stands still for a moment a tail loss probe may go out all the same.
    let idle = retransmits(&shop);
    assert!(idle < 10, "{idle} segments were sent again before the fault");
    let injected = fault.inject(&mut shop).unwrap();
    let before = sent(&mut shop);
    let enough = before + 20_000_000;
    shop.program("bulk-a").unwrap().wait_for(PATIENCE, |report| report.total.bytes_sent > enough).unwrap();
    injected.heal(&mut shop).unwrap();
    let lost = retransmits(&shop) - idle;
    // Half of at least 20 MB go to node b: 6 900 segments, 5 % of which are 345.
    assert!((150..2_000).contains(&lost), "{lost} segments were sent again");
    // The last losses may be repaired after the healing: read again once traffic has gone on.
    let settled = sent(&mut shop) + 10_000_000;
    shop.program("bulk-a").unwrap().wait_for(PATIENCE, |report| report.total.bytes_sent > settled).unwrap();
    let healed = retransmits(&shop);
    let further = sent(&mut shop) + 10_000_000;
    shop.program("bulk-a").unwrap().wait_for(PATIENCE, |report| report.total.bytes_sent > further).unwrap();
    let again = retransmits(&shop) - healed;
    assert!(again < 10, "{again} segments were sent again after the healing");
}

#[test]
fn every_fault_can_be_injected_felt_and_healed() {
    if !is_root() {
        return;
    }
    let mut shop = Shop::open(Path::new(TRAFFIC), Some("cubic")).unwrap();
    for kind in FaultKind::all() {
        let fault: Fault = kind.name().parse().unwrap();
        let injected = fault.inject(&mut shop).unwrap();
        assert_eq!(injected.commands.is_empty(), kind == FaultKind::None, "{kind:?} says what it does");
        let seen = felt(&mut shop, kind);
        injected.heal(&mut shop).unwrap();
        assert!(seen.is_ok(), "{kind:?}: {}", seen.unwrap_err());
        // Healed: requests with a connection each are answered by both servers as fast as before.
        let total = shop.program("cart-a").unwrap().latest().unwrap().total.requests;
        let cart = shop.program("cart-a").unwrap();
        cart.wait_for(PATIENCE, |report| {
            report.total.requests > total + 30
                && report.interval.requests >= 50
                && report.interval.failures.sum() == 0
                && report.latency.is_some_and(|latency| latency.p99_us < 40_000)
        })
        .unwrap_or_else(|error| panic!("{kind:?} isn't healed: {error}"));
    }
    assert_eq!(shop.ended(), Vec::<String>::new());
}

/// Waits until the traffic shows a fault.
fn felt(shop: &mut Shop, kind: FaultKind) -> anyhow::Result<()> {
    let pod = |shop: &Shop, name: &str| shop.pod(name).cloned();
    match kind {
        FaultKind::None => {}
        FaultKind::Loss => {
            let start = kernel_counter(shop, "RetransSegs");
            let end = std::time::Instant::now() + PATIENCE;
            while kernel_counter(shop, "RetransSegs") == start {
                anyhow::ensure!(std::time::Instant::now() < end, "nothing is sent again");
                std::thread::yield_now();
            }
        }
        FaultKind::Delay => {
            let slow =
                |report: &netwhy_tests::report::Report| report.latency.is_some_and(|latency| latency.p50_us > 39_000);
            shop.program("web-c")?.wait_for(PATIENCE, slow)?;
        }
        FaultKind::CpuThrottle => {
            let api = pod(shop, "api-b")?;
            let dir = api.cgroup_v1.unwrap_or(api.cgroup);
            let throttled = || -> anyhow::Result<u64> {
                let text = std::fs::read_to_string(dir.join("cpu.stat"))?;
                let line = text.lines().find_map(|line| line.strip_prefix("nr_throttled "));
                Ok(line.unwrap_or("0").parse()?)
            };
            let (start, end) = (throttled()?, std::time::Instant::now() + PATIENCE);
            while throttled()? < start + 5 {
                anyhow::ensure!(std::time::Instant::now() < end, "api-b isn't throttled");
                std::thread::yield_now();
            }
        }
        FaultKind::SlowReader => {
            let slow = |report: &netwhy_tests::report::Report| (1..1_000_000).contains(&report.interval.bytes_received);
            shop.program("store-b")?.wait_for(PATIENCE, slow)?;
        }
        FaultKind::AcceptQueueFull | FaultKind::PeerUnreachable => {
            let start = shop.program("cart-a")?.latest().map_or(0, |report| report.total.failures.timed_out);
            shop.program("cart-a")?.wait_for(PATIENCE, |report| report.total.failures.timed_out > start)?;
        }
        FaultKind::Refused => {
            shop.program("cart-a")?.wait_for(PATIENCE, |report| report.interval.failures.refused > 5)?;
        }
        FaultKind::Dns => {
            let slow =
                |report: &netwhy_tests::report::Report| report.latency.is_some_and(|latency| latency.p50_us > 399_000);
            shop.program("names-a")?.wait_for(PATIENCE, slow)?;
        }
        FaultKind::SlowApp => {
            let slow =
                |report: &netwhy_tests::report::Report| report.latency.is_some_and(|latency| latency.p50_us > 39_000);
            shop.program("web-c")?.wait_for(PATIENCE, slow)?;
        }
    }
    Ok(())
}

#[test]
fn everything_is_gone_after_drop_and_sweeping_leaves_the_living_alone() {
    let Some(lab) = lab(&["a"]) else { return };
    let pod = lab.pod("a", "spinner").unwrap();
    let spinner = lab.start(&pod, &["spin"]).unwrap();
    spinner.wait_ready(PATIENCE).unwrap();
    let netns = Path::new("/run/netns").join(&lab.node("a").unwrap().netns);
    let switch = Path::new("/run/netns").join(lab.net().switch());
    let made =
        [Some(netns), Some(switch), Some(pod.cgroup.clone()), pod.cgroup_v1.clone(), Some(lab.cgroups().root().into())];
    sweep();
    for path in made.iter().flatten() {
        assert!(path.exists(), "{} is there", path.display());
    }
    // The laboratory goes first although a program still runs in it.
    drop(lab);
    for path in made.iter().flatten() {
        assert!(!path.exists(), "{} is gone", path.display());
    }
    assert!(spinner.wait_for(PATIENCE, |report| report.last).is_err(), "its program was killed");
}

fn sent(shop: &mut Shop) -> u64 {
    shop.program("bulk-a").unwrap().latest().unwrap().total.bytes_sent
}

/// A TCP counter of node a's namespace.
fn kernel_counter(shop: &Shop, name: &str) -> u64 {
    let text = shop.lab().node("a").unwrap().run(&["cat", "/proc/net/snmp"]).unwrap();
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("Tcp: "));
    let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
    let at = names.split(' ').position(|candidate| candidate == name).unwrap();
    values.split(' ').nth(at).unwrap().parse().unwrap()
}

/// Whether a process has ended. A zombie has.
fn has_ended(process: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['Z', 'X']))
}

#[test]
fn a_killed_parent_takes_its_kept_child_and_the_childs_own_along() {
    let mut parent = Command::new(TRAFFIC);
    parent.args(["attend", "--", "sh", "-c", "sleep 600 & echo $!; wait"]).stdout(Stdio::piped());
    let mut parent = Kept::new(Path::new(TRAFFIC), parent.spawn().unwrap()).unwrap();
    let mut lines = BufReader::new(parent.stdout.take().unwrap()).lines();
    // The shell's id and its child's, in any order.
    let ids: Vec<String> = lines.by_ref().take(2).map(Result::unwrap).collect();
    assert!(ids.len() == 2 && !ids.iter().any(|id| has_ended(id)), "{ids:?}");
    parent.kill().unwrap();
    parent.wait().unwrap();
    let end = Instant::now() + PATIENCE;
    while !ids.iter().all(|id| has_ended(id)) {
        assert!(Instant::now() < end, "{ids:?} outlive their parent");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Each test has a thread of its own, and some start agents on threads that end at once.
#[test]
fn a_kept_child_outlives_the_thread_that_started_it_and_ends_when_dropped() {
    let start = || Kept::new(Path::new(TRAFFIC), Command::new("sleep").arg("600").spawn().unwrap()).unwrap();
    let mut child = std::thread::spawn(start).join().unwrap();
    assert_eq!(child.try_wait().unwrap(), None);
    let id = child.id().to_string();
    drop(child);
    assert!(has_ended(&id));
}

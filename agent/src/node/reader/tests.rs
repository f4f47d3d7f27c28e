use super::*;
use crate::sample::{Device, Gauge, Signal};
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

fn of_this_machine() -> HostReader {
    let paths = HostPaths { procfs: "/proc".into(), sysfs: "/sys".into(), process: "thread-self".to_owned() };
    HostReader::new(paths, None)
}

fn counter(sample: &HostSample, signal: Signal) -> Option<u64> {
    let all: Vec<u64> = sample.counters.iter().filter(|(s, _, _)| *s == signal).map(|(_, _, n)| *n).collect();
    (!all.is_empty()).then(|| all.iter().sum())
}

/// A made-up Node in a directory.
struct Made(PathBuf);

impl Made {
    fn new(test: &str) -> Self {
        Self(std::env::temp_dir().join(format!("netwhy-reader-{}-{test}", std::process::id())))
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.0.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn reader(&self) -> HostReader {
        let paths = HostPaths { procfs: self.0.join("proc"), sysfs: self.0.join("sys"), process: "1".to_owned() };
        HostReader::new(paths, None)
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn everything_of_this_machine_is_read_or_says_why_not() {
    let mut reader = of_this_machine();
    let first = reader.read(Duration::from_secs(1));
    assert_eq!(first.states.keys().copied().collect::<Vec<_>>(), Group::ALL);
    for group in [Group::Cpu, Group::Softnet, Group::Tcp, Group::Ports] {
        assert_eq!(first.states[&group], State::Ok, "{group:?}");
    }
    for (group, state) in first.states.iter().filter(|(group, _)| **group != Group::Devices) {
        assert!(!matches!(state, State::Broken(_)), "{group:?}: {state:?}");
        let read = first.counters.iter().any(|(s, _, _)| s.group() == *group)
            || first.gauges.iter().any(|(g, _, _)| g.group() == *group)
            || (*group == Group::Facts && !first.facts.is_empty());
        assert!(read || *state != State::Ok, "{group:?} is ok and has no value");
    }
    if Path::new("/proc/pressure/cpu").exists() {
        assert!(counter(&first, Signal::PressureCpuSome).unwrap() > 0);
    }
    let second = reader.read(Duration::from_secs(2));
    assert!(counter(&second, Signal::CpuIdle).unwrap() >= counter(&first, Signal::CpuIdle).unwrap());
    let [used, range] = [Gauge::PortsUsed, Gauge::PortsRange]
        .map(|gauge| second.gauges.iter().find(|(g, _, _)| *g == gauge).unwrap().2);
    assert!(range > 0 && used < 1 << 20);
    let page = second.gauges.iter().find(|(gauge, _, _)| *gauge == Gauge::TcpMemoryPage).unwrap().2;
    assert_eq!(page, rustix::param::page_size() as u64);
}

#[test]
fn a_node_without_anything_says_of_each_group_what_is_the_matter() {
    let node = Made::new("empty");
    let sample = node.reader().read(Duration::from_secs(1));
    let state = |group| &sample.states[&group];
    assert!(matches!(state(Group::Pressure), State::Unsupported(why) if why.contains("CONFIG_PSI")));
    assert_eq!(state(Group::Conntrack), &State::Absent);
    assert!(matches!(state(Group::Softnet), State::Broken(why) if why.contains("hostPID")));
    assert_eq!(state(Group::Devices), &State::Absent);
    assert!(matches!(state(Group::Qdiscs), State::Unsupported(why) if why.contains("hostNetwork")));
    assert!(sample.counters.is_empty() && sample.devices.is_empty());
}

#[test]
fn conntrack_is_absent_unsupported_broken_or_a_number() {
    let node = Made::new("conntrack");
    let (max, stat) = ("proc/sys/net/netfilter/nf_conntrack_max", "proc/1/net/stat/nf_conntrack");
    let state = || node.reader().read(Duration::from_secs(1)).states[&Group::Conntrack].clone();
    assert_eq!(state(), State::Absent);
    node.write(max, "1000\n");
    assert!(matches!(state(), State::Unsupported(_)));
    node.write(stat, "nonsense\n");
    assert!(matches!(state(), State::Broken(why) if why.contains("no column")));
    node.write(stat, "entries insert_failed drop early_drop\n3e8 0 0 0\n3e8 0 0 0\n");
    let sample = node.reader().read(Duration::from_secs(1));
    assert_eq!(sample.states[&Group::Conntrack], State::Ok);
    assert_eq!(counter(&sample, Signal::ConntrackDrop), Some(0), "a zero is a zero");
    assert_eq!(sample.gauges[..2], [(Gauge::ConntrackEntries, None, 1000), (Gauge::ConntrackLimit, None, 1000)]);
}

#[test]
fn without_the_nodes_sysfs_interfaces_are_counted_from_procfs_and_it_is_said() {
    let node = Made::new("procfs");
    node.write("sys/class/net/eth9/ifindex", "2\n");
    node.write("proc/1/net/route", "Iface\neth0 0 0 1 0 0 0 00000000 0 0 0\n");
    node.write("proc/1/net/dev", "Inter-|\n face |\n  eth0: 1 10 1 7 0 0 0 0 1 20 2 8 0 0 0 0\n");
    let sample = node.reader().read(Duration::from_secs(1));
    let why = "only packets, errors and drops";
    assert!(
        matches!(&sample.states[&Group::Devices], State::Unsupported(w) if w.contains(why) && w.contains("--sysfs"))
    );
    assert_eq!((counter(&sample, Signal::NicRxDropped), counter(&sample, Signal::NicTxDropped)), (Some(7), Some(8)));
    assert_eq!(counter(&sample, Signal::NicRxMissed), None, "not told apart there");
    assert_eq!(sample.devices[0].name, "eth0".into());
}

#[test]
fn devices_are_looked_for_again_after_a_while() {
    let node = Made::new("devices");
    let device = |name: &str, index: u32| {
        let dir = format!("sys/class/net/{name}");
        node.write(&format!("{dir}/ifindex"), &format!("{index}\n"));
        node.write(&format!("{dir}/flags"), "0x1003\n");
        node.write(&format!("{dir}/statistics/rx_dropped"), "7\n");
        node.write(&format!("{dir}/device/uevent"), "");
    };
    let list = |text: &str| node.write("proc/1/net/dev", &format!("Inter-|\n face |\n{text}"));
    device("eth0", 2);
    list("  eth0: 0\n");
    let mut reader = node.reader();
    let names = |sample: HostSample| sample.devices.into_iter().map(|Device { name, .. }| name).collect::<Vec<_>>();
    assert_eq!(names(reader.read(Duration::from_secs(1))), ["eth0".into()]);
    device("eth1", 3);
    list("  eth0: 0\n  eth1: 0\n");
    assert_eq!(names(reader.read(Duration::from_secs(2))).len(), 1);
    assert_eq!(names(reader.read(Duration::from_secs(11))).len(), 2);
}

/// CPU time, which waiting does not stretch. Neighbours on the same core do for a while: the least of ten series is
/// printed, and held to the limit of the design.
#[test]
fn reading_everything_takes_well_under_two_milliseconds() {
    const TIMES: u32 = 20;
    let cpu = || {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec as u32)
    };
    let mut reader = of_this_machine();
    let series = |number: u32| {
        let began = cpu();
        for second in 1..=TIMES {
            reader.read(Duration::from_secs((number * TIMES + second).into()));
        }
        (cpu() - began) / TIMES
    };
    let each = (0..10).map(series).min().unwrap();
    println!("node signals: {each:?} of CPU time per read");
    assert!(each < Duration::from_millis(2), "{each:?}");
}

/// A named pipe: opening it for reading hangs until somebody writes.
#[test]
fn a_file_that_hangs_costs_its_own_group_and_delays_nobody() {
    let node = Made::new("hang");
    node.write("proc/uptime", "100.00 50.00\n");
    node.write("sys/devices/system/cpu/online", "0-1\n");
    node.write("proc/1/net/sockstat", "sockets: used 9\nTCP: inuse 5 orphan 0 tw 1 alloc 8 mem 3\n");
    node.write("proc/pressure/memory", "");
    let hung = node.0.join("proc/pressure/cpu");
    let made = rustix::fs::mknodat(
        rustix::fs::CWD,
        &hung,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    );
    made.unwrap();
    let mut reader = node.reader();
    let begun = std::time::Instant::now();
    for second in 1..=20 {
        let sample = reader.read(Duration::from_secs(second));
        assert_eq!(sample.states.keys().copied().collect::<Vec<_>>(), Group::ALL, "each group says something");
        let State::Broken(why) = &sample.states[&Group::Pressure] else { panic!("{:?}", sample.states) };
        assert!(why.contains("proc/pressure") && why.contains("no answer"), "{why}");
        assert_eq!(sample.states[&Group::Cpu], State::Ok, "others are read");
        assert_eq!(counter(&sample, Signal::CpuIdle), Some(50_000_000));
    }
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(10), "20 ticks took {took:?}");
    // The end of the hang.
    drop(fs::File::options().write(true).open(&hung).unwrap());
    fs::remove_file(&hung).unwrap();
    let stall = "some avg10=0.00 avg60=0.00 avg300=0.00 total=7\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n";
    ["cpu", "memory", "io"].iter().for_each(|name| node.write(&format!("proc/pressure/{name}"), stall));
    while reader.read(Duration::from_secs(30)).states[&Group::Pressure] != State::Ok {
        assert!(begun.elapsed() < Duration::from_secs(60));
    }
    assert_eq!(counter(&reader.read(Duration::from_secs(31)), Signal::PressureCpuSome), Some(7));
}

/// Whether the drivers hang.
static HANGS: AtomicBool = AtomicBool::new(true);

fn hang() -> io::Error {
    while HANGS.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(10));
    }
    io::ErrorKind::Unsupported.into()
}

#[test]
fn a_driver_that_hangs_costs_its_own_groups_and_delays_nobody() {
    let node = Made::new("driver");
    node.write("proc/uptime", "100.00 50.00\n");
    node.write("sys/devices/system/cpu/online", "0-1\n");
    node.write("proc/1/net/dev", "Inter-|\n face |\n  eth0: 0\n");
    // The Node's network namespace is this thread's.
    std::os::unix::fs::symlink("1", node.0.join("proc/thread-self")).unwrap();
    node.write("sys/class/net/eth0/ifindex", "2\n");
    node.write("sys/class/net/eth0/flags", "0x1003\n");
    node.write("sys/class/net/eth0/device/uevent", "");
    let calls = EthtoolCalls {
        info: |_, _| Err(hang()),
        names: |_, _, _| Err(hang()),
        values: |_, _, _| Err(hang()),
        settings: |_, _| vec![("ring", Err(hang()))],
    };
    let paths = HostPaths { procfs: node.0.join("proc"), sysfs: node.0.join("sys"), process: "1".to_owned() };
    let mut reader = HostReader::new(paths, Some(calls));
    let begun = std::time::Instant::now();
    for second in 1..=20 {
        let sample = reader.read(Duration::from_secs(second));
        let State::Broken(why) = &sample.states[&Group::Ethtool] else { panic!("{:?}", sample.states) };
        assert!(why.contains("drivers") && why.contains("no answer"), "{why}");
        assert_eq!(sample.states[&Group::Cpu], State::Ok, "others are read");
    }
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(10), "20 ticks took {took:?}");
    HANGS.store(false, Ordering::Relaxed);
    while matches!(&reader.read(Duration::from_secs(30)).states[&Group::Ethtool], State::Broken(_)) {
        assert!(begun.elapsed() < Duration::from_secs(60));
    }
}

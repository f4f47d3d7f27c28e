use super::*;
use crate::sample::HostSample;
use std::{fs, io, os::fd::BorrowedFd, path::PathBuf};

/// A made-up Node in a directory.
struct Made(PathBuf);

impl Made {
    fn new(test: &str) -> Self {
        let made = Self(std::env::temp_dir().join(format!("netwhy-facts-{}-{test}", std::process::id())));
        made.write("proc/sys/kernel/osrelease", "6.8.0-45-generic\n");
        made.write("proc/cpuinfo", "processor\t: 0\nmodel name\t: AMD EPYC 7B13\n");
        made.write("proc/meminfo", "MemTotal:       32844924 kB\nMemFree: 1 kB\n");
        made.write("proc/uptime", "86403.17 1.0\n");
        made.write("proc/sys/net/ipv4/tcp_rmem", "4096\t131072\t6291456\n");
        made.write("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
        made.write("sys/devices/system/cpu/online", "0-7\n");
        made
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.0.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn interface(&self, mtu: &str) {
        for (file, text) in [("ifindex", "2"), ("flags", "0x1003"), ("mtu", mtu), ("speed", "-1")] {
            self.write(&format!("sys/class/net/eth0/{file}"), text);
        }
        for queue in ["rx-0", "rx-1", "tx-0"] {
            self.write(&format!("sys/class/net/eth0/queues/{queue}/x"), "");
        }
        self.write("sys/class/net/eth0/statistics/rx_packets", "10\n");
        self.write("proc/1/net/dev", "Inter-|\n face |\n  eth0: 1 10 1 7 0 0 0 0 1 20 2 8 0 0 0 0\n");
        self.write("proc/1/net/route", "Iface\neth0 0 0 1 0 0 0 00000000 0 0 0\n");
    }

    fn source(&self) -> Source {
        let paths = HostPaths { procfs: self.0.join("proc"), sysfs: self.0.join("sys"), process: "1".to_owned() };
        let calls = EthtoolCalls {
            info: |_, _| Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP)),
            names: |_, _, _| Ok(vec![]),
            values: |_, _, _| Ok(vec![]),
            settings: |_: BorrowedFd<'_>, _| {
                let refused = |number| Err(io::Error::from_raw_os_error(number));
                vec![
                    ("rx_ring", Ok("512".to_owned())),
                    ("tx_ring", refused(libc::EOPNOTSUPP)),
                    ("gro", refused(libc::EIO)),
                ]
            },
        };
        let net = NodeNet::new(&paths.procfs, &paths.process);
        facts(&paths, &net, Some(calls))
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn value(sample: &HostSample, name: &str) -> Result<String, State> {
    let found = sample.facts.iter().find(|fact| fact.name == name);
    found.unwrap_or_else(|| panic!("no {name} in {:?}", sample.facts)).value.clone()
}

#[test]
fn facts_are_values_or_say_why_there_is_none() {
    let node = Made::new("values");
    node.interface("9000");
    let sample = (node.source().read)(Duration::from_secs(1));
    assert_eq!(sample.states[&Group::Facts], State::Ok);
    let ok = |text: &str| Ok(text.to_owned());
    for (name, text) in [
        ("kernel", "6.8.0-45-generic"),
        ("cpu", "AMD EPYC 7B13"),
        ("cpus", "8"),
        ("memory", "33633202176"),
        ("uptime", "86403"),
        ("transparent_hugepages", "madvise"),
        ("mtu", "9000"),
        ("rx_queues", "2"),
        ("tx_queues", "1"),
    ] {
        assert_eq!(value(&sample, name), ok(text), "{name}");
    }
    assert_eq!(value(&sample, "speed_mbit"), Err(State::Absent), "a virtual interface has no speed");
    assert_eq!(value(&sample, "machine_type"), Err(State::Absent), "no DMI");
    let units = |name| sample.facts.iter().find(|fact| fact.name == name).unwrap().unit;
    assert_eq!((units("memory"), units("uptime"), units("mtu")), (Some("bytes"), Some("seconds"), None));
}

/// A Node in another network namespace that can't be entered: its own values would be the agent's.
#[test]
fn sysctls_and_drivers_of_another_namespace_are_unsupported_and_not_those_of_the_agent() {
    let node = Made::new("refused");
    node.interface("1500");
    let sample = (node.source().read)(Duration::from_secs(1));
    for name in ["net.ipv4.tcp_rmem", "offloads"] {
        let state = value(&sample, name).unwrap_err();
        assert!(matches!(&state, State::Unsupported(why) if why.contains("hostNetwork")), "{name}: {state:?}");
    }
}

#[test]
fn a_driver_without_a_setting_and_one_that_fails_are_two_things() {
    let (paths, socket) = (HostPaths { procfs: "/proc".into(), sysfs: "/sys".into(), process: "self".into() }, "eth0");
    let told = |number| interface::told("rx_ring", socket, Err(io::Error::from_raw_os_error(number)));
    assert_eq!(told(libc::EOPNOTSUPP), Err(State::Absent));
    assert!(matches!(told(libc::EIO), Err(State::Broken(why)) if why.contains("rx_ring") && why.contains("eth0")));
    // This machine's own sysctls, in the test's own namespace.
    let net = NodeNet::new(&paths.procfs, "thread-self");
    let sample = (facts(&paths, &net, None).read)(Duration::from_secs(1));
    let own = fs::read_to_string("/proc/sys/net/ipv4/tcp_rmem").unwrap();
    assert_eq!(value(&sample, "net.ipv4.tcp_rmem"), Ok(own.split_whitespace().collect::<Vec<_>>().join(" ")));
    assert_eq!(value(&sample, "kernel"), Ok(rustix::system::uname().release().to_string_lossy().into_owned()));
}

#[test]
fn facts_are_read_again_after_a_minute() {
    let node = Made::new("again");
    node.interface("1500");
    let mut source = node.source();
    let mut mtu = |second| value(&(source.read)(Duration::from_secs(second)), "mtu").unwrap();
    assert_eq!(mtu(1), "1500");
    node.write("sys/class/net/eth0/mtu", "9000");
    assert_eq!((mtu(60), mtu(61)), ("1500".to_owned(), "9000".to_owned()));
}

#[test]
fn a_value_is_one_line_of_bounded_length() {
    assert_eq!(bounded(" 4096\t131072\n6291456 "), "4096 131072 6291456");
    assert_eq!(bounded(&"é".repeat(1000)).len(), 256);
    assert_eq!(bounded(&format!("x{}", "é".repeat(1000))).len(), 255);
}

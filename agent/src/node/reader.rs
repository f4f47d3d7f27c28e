//! All signals of the Node, once per tick.

use super::{
    devices::{self, Place, Watched},
    ethtool::{self, EthtoolCalls},
    files::Kept,
    netns::NodeNet,
    qdisc::{Qdisc, QdiscSocket},
    text::{self, Sockstat},
};
use crate::{
    cgroup,
    sample::{Gauge, Group, HostSample, Signal, State},
};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use std::{
    collections::BTreeMap,
    os::fd::{AsFd as _, OwnedFd},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

/// Between two searches for interfaces, and two readings of what drivers count.
const RARELY: Duration = Duration::from_secs(10);
/// More queue disciplines than this are asked for every [`SELDOM`] only.
const MANY_QDISCS: usize = 200;
/// Half a window: no window goes without a reading.
const SELDOM: Duration = Duration::from_secs(5);

/// Where the Node's signals are.
#[derive(Clone, Debug)]
pub struct HostPaths {
    /// The host's procfs.
    pub procfs: PathBuf,
    /// The host's sysfs.
    pub sysfs: PathBuf,
    /// Process whose network namespace is the Node's: its number, or `self`.
    pub process: String,
}

/// Reads the Node's signals; keeps its files and sockets open.
#[derive(Debug)]
pub struct HostReader {
    paths: HostPaths,
    net: NodeNet,
    calls: Option<EthtoolCalls>,
    files: Files,
    uplinks: Vec<Uplink>,
    place: Place,
    sockets: Result<Sockets, String>,
    found_at: Option<Duration>,
    qdiscs_at: Option<Duration>,
    qdiscs_seen: usize,
    /// Of the newest answer, for ticks without one.
    backlogs: Vec<(Gauge, Option<Arc<str>>, u64)>,
    text: Vec<u8>,
}

/// An interface, and what its driver counts of a cloud's limits.
#[derive(Debug)]
struct Uplink {
    watched: Watched,
    /// Places among the driver's own counters; and how many those are.
    allowances: Vec<(usize, Signal)>,
    counters: usize,
}

#[derive(Debug)]
struct Sockets {
    qdiscs: Result<QdiscSocket, String>,
    ethtool: Result<OwnedFd, String>,
}

/// Files with fixed places.
#[derive(Debug)]
struct Files {
    pressure: [Kept; 3],
    uptime: Kept,
    cpus: Kept,
    softnet: Kept,
    conntrack: Kept,
    dev: Kept,
    netstat: Kept,
    snmp: Kept,
    sockstat: Kept,
    conntrack_max: Kept,
    tcp_mem: Kept,
    port_range: Kept,
}

impl Files {
    fn new(paths: &HostPaths) -> Self {
        let proc = |name: &str| Kept::new(paths.procfs.join(name));
        let net = |name: &str| Kept::new(paths.procfs.join(&paths.process).join("net").join(name));
        Self {
            pressure: ["pressure/cpu", "pressure/memory", "pressure/io"].map(proc),
            uptime: proc("uptime"),
            cpus: Kept::new(paths.sysfs.join("devices/system/cpu/online")),
            softnet: net("softnet_stat"),
            conntrack: net("stat/nf_conntrack"),
            dev: net("dev"),
            netstat: net("netstat"),
            snmp: net("snmp"),
            sockstat: net("sockstat"),
            conntrack_max: proc("sys/net/netfilter/nf_conntrack_max"),
            tcp_mem: proc("sys/net/ipv4/tcp_mem"),
            port_range: proc("sys/net/ipv4/ip_local_port_range"),
        }
    }
}

impl HostReader {
    /// A reader that has read nothing. `calls`: how to ask drivers; `None`: they are not asked.
    pub fn new(paths: HostPaths, calls: Option<EthtoolCalls>) -> Self {
        let net = NodeNet::new(&paths.procfs, &paths.process);
        let files = Files::new(&paths);
        Self {
            paths,
            net,
            calls,
            files,
            uplinks: Vec::new(),
            place: Place::Sysfs,
            sockets: Err(String::new()),
            found_at: None,
            qdiscs_at: None,
            qdiscs_seen: 0,
            backlogs: Vec::new(),
            text: Vec::new(),
        }
    }

    /// Everything, at a monotonic time. What can't be read is said, and never ends the reading.
    pub fn read(&mut self, now: Duration) -> HostSample {
        let rarely = self.found_at.is_none_or(|at| now.saturating_sub(at) >= RARELY);
        if rarely {
            self.found_at = Some(now);
            self.look_around();
        }
        let mut out = HostSample::default();
        self.note(&mut out, Group::Pressure, Self::pressure);
        self.note(&mut out, Group::Cpu, Self::cpu);
        self.note(&mut out, Group::Softnet, Self::softnet);
        self.note(&mut out, Group::Conntrack, Self::conntrack);
        self.note(&mut out, Group::Tcp, Self::tcp);
        let sockets = self.files.sockstat.parsed(&mut self.text, &hidden(), text::sockstat);
        self.note(&mut out, Group::TcpMemory, |this, out| this.tcp_memory(out, sockets.clone()?));
        self.note(&mut out, Group::Ports, |this, out| this.ports(out, sockets.clone()?));
        self.note(&mut out, Group::Devices, Self::devices);
        self.note(&mut out, Group::Ethtool, |this, out| this.allowances(out, rarely));
        self.note(&mut out, Group::Qdiscs, |this, out| this.qdiscs(out, now));
        out
    }

    fn note(
        &mut self,
        out: &mut HostSample,
        group: Group,
        read: impl FnOnce(&mut Self, &mut HostSample) -> Result<(), State>,
    ) {
        let state = read(self, out).map_or_else(|state| state, |()| State::Ok);
        out.states.insert(group, state);
    }

    /// Finds the interfaces, and opens what belongs to the Node's network namespace.
    fn look_around(&mut self) {
        let Self { net, files, calls, .. } = self;
        let sysctls = [&mut files.conntrack_max, &mut files.tcp_mem, &mut files.port_range];
        let missing = self.sockets.is_err();
        let opened = net.run(|| {
            for file in sysctls.into_iter().filter(|file| !file.is_open()) {
                file.open();
            }
            missing.then(Sockets::open)
        });
        match opened {
            Ok(Some(sockets)) => self.sockets = Ok(sockets),
            Ok(None) => {}
            Err(why) => self.sockets = Err(why),
        }
        let socket = self.sockets.as_ref().ok().and_then(|s| s.ethtool.as_ref().ok());
        let calls = calls.zip(socket);
        let (place, found) = devices::find(&self.paths.sysfs, &self.net.process);
        let mut before = std::mem::take(&mut self.uplinks);
        let mut known = |mut found: Watched| {
            if let (0, Some((_, socket))) = (found.device.index, calls) {
                // Only the kernel knows, where sysfs is another namespace's.
                let index = rustix::net::netdevice::name_to_index(socket, &found.device.name);
                found.device.index = index.unwrap_or(0);
            }
            let key = |watched: &Watched| (watched.device.name.clone(), watched.device.index);
            let same = before.iter().position(|old| place == self.place && key(&old.watched) == key(&found));
            match same {
                Some(place) => before.swap_remove(place),
                None => Uplink::new(found, calls),
            }
        };
        self.uplinks = found.into_iter().map(&mut known).collect();
        self.place = place;
    }

    fn pressure(&mut self, out: &mut HostSample) -> Result<(), State> {
        use Signal as S;
        let totals = [
            [S::PressureCpuSome, S::PressureCpuFull],
            [S::PressureMemorySome, S::PressureMemoryFull],
            [S::PressureIoSome, S::PressureIoFull],
        ];
        let missing = State::Unsupported("the kernel has no PSI: it needs 4.20, CONFIG_PSI=y and psi=1".to_owned());
        for (file, [some, full]) in self.files.pressure.iter_mut().zip(totals) {
            let (some_us, full_us) = file.parsed(&mut self.text, &missing, cgroup::stall_us)?;
            out.counters.extend([(some, None, some_us), (full, None, full_us)]);
        }
        Ok(())
    }

    fn cpu(&mut self, out: &mut HostSample) -> Result<(), State> {
        let idle = self.files.uptime.parsed(&mut self.text, &State::Absent, text::idle_us)?;
        out.counters.push((Signal::CpuIdle, None, idle));
        let cpus = self.files.cpus.parsed(&mut self.text, &State::Absent, text::cpus)?;
        out.gauges.push((Gauge::Cpus, None, cpus));
        Ok(())
    }

    fn softnet(&mut self, out: &mut HostSample) -> Result<(), State> {
        for row in self.files.softnet.parsed(&mut self.text, &hidden(), text::softnet)? {
            let cpu: Option<Arc<str>> = Some(row.cpu.to_string().into());
            out.counters.push((Signal::SoftnetProcessed, cpu.clone(), row.processed));
            out.counters.push((Signal::SoftnetDropped, cpu.clone(), row.dropped));
            out.counters.push((Signal::SoftnetSqueezed, cpu, row.squeezed));
        }
        Ok(())
    }

    fn conntrack(&mut self, out: &mut HostSample) -> Result<(), State> {
        let limit = self.files.conntrack_max.parsed(&mut self.text, &State::Absent, text::single)?;
        let missing = State::Unsupported("the kernel has no CONFIG_NF_CONNTRACK_PROCFS".to_owned());
        let table = self.files.conntrack.parsed(&mut self.text, &missing, text::conntrack)?;
        out.gauges.push((Gauge::ConntrackEntries, None, table.entries));
        out.gauges.push((Gauge::ConntrackLimit, None, limit));
        out.counters.push((Signal::ConntrackInsertFailed, None, table.insert_failed));
        out.counters.push((Signal::ConntrackDrop, None, table.drop));
        out.counters.push((Signal::ConntrackEarlyDrop, None, table.early_drop));
        Ok(())
    }

    fn tcp(&mut self, out: &mut HostSample) -> Result<(), State> {
        for file in [&mut self.files.netstat, &mut self.files.snmp] {
            let found = file.parsed(&mut self.text, &hidden(), |text| text::mib(text, Signal::ALL))?;
            out.counters.extend(found.into_iter().map(|(signal, n)| (signal, None, n)));
        }
        Ok(())
    }

    fn tcp_memory(&mut self, out: &mut HostSample, sockets: Sockstat) -> Result<(), State> {
        out.gauges.push((Gauge::TcpMemoryUsed, None, sockets.pages));
        let why = "tcp_mem is shown in the host's network namespace only: set hostNetwork: true in the chart";
        let missing = State::Unsupported(why.to_owned());
        let [_, pressure, limit] = self.files.tcp_mem.parsed(&mut self.text, &missing, text::several)?;
        out.gauges.push((Gauge::TcpMemoryPressure, None, pressure));
        out.gauges.push((Gauge::TcpMemoryLimit, None, limit));
        Ok(())
    }

    fn ports(&mut self, out: &mut HostSample, sockets: Sockstat) -> Result<(), State> {
        out.gauges.push((Gauge::PortsUsed, None, sockets.in_use + sockets.time_wait));
        // The agent's own range says nothing of the Node's.
        if let (false, Err(why)) = (self.net.is_own(), &self.sockets) {
            return Err(State::Unsupported(why.clone()));
        }
        let [low, high] = self.files.port_range.parsed(&mut self.text, &State::Absent, text::several)?;
        out.gauges.push((Gauge::PortsRange, None, (high + 1).saturating_sub(low)));
        Ok(())
    }

    fn devices(&mut self, out: &mut HostSample) -> Result<(), State> {
        out.devices.extend(self.uplinks.iter().map(|uplink| uplink.watched.device.clone()));
        if self.uplinks.is_empty() {
            return Err(State::Absent);
        }
        if self.place == Place::Sysfs {
            let mut watched = self.uplinks.iter_mut().map(|uplink| &mut uplink.watched);
            return watched.try_for_each(|watched| watched.read(&mut self.text, &mut out.counters));
        }
        let devices = &out.devices;
        let found = self.files.dev.parsed(&mut self.text, &hidden(), |text| {
            let mut found = Vec::new();
            for device in devices {
                let counters = text::device_counters(text, &device.name)?.into_iter().flatten();
                found.extend(counters.map(|(signal, n)| (signal, Some(device.name.clone()), n)));
            }
            Ok(found)
        })?;
        out.counters.extend(found);
        Err(State::Unsupported(format!(
            "packets, errors and drops only: {} shows another network namespace than the Node's; mount the Node's /sys and \
             name it with --sysfs, or set hostNetwork: true in the chart",
            self.paths.sysfs.join("class/net").display()
        )))
    }

    fn allowances(&mut self, out: &mut HostSample, rarely: bool) -> Result<(), State> {
        let unsupported = |why: &str| State::Unsupported(why.to_owned());
        let calls = self.calls.ok_or_else(|| unsupported("this build has no kernel side"))?;
        let sockets = self.sockets.as_ref().map_err(|why| unsupported(why))?;
        let socket = sockets.ethtool.as_ref().map_err(|why| State::Broken(why.clone()))?;
        let uplinks = &self.uplinks;
        if uplinks.iter().all(|uplink| uplink.allowances.is_empty()) {
            return Err(State::Absent);
        }
        for uplink in uplinks.iter().filter(|uplink| rarely && !uplink.allowances.is_empty()) {
            let name = &uplink.watched.device.name;
            let values = (calls.values)(socket.as_fd(), name, uplink.counters)
                .map_err(|error| State::Broken(format!("ask the driver of {name} for its counters: {error}")))?;
            let known = uplink.allowances.iter().filter_map(|(place, signal)| Some((*signal, *values.get(*place)?)));
            out.counters.extend(known.map(|(signal, value)| (signal, Some(name.clone()), value)));
        }
        Ok(())
    }

    fn qdiscs(&mut self, out: &mut HostSample, now: Duration) -> Result<(), State> {
        let sockets = self.sockets.as_mut().map_err(|why| State::Unsupported(why.clone()))?;
        let socket = sockets.qdiscs.as_mut().map_err(|why| State::Broken(why.clone()))?;
        let uplinks = &mut self.uplinks;
        if uplinks.is_empty() {
            return Err(State::Absent);
        }
        let due = self.qdiscs_at.is_none_or(|at| now.saturating_sub(at) >= SELDOM);
        if self.qdiscs_seen > MANY_QDISCS && !due {
            out.gauges.extend(self.backlogs.iter().cloned());
            return Ok(());
        }
        let all =
            socket.dump().map_err(|error| State::Broken(format!("ask rtnetlink for queue disciplines: {error}")))?;
        (self.qdiscs_at, self.qdiscs_seen) = (Some(now), all.len());
        let places: BTreeMap<u32, usize> =
            uplinks.iter().enumerate().map(|(i, u)| (u.watched.device.index, i)).collect();
        let noted = out.gauges.len();
        for qdisc in &all {
            if let Some(place) = places.get(&qdisc.index) {
                let device = &mut uplinks[*place].watched.device;
                if qdisc.is_root && device.qdisc.as_ref() != Some(&qdisc.kind) {
                    device.qdisc = Some(qdisc.kind.clone());
                }
                push_qdisc(out, &device.name, qdisc);
            }
        }
        self.backlogs = out.gauges[noted..].to_vec();
        // The devices were noted before their disciplines were known.
        for (noted, uplink) in out.devices.iter_mut().zip(uplinks) {
            noted.qdisc.clone_from(&uplink.watched.device.qdisc);
        }
        Ok(())
    }
}

fn push_qdisc(out: &mut HostSample, device: &Arc<str>, qdisc: &Qdisc) {
    let on = || Some(device.clone());
    if qdisc.is_ingress {
        out.counters.push((Signal::IngressDrops, on(), qdisc.drops.into()));
    }
    if qdisc.is_root {
        out.counters.push((Signal::QdiscPackets, on(), qdisc.packets));
        out.counters.push((Signal::QdiscDrops, on(), qdisc.drops.into()));
        out.counters.push((Signal::QdiscOverlimits, on(), qdisc.overlimits.into()));
        out.counters.push((Signal::QdiscRequeues, on(), qdisc.requeues.into()));
        out.gauges.push((Gauge::QdiscBacklogBytes, on(), qdisc.backlog_bytes.into()));
        out.gauges.push((Gauge::QdiscBacklogPackets, on(), qdisc.backlog_packets.into()));
    }
}

/// Files of the Node's first process that are not there.
fn hidden() -> State {
    State::Broken(
        "the Node's processes are not to be seen: set hostPID: true in the chart, or check --procfs".to_owned(),
    )
}

impl Uplink {
    fn new(mut watched: Watched, calls: Option<(EthtoolCalls, &OwnedFd)>) -> Self {
        let (mut allowances, mut counters) = (Vec::new(), 0);
        if let Some((calls, socket)) = calls
            && let Ok(info) = (calls.info)(socket.as_fd(), &watched.device.name)
        {
            let device = &mut watched.device;
            device.driver = device.driver.take().or_else(|| ethtool::told(info.driver));
            device.version = ethtool::told(info.version);
            device.firmware = ethtool::told(info.firmware);
            counters = info.counters;
            let names = (calls.names)(socket.as_fd(), &device.name, counters);
            allowances = ethtool::allowances(&names.unwrap_or_default());
        }
        Self { watched, allowances, counters }
    }
}

impl Sockets {
    /// In the network namespace of this thread.
    fn open() -> Self {
        let ethtool = rustix::net::socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None);
        Self {
            qdiscs: QdiscSocket::open().map_err(|error| format!("make a socket of rtnetlink: {error}")),
            ethtool: ethtool.map_err(|error| format!("make a socket for ethtool: {error}")),
        }
    }
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;

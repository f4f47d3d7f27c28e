//! All signals of the Node, once per tick.

use super::{
    devices::{self, CounterSource, Interface},
    ethtool::EthtoolCalls,
    files::OpenFile,
    netns::NodeNet,
    text::{self, Sockstat},
    uplinks::{Sockets, Uplink, push_qdisc},
};
use crate::{
    cgroup,
    sample::{Gauge, Group, HostSample, Signal, State},
};
use std::{collections::BTreeMap, os::fd::AsFd as _, path::PathBuf, sync::Arc, time::Duration};

/// Time between two searches for interfaces, and between two readings of driver counters.
const DISCOVERY_INTERVAL: Duration = Duration::from_secs(10);
/// More queue disciplines than this are read every [`QDISC_INTERVAL`] only.
const MANY_QDISCS: usize = 200;
/// Half a window, so that each window has a reading.
const QDISC_INTERVAL: Duration = Duration::from_secs(5);

/// Locations of the Node's signals.
#[derive(Clone, Debug)]
pub struct HostPaths {
    /// The host's procfs.
    pub procfs: PathBuf,
    /// The host's sysfs.
    pub sysfs: PathBuf,
    /// A process in the Node's network namespace: its number, or `self`.
    pub process: String,
}

/// Reads the Node's signals. Keeps files and sockets open.
#[derive(Debug)]
pub struct HostReader {
    paths: HostPaths,
    net: NodeNet,
    calls: Option<EthtoolCalls>,
    files: Files,
    uplinks: Vec<Uplink>,
    source: CounterSource,
    sockets: Result<Sockets, String>,
    discovered_at: Option<Duration>,
    qdiscs_at: Option<Duration>,
    qdiscs_count: usize,
    /// Backlogs of the last reading, for ticks without one.
    backlogs: Vec<(Gauge, Option<Arc<str>>, u64)>,
    text: Vec<u8>,
}

/// Files with fixed paths.
#[derive(Debug)]
struct Files {
    pressure: [OpenFile; 3],
    uptime: OpenFile,
    cpus: OpenFile,
    softnet: OpenFile,
    conntrack: OpenFile,
    dev: OpenFile,
    netstat: OpenFile,
    snmp: OpenFile,
    sockstat: OpenFile,
    conntrack_max: OpenFile,
    tcp_mem: OpenFile,
    port_range: OpenFile,
}

impl Files {
    fn new(paths: &HostPaths) -> Self {
        let proc = |name: &str| OpenFile::new(paths.procfs.join(name));
        let net = |name: &str| OpenFile::new(paths.procfs.join(&paths.process).join("net").join(name));
        Self {
            pressure: ["pressure/cpu", "pressure/memory", "pressure/io"].map(proc),
            uptime: proc("uptime"),
            cpus: OpenFile::new(paths.sysfs.join("devices/system/cpu/online")),
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
    /// A reader before its first reading. `calls`: the ethtool calls; `None`: drivers are not asked.
    pub fn new(paths: HostPaths, calls: Option<EthtoolCalls>) -> Self {
        let net = NodeNet::new(&paths.procfs, &paths.process);
        let files = Files::new(&paths);
        Self {
            paths,
            net,
            calls,
            files,
            uplinks: Vec::new(),
            source: CounterSource::Sysfs,
            sockets: Err(String::new()),
            discovered_at: None,
            qdiscs_at: None,
            qdiscs_count: 0,
            backlogs: Vec::new(),
            text: Vec::new(),
        }
    }

    /// Finds the interfaces, and opens what a process without rights can't open: files and sockets in the Node's network
    /// namespace.
    #[must_use]
    pub fn prepared(mut self, now: Duration) -> Self {
        self.discovered_at = Some(now);
        self.discover();
        self
    }

    /// Reads all groups, at a monotonic time. A group that can't be read has a state that says why.
    pub fn read(&mut self, now: Duration) -> HostSample {
        let is_discovery_due = self.discovered_at.is_none_or(|at| now.saturating_sub(at) >= DISCOVERY_INTERVAL);
        if is_discovery_due {
            self.discovered_at = Some(now);
            self.discover();
        }
        let mut out = HostSample::default();
        self.read_group(&mut out, Group::Pressure, Self::pressure);
        self.read_group(&mut out, Group::Cpu, Self::cpu);
        self.read_group(&mut out, Group::Softnet, Self::softnet);
        self.read_group(&mut out, Group::Conntrack, Self::conntrack);
        self.read_group(&mut out, Group::Tcp, Self::tcp);
        let sockets = self.files.sockstat.parsed(&mut self.text, &hidden(), text::sockstat);
        self.read_group(&mut out, Group::TcpMemory, |this, out| this.tcp_memory(out, sockets.clone()?));
        self.read_group(&mut out, Group::Ports, |this, out| this.ports(out, sockets.clone()?));
        self.read_group(&mut out, Group::Devices, Self::devices);
        self.read_group(&mut out, Group::Ethtool, |this, out| this.allowances(out, is_discovery_due));
        self.read_group(&mut out, Group::Qdiscs, |this, out| this.qdiscs(out, now));
        out
    }

    /// Reads one group and records its state.
    fn read_group(
        &mut self,
        out: &mut HostSample,
        group: Group,
        read: impl FnOnce(&mut Self, &mut HostSample) -> Result<(), State>,
    ) {
        let state = read(self, out).map_or_else(|state| state, |()| State::Ok);
        out.states.insert(group, state);
    }

    /// Finds the interfaces, and opens files and sockets in the Node's network namespace.
    fn discover(&mut self) {
        let Self { net, files, calls, .. } = self;
        let sysctls = [&mut files.conntrack_max, &mut files.tcp_mem, &mut files.port_range];
        let needs_sockets = self.sockets.is_err();
        let missing: Vec<_> = sysctls.into_iter().filter(|file| !file.is_open()).collect();
        if needs_sockets || !missing.is_empty() {
            let opened = net.run(|| {
                missing.into_iter().for_each(OpenFile::open);
                needs_sockets.then(Sockets::open)
            });
            match opened {
                Ok(Some(sockets)) => self.sockets = Ok(sockets),
                // Open sockets stay usable after the agent dropped the right to enter the namespace.
                Err(why) if needs_sockets => self.sockets = Err(why),
                Ok(None) | Err(_) => {}
            }
        }
        let socket = self.sockets.as_ref().ok().and_then(|s| s.ethtool.as_ref().ok());
        let calls = calls.zip(socket);
        let (source, found) = devices::find(&self.paths.sysfs, &self.net.process);
        let mut before = std::mem::take(&mut self.uplinks);
        let mut uplink = |mut found: Interface| {
            if let (0, Some((_, socket))) = (found.device.index, calls) {
                // sysfs shows another namespace, so ask the kernel for the index.
                let index = rustix::net::netdevice::name_to_index(socket, &found.device.name);
                found.device.index = index.unwrap_or(0);
            }
            let key = |interface: &Interface| (interface.device.name.clone(), interface.device.index);
            let same = before.iter().position(|old| source == self.source && key(&old.interface) == key(&found));
            match same {
                Some(index) => before.swap_remove(index),
                None => Uplink::new(found, calls),
            }
        };
        self.uplinks = found.into_iter().map(&mut uplink).collect();
        self.source = source;
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
        let why = "only the host's network namespace shows tcp_mem: set hostNetwork: true in the chart";
        let missing = State::Unsupported(why.to_owned());
        let [_, pressure, limit] = self.files.tcp_mem.parsed(&mut self.text, &missing, text::several)?;
        out.gauges.push((Gauge::TcpMemoryPressure, None, pressure));
        out.gauges.push((Gauge::TcpMemoryLimit, None, limit));
        Ok(())
    }

    fn ports(&mut self, out: &mut HostSample, sockets: Sockstat) -> Result<(), State> {
        out.gauges.push((Gauge::PortsUsed, None, sockets.in_use + sockets.time_wait));
        // The range of the agent's namespace is not the Node's.
        if let (false, Err(why)) = (self.net.is_current(), &self.sockets) {
            return Err(State::Unsupported(why.clone()));
        }
        let [low, high] = self.files.port_range.parsed(&mut self.text, &State::Absent, text::several)?;
        out.gauges.push((Gauge::PortsRange, None, (high + 1).saturating_sub(low)));
        Ok(())
    }

    fn devices(&mut self, out: &mut HostSample) -> Result<(), State> {
        out.devices.extend(self.uplinks.iter().map(|uplink| uplink.interface.device.clone()));
        if self.uplinks.is_empty() {
            return Err(State::Absent);
        }
        if self.source == CounterSource::Sysfs {
            let mut interfaces = self.uplinks.iter_mut().map(|uplink| &mut uplink.interface);
            return interfaces.try_for_each(|interface| interface.read(&mut self.text, &mut out.counters));
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
            "only packets, errors and drops: {} does not show the Node's network namespace; mount the Node's /sys and \
             pass it as --sysfs, or set hostNetwork: true in the chart",
            self.paths.sysfs.join("class/net").display()
        )))
    }

    fn allowances(&mut self, out: &mut HostSample, is_due: bool) -> Result<(), State> {
        let unsupported = |why: &str| State::Unsupported(why.to_owned());
        let calls = self.calls.ok_or_else(|| unsupported("this build lacks the `ebpf` feature"))?;
        let sockets = self.sockets.as_ref().map_err(|why| unsupported(why))?;
        let socket = sockets.ethtool.as_ref().map_err(|why| State::Broken(why.clone()))?;
        let uplinks = &self.uplinks;
        if uplinks.iter().all(|uplink| uplink.allowances.is_empty()) {
            return Err(State::Absent);
        }
        for uplink in uplinks.iter().filter(|uplink| is_due && !uplink.allowances.is_empty()) {
            let name = &uplink.interface.device.name;
            let values = (calls.values)(socket.as_fd(), name, uplink.counters)
                .map_err(|error| State::Broken(format!("read the driver counters of {name}: {error}")))?;
            let known = uplink.allowances.iter().filter_map(|(index, signal)| Some((*signal, *values.get(*index)?)));
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
        let is_due = self.qdiscs_at.is_none_or(|at| now.saturating_sub(at) >= QDISC_INTERVAL);
        if self.qdiscs_count > MANY_QDISCS && !is_due {
            out.gauges.extend(self.backlogs.iter().cloned());
            return Ok(());
        }
        let all = socket
            .dump()
            .map_err(|error| State::Broken(format!("read queue disciplines through rtnetlink: {error}")))?;
        (self.qdiscs_at, self.qdiscs_count) = (Some(now), all.len());
        let indices: BTreeMap<u32, usize> =
            uplinks.iter().enumerate().map(|(i, u)| (u.interface.device.index, i)).collect();
        let before = out.gauges.len();
        for qdisc in &all {
            if let Some(index) = indices.get(&qdisc.index) {
                let device = &mut uplinks[*index].interface.device;
                if qdisc.is_root && device.qdisc.as_ref() != Some(&qdisc.kind) {
                    device.qdisc = Some(qdisc.kind.clone());
                }
                push_qdisc(out, &device.name, qdisc);
            }
        }
        self.backlogs = out.gauges[before..].to_vec();
        // The sample's devices were copied before their disciplines were known.
        for (device, uplink) in out.devices.iter_mut().zip(uplinks) {
            device.qdisc.clone_from(&uplink.interface.device.qdisc);
        }
        Ok(())
    }
}

/// State of a missing file of the Node's first process.
fn hidden() -> State {
    State::Broken("the Node's processes are not visible: set hostPID: true in the chart, or check --procfs".to_owned())
}

#[cfg(test)]
mod tests;

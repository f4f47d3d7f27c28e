//! Signals that are read from procfs: one source for each group of files that can hang together.

use super::{
    files::{OpenFile, hidden},
    netns::NodeNet,
    source::{HostPaths, Source, read_group},
    text,
};
use crate::{
    cgroup,
    sample::{Gauge, Group, Signal, State},
};
use std::{path::Path, sync::Arc, time::Duration};

/// Time between two tries to open files in the Node's network namespace.
const RETRY_INTERVAL: Duration = Duration::from_secs(10);

/// Files of `/proc/sys/net`, which show the network namespace of the thread that opens them.
pub(super) struct Sysctls<const N: usize> {
    net: NodeNet,
    pub(super) files: [OpenFile; N],
    tried: Duration,
    /// Why the namespace can't be entered. `None`: it was, or need not be.
    pub(super) refused: Option<String>,
}

impl<const N: usize> Sysctls<N> {
    /// Opens now what only another network namespace shows, because that needs a capability.
    pub(super) fn new(net: &NodeNet, files: [OpenFile; N]) -> Self {
        let mut this = Self { net: net.clone(), files, tried: Duration::ZERO, refused: None };
        this.open();
        this
    }

    /// Tries again to open what is not open.
    pub(super) fn retry(&mut self, now: Duration) {
        if now.saturating_sub(self.tried) >= RETRY_INTERVAL {
            self.tried = now;
            self.open();
        }
    }

    fn open(&mut self) {
        if self.net.is_current() || self.files.iter().all(OpenFile::is_open) {
            return;
        }
        let files = &mut self.files;
        let opened = self.net.run(|| files.iter_mut().filter(|file| !file.is_open()).for_each(OpenFile::open));
        self.refused = opened.err();
    }
}

fn place(path: &Path) -> String {
    path.display().to_string()
}

pub(super) fn pressure(paths: &HostPaths) -> Source {
    use Signal as S;
    let totals = [
        [S::PressureCpuSome, S::PressureCpuFull],
        [S::PressureMemorySome, S::PressureMemoryFull],
        [S::PressureIoSome, S::PressureIoFull],
    ];
    let dir = paths.procfs.join("pressure");
    let mut files = ["cpu", "memory", "io"].map(|name| OpenFile::new(dir.join(name)));
    let mut text = Vec::new();
    let missing = State::Unsupported("the kernel has no PSI: it needs 4.20, CONFIG_PSI=y and psi=1".to_owned());
    Source::of_group(Group::Pressure, place(&dir), move |out, _| {
        for (file, [some, full]) in files.iter_mut().zip(totals) {
            let (some_us, full_us) = file.parsed(&mut text, &missing, cgroup::stall_us)?;
            out.counters.extend([(some, None, some_us), (full, None, full_us)]);
        }
        Ok(())
    })
}

pub(super) fn cpu(paths: &HostPaths) -> Source {
    let online = paths.sysfs.join("devices/system/cpu/online");
    let at = format!("{} or {}", paths.procfs.join("uptime").display(), online.display());
    let (mut uptime, mut cpus) = (OpenFile::new(paths.procfs.join("uptime")), OpenFile::new(online));
    let mut text = Vec::new();
    Source::of_group(Group::Cpu, at, move |out, _| {
        let idle = uptime.parsed(&mut text, &State::Absent, text::idle_us)?;
        out.counters.push((Signal::CpuIdle, None, idle));
        let cpus = cpus.parsed(&mut text, &State::Absent, text::cpus)?;
        out.gauges.push((Gauge::Cpus, None, cpus));
        Ok(())
    })
}

pub(super) fn softnet(net: &NodeNet) -> Source {
    let path = net.process.join("net/softnet_stat");
    let (at, mut file, mut text) = (place(&path), OpenFile::new(path), Vec::new());
    Source::of_group(Group::Softnet, at, move |out, _| {
        for row in file.parsed(&mut text, &hidden(), text::softnet)? {
            let cpu: Option<Arc<str>> = Some(row.cpu.to_string().into());
            out.counters.push((Signal::SoftnetProcessed, cpu.clone(), row.processed));
            out.counters.push((Signal::SoftnetDropped, cpu.clone(), row.dropped));
            out.counters.push((Signal::SoftnetSqueezed, cpu, row.squeezed));
        }
        Ok(())
    })
}

pub(super) fn conntrack(paths: &HostPaths, net: &NodeNet) -> Source {
    let limit = paths.procfs.join("sys/net/netfilter/nf_conntrack_max");
    let path = net.process.join("net/stat/nf_conntrack");
    let at = format!("{} or {}", limit.display(), path.display());
    let mut limits = Sysctls::new(net, [OpenFile::new(limit)]);
    let (mut file, mut text) = (OpenFile::new(path), Vec::new());
    let missing = State::Unsupported("the kernel has no CONFIG_NF_CONNTRACK_PROCFS".to_owned());
    Source::of_group(Group::Conntrack, at, move |out, now| {
        limits.retry(now);
        let [limit] = &mut limits.files;
        let limit = limit.parsed(&mut text, &State::Absent, text::single)?;
        let table = file.parsed(&mut text, &missing, text::conntrack)?;
        out.gauges.push((Gauge::ConntrackEntries, None, table.entries));
        out.gauges.push((Gauge::ConntrackLimit, None, limit));
        out.counters.push((Signal::ConntrackInsertFailed, None, table.insert_failed));
        out.counters.push((Signal::ConntrackDrop, None, table.drop));
        out.counters.push((Signal::ConntrackEarlyDrop, None, table.early_drop));
        Ok(())
    })
}

pub(super) fn tcp(net: &NodeNet) -> Source {
    let [netstat, snmp] = ["net/netstat", "net/snmp"].map(|name| net.process.join(name));
    let at = format!("{} or {}", netstat.display(), snmp.display());
    let (mut files, mut text) = ([netstat, snmp].map(OpenFile::new), Vec::new());
    Source::of_group(Group::Tcp, at, move |out, _| {
        for file in &mut files {
            let found = file.parsed(&mut text, &hidden(), |text| text::mib(text, Signal::ALL))?;
            out.counters.extend(found.into_iter().map(|(signal, n)| (signal, None, n)));
        }
        Ok(())
    })
}

/// TCP's memory and the local ports.
pub(super) fn sockets(paths: &HostPaths, net: &NodeNet) -> Source {
    let path = net.process.join("net/sockstat");
    let ipv4 = paths.procfs.join("sys/net/ipv4");
    let at = format!("{} or {}", path.display(), ipv4.display());
    let (mut file, mut text) = (OpenFile::new(path), Vec::new());
    let files = ["tcp_mem", "ip_local_port_range"].map(|name| OpenFile::new(ipv4.join(name)));
    let mut sysctls = Sysctls::new(net, files);
    Source::new(&[Group::TcpMemory, Group::Ports], at, move |now| {
        sysctls.retry(now);
        let (refused, [tcp_mem, port_range]) = (&sysctls.refused, &mut sysctls.files);
        let mut out = crate::sample::HostSample::default();
        let sockets = file.parsed(&mut text, &hidden(), text::sockstat);
        read_group(&mut out, Group::TcpMemory, |out| {
            out.gauges.push((Gauge::TcpMemoryUsed, None, sockets.clone()?.pages));
            out.gauges.push((Gauge::TcpMemoryPage, None, rustix::param::page_size() as u64));
            let why = "only the host's network namespace shows tcp_mem: set hostNetwork: true in the chart";
            let missing = State::Unsupported(why.to_owned());
            let [_, pressure, limit] = tcp_mem.parsed(&mut text, &missing, text::several)?;
            out.gauges.push((Gauge::TcpMemoryPressure, None, pressure));
            out.gauges.push((Gauge::TcpMemoryLimit, None, limit));
            Ok(())
        });
        read_group(&mut out, Group::Ports, |out| {
            let sockets = sockets.clone()?;
            out.gauges.push((Gauge::PortsUsed, None, sockets.in_use + sockets.time_wait));
            // The range of the agent's namespace is not the Node's.
            if let (Some(why), false) = (refused, port_range.is_open()) {
                return Err(State::Unsupported(why.clone()));
            }
            let [low, high] = port_range.parsed(&mut text, &State::Absent, text::several)?;
            out.gauges.push((Gauge::PortsRange, None, (high + 1).saturating_sub(low)));
            Ok(())
        });
        out
    })
}

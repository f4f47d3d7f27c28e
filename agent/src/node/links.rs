//! Signals of the interfaces that lead out of the Node: their counters, driver counters and queue disciplines.

use super::{
    devices::{self, CounterSource, Interface},
    ethtool::EthtoolCalls,
    files::{OpenFile, hidden},
    netns::NodeNet,
    source::{HostPaths, Source, read_group},
    text,
    uplinks::{Sockets, Uplink, push_qdisc},
};
use crate::sample::{Gauge, Group, HostSample, State};
use std::{collections::BTreeMap, os::fd::AsFd as _, path::PathBuf, sync::Arc, time::Duration};

/// Time between two searches for interfaces, and between two readings of driver counters.
const DISCOVERY_INTERVAL: Duration = Duration::from_secs(10);
/// More queue disciplines than this are read every [`QDISC_INTERVAL`] only.
const MANY_QDISCS: usize = 200;
/// Half a window, so that each window has a reading.
const QDISC_INTERVAL: Duration = Duration::from_secs(5);

/// Reads the interfaces. Keeps files and sockets open.
struct Links {
    sysfs: PathBuf,
    net: NodeNet,
    calls: Option<EthtoolCalls>,
    dev: OpenFile,
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

/// The interfaces. Opens now what only another network namespace shows, because that needs a capability.
pub(super) fn links(paths: &HostPaths, net: &NodeNet, calls: Option<EthtoolCalls>) -> Source {
    let opened = if net.is_current() { Err(String::new()) } else { net.run(Sockets::open) };
    let mut links = Links {
        sysfs: paths.sysfs.clone(),
        net: net.clone(),
        calls,
        dev: OpenFile::new(net.process.join("net/dev")),
        uplinks: Vec::new(),
        source: CounterSource::Sysfs,
        sockets: opened,
        discovered_at: None,
        qdiscs_at: None,
        qdiscs_count: 0,
        backlogs: Vec::new(),
        text: Vec::new(),
    };
    let place = format!("{}, rtnetlink and drivers", paths.sysfs.join("class/net").display());
    let groups = &[Group::Devices, Group::Ethtool, Group::Qdiscs];
    Source::new(groups, place, move |now| links.read(now))
}

impl Links {
    fn read(&mut self, now: Duration) -> HostSample {
        let is_discovery_due = self.discovered_at.is_none_or(|at| now.saturating_sub(at) >= DISCOVERY_INTERVAL);
        if is_discovery_due {
            self.discovered_at = Some(now);
            self.discover();
        }
        let mut out = HostSample::default();
        read_group(&mut out, Group::Devices, |out| self.devices(out));
        read_group(&mut out, Group::Ethtool, |out| self.allowances(out, is_discovery_due));
        read_group(&mut out, Group::Qdiscs, |out| self.qdiscs(out, now));
        out
    }

    /// Finds the interfaces, and opens sockets in the Node's network namespace.
    fn discover(&mut self) {
        if self.sockets.is_err() {
            self.sockets = self.net.run(Sockets::open);
        }
        let socket = self.sockets.as_ref().ok().and_then(|s| s.ethtool.as_ref().ok());
        let calls = self.calls.zip(socket);
        let (source, found) = devices::find(&self.sysfs, &self.net.process);
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
        let found = self.dev.parsed(&mut self.text, &hidden(), |text| {
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
            self.sysfs.join("class/net").display()
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

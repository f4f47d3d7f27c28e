//! Interfaces that lead out of the Node with their drivers, and the sockets to ask the kernel about them.

use super::{
    devices::Interface,
    ethtool::{self, EthtoolCalls},
    qdisc::{Qdisc, QdiscSocket},
};
use crate::sample::{Gauge, HostSample, Signal};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use std::{
    os::fd::{AsFd as _, OwnedFd},
    sync::Arc,
};

/// An interface that leads out of the Node, with the allowance counters of its driver.
#[derive(Debug)]
pub(super) struct Uplink {
    pub(super) interface: Interface,
    /// Indices of the allowance counters among the driver-specific ones.
    pub(super) allowances: Vec<(usize, Signal)>,
    /// Number of driver-specific counters.
    pub(super) counters: usize,
}

/// Sockets in the Node's network namespace, or why there are none.
#[derive(Debug)]
pub(super) struct Sockets {
    pub(super) qdiscs: Result<QdiscSocket, String>,
    pub(super) ethtool: Result<OwnedFd, String>,
}

impl Uplink {
    /// Asks the driver of an interface.
    pub(super) fn new(mut interface: Interface, calls: Option<(EthtoolCalls, &OwnedFd)>) -> Self {
        let (mut allowances, mut counters) = (Vec::new(), 0);
        if let Some((calls, socket)) = calls
            && let Ok(info) = (calls.info)(socket.as_fd(), &interface.device.name)
        {
            let device = &mut interface.device;
            device.driver = device.driver.take().or_else(|| ethtool::known(info.driver));
            device.version = ethtool::known(info.version);
            device.firmware = ethtool::known(info.firmware);
            counters = info.counters;
            let names = (calls.names)(socket.as_fd(), &device.name, counters);
            allowances = ethtool::allowances(&names.unwrap_or_default());
        }
        Self { interface, allowances, counters }
    }
}

impl Sockets {
    /// Opens them in the network namespace of this thread.
    pub(super) fn open() -> Self {
        Self {
            qdiscs: QdiscSocket::open().map_err(|error| format!("open an rtnetlink socket: {error}")),
            ethtool: ethtool_socket(),
        }
    }
}

/// A socket for ethtool's calls in the network namespace of this thread.
pub(super) fn ethtool_socket() -> Result<OwnedFd, String> {
    rustix::net::socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)
        .map_err(|error| format!("open a socket for ethtool: {error}"))
}

/// Adds the figures of one queue discipline to the sample.
pub(super) fn push_qdisc(out: &mut HostSample, device: &Arc<str>, qdisc: &Qdisc) {
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

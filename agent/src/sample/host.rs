//! The Node's own signals: pressure, interfaces, queues, connection tracking, TCP's own counters.

use super::NodeFact;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// One read of the Node's own signals.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostSample {
    /// Read status per signal group. A group that is not here was not tried.
    pub states: BTreeMap<Group, State>,
    /// Cumulative counters, older than the agent. Unchanged counters may be left out.
    pub counters: Vec<(Signal, Option<Arc<str>>, u64)>,
    /// Values of now.
    pub gauges: Vec<(Gauge, Option<Arc<str>>, u64)>,
    /// Interfaces that lead out of the Node, a bounded number.
    pub devices: Vec<Device>,
    /// Facts in which Nodes may differ, as of the last reading. Not recorded.
    #[serde(skip)]
    pub facts: Arc<[NodeFact]>,
}

/// Read status of a signal group. Absent, unsupported, broken and a measured zero are four different things.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "why")]
pub enum State {
    /// Read; what has no value is not offered there, and a zero is a zero.
    Ok,
    /// The Node has no such thing, such as connection tracking that is not loaded.
    Absent,
    /// The kernel, or the agent's place in it, does not offer it: why, and what would.
    Unsupported(String),
    /// It is there and could not be read or understood: why.
    Broken(String),
}

impl State {
    /// Name in labels and answers.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Absent => "absent",
            Self::Unsupported(_) => "unsupported",
            Self::Broken(_) => "broken",
        }
    }

    /// Why, where there is something to say.
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Ok | Self::Absent => None,
            Self::Unsupported(why) | Self::Broken(why) => Some(why),
        }
    }
}

/// An interface that leads out of the Node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Name.
    pub name: Arc<str>,
    /// Interface index: another one under the same name is another device.
    pub index: u32,
    /// Kernel driver. `None`: it has none (bond, veth), or it is not known.
    pub driver: Option<String>,
    /// The driver's version as it names it itself; often the kernel's. `None`: not told.
    pub version: Option<String>,
    /// Firmware version. `None`: not told.
    pub firmware: Option<String>,
    /// Root queue discipline. `None`: not known.
    pub qdisc: Option<String>,
}

/// Declares [`Signal`] or [`Gauge`]: variants with label, group, unit, and the source as evidence names it.
macro_rules! signals {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $variant:ident = $label:literal, $group:ident, $unit:literal, $source:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$each])* #[serde(rename = $label)] $variant,)*
        }

        impl $name {
            /// All of them, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Name in answers, labels and recordings.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)* }
            }

            /// With which others it is read.
            pub const fn group(self) -> Group {
                match self { $(Self::$variant => Group::$group,)* }
            }

            /// Unit of the raw value.
            pub const fn unit(self) -> &'static str {
                match self { $(Self::$variant => $unit,)* }
            }

            /// File, call or kernel name that it comes from.
            pub const fn source(self) -> &'static str {
                match self { $(Self::$variant => $source,)* }
            }
        }
    };
}

/// Signals that are read, and can fail, together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// Pressure stall information.
    Pressure,
    /// CPUs and their idle time.
    Cpu,
    /// Receive backlogs per CPU.
    Softnet,
    /// Connection tracking.
    Conntrack,
    /// TCP's own counters in the Node's network namespace (Pods on their own network have counters of their own).
    Tcp,
    /// TCP's memory, of all namespaces.
    TcpMemory,
    /// Local ports of the Node's network namespace.
    Ports,
    /// Interfaces that lead out of the Node.
    Devices,
    /// Driver statistics from ethtool.
    Ethtool,
    /// Queue disciplines of these interfaces.
    Qdiscs,
    /// Facts in which Nodes may differ.
    Facts,
}

impl Group {
    /// All groups.
    pub const ALL: [Self; 11] = [
        Self::Pressure,
        Self::Cpu,
        Self::Softnet,
        Self::Conntrack,
        Self::Tcp,
        Self::TcpMemory,
        Self::Ports,
        Self::Devices,
        Self::Ethtool,
        Self::Qdiscs,
        Self::Facts,
    ];

    /// Name in labels and answers.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Pressure => "pressure",
            Self::Cpu => "cpu",
            Self::Softnet => "softnet",
            Self::Conntrack => "conntrack",
            Self::Tcp => "tcp",
            Self::TcpMemory => "tcp_memory",
            Self::Ports => "ports",
            Self::Devices => "devices",
            Self::Ethtool => "ethtool",
            Self::Qdiscs => "qdiscs",
            Self::Facts => "facts",
        }
    }
}

signals! {
    /// A cumulative counter of the Node. Some exist once per device or CPU.
    Signal {
        /// Time in which at least one task waited for a CPU.
        PressureCpuSome = "pressure_cpu_some", Pressure, "microseconds", "/proc/pressure/cpu";
        /// Time in which all tasks waited for a CPU; always 0 for a whole machine.
        PressureCpuFull = "pressure_cpu_full", Pressure, "microseconds", "/proc/pressure/cpu";
        /// Time in which at least one task waited for memory.
        PressureMemorySome = "pressure_memory_some", Pressure, "microseconds", "/proc/pressure/memory";
        /// Time in which all tasks waited for memory.
        PressureMemoryFull = "pressure_memory_full", Pressure, "microseconds", "/proc/pressure/memory";
        /// Time in which at least one task waited for IO.
        PressureIoSome = "pressure_io_some", Pressure, "microseconds", "/proc/pressure/io";
        /// Time in which all tasks waited for IO.
        PressureIoFull = "pressure_io_full", Pressure, "microseconds", "/proc/pressure/io";
        /// Idle time of all CPUs together; waiting for IO is not idle here.
        CpuIdle = "cpu_idle", Cpu, "microseconds", "/proc/uptime";
        /// Packets taken from a CPU's backlog or its devices' rings.
        SoftnetProcessed = "softnet_processed", Softnet, "packets", "/proc/net/softnet_stat";
        /// Packets dropped because a CPU's backlog was full.
        SoftnetDropped = "softnet_dropped", Softnet, "packets", "/proc/net/softnet_stat";
        /// Times that a CPU's network work was cut short with packets waiting.
        SoftnetSqueezed = "softnet_squeezed", Softnet, "times", "/proc/net/softnet_stat";
        /// Connections that could not be entered (a clash, or no free port for NAT).
        ConntrackInsertFailed = "conntrack_insert_failed", Conntrack, "connections", "/proc/net/stat/nf_conntrack";
        /// Packets dropped because tracking failed, as when the table is full.
        ConntrackDrop = "conntrack_drop", Conntrack, "packets", "/proc/net/stat/nf_conntrack";
        /// Connections forgotten to make room for new ones.
        ConntrackEarlyDrop = "conntrack_early_drop", Conntrack, "connections", "/proc/net/stat/nf_conntrack";
        /// Connections turned away by a full accept queue.
        ListenOverflows = "listen_overflows", Tcp, "connections", "TcpExt:ListenOverflows";
        /// Handshakes that a listener dropped for any reason.
        ListenDrops = "listen_drops", Tcp, "connections", "TcpExt:ListenDrops";
        /// SYNs dropped because the queue of half-open connections was full.
        SynQueueDrops = "syn_queue_drops", Tcp, "segments", "TcpExt:TCPReqQFullDrop";
        /// SYN cookies sent because that queue was full.
        SynCookies = "syn_cookies", Tcp, "segments", "TcpExt:SyncookiesSent";
        /// Segments dropped because a socket's backlog was full.
        BacklogDrops = "backlog_drops", Tcp, "segments", "TcpExt:TCPBacklogDrop";
        /// Times that TCP came under memory pressure.
        MemoryPressures = "memory_pressures", Tcp, "times", "TcpExt:TCPMemoryPressures";
        /// Connections aborted for lack of TCP memory.
        AbortsOnMemory = "aborts_on_memory", Tcp, "connections", "TcpExt:TCPAbortOnMemory";
        /// Times that a socket's receive queue had to be squeezed to fit its buffer.
        Pruned = "pruned", Tcp, "times", "TcpExt:PruneCalled";
        /// Segments dropped because the receive buffer was full.
        ReceiveQueueDrops = "receive_queue_drops", Tcp, "segments", "TcpExt:TCPRcvQDrop";
        /// Segments that arrived out of order.
        OutOfOrder = "out_of_order", Tcp, "segments", "TcpExt:TCPOFOQueue";
        /// Retransmission timeouts.
        Timeouts = "timeouts", Tcp, "times", "TcpExt:TCPTimeouts";
        /// SYNs and SYN-ACKs sent again.
        SynRetransmits = "syn_retransmits", Tcp, "segments", "TcpExt:TCPSynRetrans";
        /// Retransmissions that could not be handed to the device.
        RetransmitFailures = "retransmit_failures", Tcp, "segments", "TcpExt:TCPRetransFail";
        /// Sockets closed at once because there were too many in TIME_WAIT.
        TimeWaitOverflows = "time_wait_overflows", Tcp, "sockets", "TcpExt:TCPTimeWaitOverflow";
        /// Connection attempts made.
        ActiveOpens = "active_opens", Tcp, "connections", "Tcp:ActiveOpens";
        /// Connection attempts that failed.
        AttemptFails = "attempt_fails", Tcp, "connections", "Tcp:AttemptFails";
        /// Segments sent.
        SegmentsSent = "segments_sent", Tcp, "segments", "Tcp:OutSegs";
        /// Segments sent again.
        SegmentsRetransmitted = "segments_retransmitted", Tcp, "segments", "Tcp:RetransSegs";
        /// Segments received with an error.
        ReceiveErrors = "receive_errors", Tcp, "segments", "Tcp:InErrs";
        /// Packets received by a device.
        NicRxPackets = "nic_rx_packets", Devices, "packets", "/sys/class/net/*/statistics/rx_packets";
        /// Good packets that the host dropped on receipt.
        NicRxDropped = "nic_rx_dropped", Devices, "packets", "/sys/class/net/*/statistics/rx_dropped";
        /// Bad packets received.
        NicRxErrors = "nic_rx_errors", Devices, "packets", "/sys/class/net/*/statistics/rx_errors";
        /// Packets that the device dropped for lack of buffers.
        NicRxMissed = "nic_rx_missed", Devices, "packets", "/sys/class/net/*/statistics/rx_missed_errors";
        /// Packets received with a bad checksum: cable, plug, switch port. Among the errors.
        NicRxCrcErrors = "nic_rx_crc_errors", Devices, "packets", "/sys/class/net/*/statistics/rx_crc_errors";
        /// Packets sent by a device.
        NicTxPackets = "nic_tx_packets", Devices, "packets", "/sys/class/net/*/statistics/tx_packets";
        /// Packets that the host dropped on their way to the device.
        NicTxDropped = "nic_tx_dropped", Devices, "packets", "/sys/class/net/*/statistics/tx_dropped";
        /// Packets that the device could not send.
        NicTxErrors = "nic_tx_errors", Devices, "packets", "/sys/class/net/*/statistics/tx_errors";
        /// Times that the link came or went.
        NicCarrierChanges = "nic_carrier_changes", Devices, "times", "/sys/class/net/*/carrier_changes";
        /// Packets shaped because the instance's inbound bandwidth was used up.
        AllowanceBandwidthIn = "bw_in_allowance_exceeded", Ethtool, "packets", "ethtool:bw_in_allowance_exceeded";
        /// Packets shaped because the instance's outbound bandwidth was used up.
        AllowanceBandwidthOut = "bw_out_allowance_exceeded", Ethtool, "packets", "ethtool:bw_out_allowance_exceeded";
        /// Packets shaped because the instance's packet rate was used up.
        AllowancePackets = "pps_allowance_exceeded", Ethtool, "packets", "ethtool:pps_allowance_exceeded";
        /// Packets dropped because the instance's connection tracking was used up.
        AllowanceConntrack = "conntrack_allowance_exceeded", Ethtool, "packets", "ethtool:conntrack_allowance_exceeded";
        /// Packets dropped because the rate to local proxies (DNS, metadata, time) was used up.
        AllowanceLinkLocal = "linklocal_allowance_exceeded", Ethtool, "packets", "ethtool:linklocal_allowance_exceeded";
        /// Packets that went through a device's root queue discipline.
        QdiscPackets = "qdisc_packets", Qdiscs, "packets", "rtnetlink:RTM_GETQDISC";
        /// Packets that it dropped, those of its children included.
        QdiscDrops = "qdisc_drops", Qdiscs, "packets", "rtnetlink:RTM_GETQDISC";
        /// Times that it held packets back because of a rate.
        QdiscOverlimits = "qdisc_overlimits", Qdiscs, "times", "rtnetlink:RTM_GETQDISC";
        /// Packets that the device handed back.
        QdiscRequeues = "qdisc_requeues", Qdiscs, "packets", "rtnetlink:RTM_GETQDISC";
        /// Packets dropped on arrival by filters (clsact, ingress); some drop on purpose.
        IngressDrops = "ingress_drops", Qdiscs, "packets", "rtnetlink:RTM_GETQDISC";
    }
}

signals! {
    /// A value of now. Some exist once per device.
    Gauge {
        /// CPUs that are on.
        Cpus = "cpus", Cpu, "cpus", "/sys/devices/system/cpu/online";
        /// Connections tracked in the Node's network namespace.
        ConntrackEntries = "conntrack_entries", Conntrack, "connections", "/proc/net/stat/nf_conntrack";
        /// Connections that may be tracked.
        ConntrackLimit = "conntrack_limit", Conntrack, "connections", "/proc/sys/net/netfilter/nf_conntrack_max";
        /// Memory that TCP's buffers hold.
        TcpMemoryUsed = "tcp_memory_used", TcpMemory, "pages", "/proc/net/sockstat";
        /// From here on TCP saves memory.
        TcpMemoryPressure = "tcp_memory_pressure", TcpMemory, "pages", "/proc/sys/net/ipv4/tcp_mem";
        /// Beyond this TCP gets none.
        TcpMemoryLimit = "tcp_memory_limit", TcpMemory, "pages", "/proc/sys/net/ipv4/tcp_mem";
        /// TCP sockets in the Node's network namespace that hold a port, TIME_WAIT included.
        PortsUsed = "ports_used", Ports, "ports", "/proc/net/sockstat";
        /// Ports for connections that name none.
        PortsRange = "ports_range", Ports, "ports", "/proc/sys/net/ipv4/ip_local_port_range";
        /// Bytes waiting in a device's root queue discipline.
        QdiscBacklogBytes = "qdisc_backlog_bytes", Qdiscs, "bytes", "rtnetlink:RTM_GETQDISC";
        /// Packets waiting there.
        QdiscBacklogPackets = "qdisc_backlog_packets", Qdiscs, "packets", "rtnetlink:RTM_GETQDISC";
        /// Length of the pages in which the kernel counts TCP's memory.
        TcpMemoryPage = "tcp_memory_page", TcpMemory, "bytes", "getauxval(AT_PAGESZ)";
    }
}

impl Signal {
    /// Kept in 32 bits by the kernel, so that it wraps.
    const fn is_32_bit(self) -> bool {
        matches!(
            self,
            Self::QdiscPackets | Self::QdiscDrops | Self::QdiscOverlimits | Self::QdiscRequeues | Self::IngressDrops
        )
    }

    /// Growth from one reading to the next. A counter that fell was reset, which adds nothing; one of 32 bits may have
    /// wrapped instead.
    pub fn growth(self, last: u64, now: u64) -> u64 {
        if now >= last {
            return now - last;
        }
        let wrapped = (now as u32).wrapping_sub(last as u32);
        let wraps = self.is_32_bit() && last <= u64::from(u32::MAX) && wrapped < 1 << 31;
        if wraps { u64::from(wrapped) } else { 0 }
    }
}

/// A signal, and the device or CPU that it is of. `None`: the Node as a whole.
pub type HostKey = (Signal, Option<Arc<str>>);

/// Last values of the Node's counters.
#[derive(Debug, Default)]
pub(super) struct HostLedger {
    last: BTreeMap<HostKey, u64>,
    /// Interface index by device.
    devices: BTreeMap<Arc<str>, u32>,
}

impl HostLedger {
    /// Growth since the previous sample. A counter counts from its first reading, since it may be older than the agent;
    /// so does one of a device that took the place of another. CPUs are summed up, and named where packets were dropped
    /// or left waiting.
    pub(super) fn take(&mut self, sample: &HostSample) -> Vec<(HostKey, u64)> {
        let devices: BTreeMap<Arc<str>, u32> = sample.devices.iter().map(|d| (d.name.clone(), d.index)).collect();
        let replaced = |name: &Arc<str>| self.devices.get(name).is_some_and(|i| devices.get(name) != Some(i));
        self.last.retain(|(_, on), _| on.as_ref().is_none_or(|name| !replaced(name)));
        self.devices = devices;
        let mut growth: BTreeMap<HostKey, u64> = BTreeMap::new();
        for (signal, on, now) in &sample.counters {
            let key = (*signal, on.clone());
            let grown = self.last.get(&key).map_or(0, |last| signal.growth(*last, *now));
            self.last.insert(key.clone(), *now);
            if signal.group() == Group::Softnet {
                *growth.entry((*signal, None)).or_default() += grown;
                if grown == 0 || *signal == Signal::SoftnetProcessed {
                    continue;
                }
            }
            *growth.entry(key).or_default() += grown;
        }
        growth.into_iter().collect()
    }
}

#[cfg(test)]
mod tests;

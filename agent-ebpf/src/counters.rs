//! Names for the slots of counter arrays. The discriminants are array indices on both sides.

/// Kinds of retransmission; indices of [`EdgeStats::retransmits`](crate::EdgeStats::retransmits). Unit: segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(usize)]
pub enum Retransmit {
    /// Fast retransmission: the socket is in `TCP_CA_Recovery`.
    Fast = 0,
    /// After a retransmission timeout: the socket is in `TCP_CA_Loss`.
    Timeout = 1,
    /// Tail loss probe: any other state with data outstanding.
    TailLossProbe = 2,
    /// SYN of a client.
    Syn = 3,
    /// SYN-ACK of a server.
    SynAck = 4,
    /// Reported as unneeded by the receiver (DSACK, RFC 2883). A subset of the others.
    Spurious = 5,
    /// Counted by the kernel in `total_retrans` but seen by no hook (before 6.18 the tracepoint is silent when the
    /// transmission itself failed).
    Unclassified = 6,
}

impl Retransmit {
    /// All kinds in index order.
    pub const ALL: [Self; 7] =
        [Self::Fast, Self::Timeout, Self::TailLossProbe, Self::Syn, Self::SynAck, Self::Spurious, Self::Unclassified];

    /// Value of the `type` label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Timeout => "timeout",
            Self::TailLossProbe => "tail_loss_probe",
            Self::Syn => "syn",
            Self::SynAck => "synack",
            Self::Spurious => "spurious",
            Self::Unclassified => "unclassified",
        }
    }
}

/// Why a connection attempt failed; indices of [`EdgeStats::connect_failures`](crate::EdgeStats::connect_failures).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(usize)]
pub enum Failure {
    /// `ECONNREFUSED`: the peer answered the SYN with a reset.
    Refused = 0,
    /// `ECONNRESET` or `EPIPE` during the handshake.
    Reset = 1,
    /// `ETIMEDOUT`, or given up by the application after at least one SYN was resent.
    TimedOut = 2,
    /// `EHOSTUNREACH`, also an ICMP host unreachable.
    HostUnreachable = 3,
    /// `ENETUNREACH`, also an ICMP net unreachable.
    NetUnreachable = 4,
    /// Anything else, such as a socket closed by its owner before the first SYN was resent.
    Other = 5,
    /// No local port was free towards the peer (`EADDRNOTAVAIL`): no SYN was ever sent.
    NoLocalPort = 6,
}

impl Failure {
    /// All reasons in index order.
    pub const ALL: [Self; 7] = [
        Self::Refused,
        Self::Reset,
        Self::TimedOut,
        Self::HostUnreachable,
        Self::NetUnreachable,
        Self::Other,
        Self::NoLocalPort,
    ];

    /// Value of the `reason` label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::TimedOut => "timed_out",
            Self::HostUnreachable => "host_unreachable",
            Self::NetUnreachable => "net_unreachable",
            Self::Other => "other",
            Self::NoLocalPort => "no_local_port",
        }
    }
}

/// Which end of a handshake a socket was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(usize)]
pub enum Role {
    /// The end that sent the SYN.
    Client = 0,
    /// The end that accepted.
    Server = 1,
}

impl Role {
    /// Both roles in index order.
    pub const ALL: [Self; 2] = [Self::Client, Self::Server];

    /// Value of the `role` label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// How far away a peer is; the value type of the prefix map that user space fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub enum PeerClass {
    /// On this Node.
    SameNode = 0,
    /// On another Node of this zone.
    SameZone = 1,
    /// On a Node of another zone.
    CrossZone = 2,
    /// In the cluster, Node unknown (or: a private address, when there is no cluster).
    InCluster = 3,
    /// Anywhere else.
    External = 4,
}

impl PeerClass {
    /// All classes in index order.
    pub const ALL: [Self; 5] = [Self::SameNode, Self::SameZone, Self::CrossZone, Self::InCluster, Self::External];

    /// Class with this discriminant; [`External`](Self::External) for anything out of range.
    pub const fn from_index(index: u32) -> Self {
        match index {
            0 => Self::SameNode,
            1 => Self::SameZone,
            2 => Self::CrossZone,
            3 => Self::InCluster,
            _ => Self::External,
        }
    }

    /// Value of the `peer` label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::SameNode => "same_node",
            Self::SameZone => "same_zone",
            Self::CrossZone => "cross_zone",
            Self::InCluster => "in_cluster",
            Self::External => "external",
        }
    }
}

/// What the kernel programs count about themselves; indices of the `COUNTERS` map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum Counter {
    /// An edge did not fit into its map; the sample went to the (cgroup, peer class) row.
    EdgesFull = 0,
    /// A (cgroup, peer class) row did not fit either; the sample is lost.
    OverflowFull = 1,
    /// A cgroup row did not fit; the sample is lost.
    CgroupsFull = 2,
    /// A drop-reason row did not fit; the sample is lost.
    DropsFull = 3,
    /// A socket without a cgroup; the sample is lost.
    NoCgroup = 4,
    /// A kernel structure could not be read; the sample is lost.
    BadRead = 5,
    /// Per-socket storage could not be made; the sample is counted without it.
    NoStorage = 6,
    /// A reset sent without a socket (a segment to a closed port): belongs to the Node.
    ResetsWithoutSocket = 7,
    /// A drop without a socket: belongs to the Node.
    DropsWithoutSocket = 8,
    /// A socket outside this agent's cgroup subtree was left alone.
    OutsideSubtree = 9,
    /// A retransmission that the local host refused to send (`err` ≠ 0, 6.18 and later).
    RetransmitFailed = 10,
    /// A DNS lookup did not fit into its maps; it is lost.
    DnsFull = 11,
    /// A DNS socket that serves many lookups at once ended: they have no times.
    DnsShared = 12,
    /// A wait for a CPU did not fit into its maps; it is lost. Counted by the scheduler's program for itself.
    RunQueueFull = 13,
}

impl Counter {
    /// All counters in index order.
    pub const ALL: [Self; 14] = [
        Self::EdgesFull,
        Self::OverflowFull,
        Self::CgroupsFull,
        Self::DropsFull,
        Self::NoCgroup,
        Self::BadRead,
        Self::NoStorage,
        Self::ResetsWithoutSocket,
        Self::DropsWithoutSocket,
        Self::OutsideSubtree,
        Self::RetransmitFailed,
        Self::DnsFull,
        Self::DnsShared,
        Self::RunQueueFull,
    ];
    /// Slot that counts TCP sockets that ended: how many come and go.
    pub const ENDED_SLOT: u32 = 14;
    /// Number of slots in the map.
    pub const COUNT: u32 = 16;
    /// Slot that counts segments that won the draw for an RTT sample: no diagnostic, but how busy the machine is.
    pub const WON_SLOT: u32 = 15;

    /// Name in metrics and JSON.
    pub const fn label(self) -> &'static str {
        match self {
            Self::EdgesFull => "edges_full",
            Self::OverflowFull => "overflow_full",
            Self::CgroupsFull => "cgroups_full",
            Self::DropsFull => "drops_full",
            Self::NoCgroup => "no_cgroup",
            Self::BadRead => "bad_read",
            Self::NoStorage => "no_storage",
            Self::ResetsWithoutSocket => "resets_without_socket",
            Self::DropsWithoutSocket => "drops_without_socket",
            Self::OutsideSubtree => "outside_subtree",
            Self::RetransmitFailed => "retransmit_failed",
            Self::DnsFull => "dns_full",
            Self::DnsShared => "dns_shared",
            Self::RunQueueFull => "run_queue_full",
        }
    }

    /// Whether a sample was lost (rather than put elsewhere) each time this counts.
    pub const fn is_loss(self) -> bool {
        matches!(
            self,
            Self::OverflowFull
                | Self::CgroupsFull
                | Self::DropsFull
                | Self::NoCgroup
                | Self::BadRead
                | Self::DnsFull
                | Self::RunQueueFull
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn discriminants_are_positions() {
        for (i, x) in Retransmit::ALL.iter().enumerate() {
            assert_eq!(i, *x as usize);
        }
        for (i, x) in Failure::ALL.iter().enumerate() {
            assert_eq!(i, *x as usize);
        }
        for (i, x) in Counter::ALL.iter().enumerate() {
            assert_eq!(i, *x as usize);
            assert!((i as u32) < Counter::COUNT);
        }
        for (i, x) in PeerClass::ALL.iter().enumerate() {
            assert_eq!(PeerClass::from_index(i as u32), *x);
        }
    }
}

//! Names for the slots of counter arrays. The discriminants are array indices on both sides.

/// Declares an enum whose discriminants count up from zero, and a label for each of its values. A new value goes to the
/// end: recordings and running programs know the old ones by their index.
macro_rules! labelled {
    ($(#[$doc:meta])* $repr:ident $name:ident { $($(#[$about:meta])* $value:ident = $label:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr($repr)]
        pub enum $name {
            $($(#[$about])* $value,)+
        }

        impl $name {
            /// All values in index order.
            pub const ALL: [Self; [$($label),+].len()] = [$(Self::$value),+];

            /// Name in labels and JSON.
            pub const fn label(self) -> &'static str {
                match self {
                    $(Self::$value => $label,)+
                }
            }
        }
    };
}

labelled! {
    /// Kinds of retransmission; indices of [`EdgeStats::retransmits`](crate::EdgeStats::retransmits). Unit: segments.
    usize Retransmit {
        /// Fast retransmission: the socket is in `TCP_CA_Recovery`.
        Fast = "fast",
        /// After a retransmission timeout: the socket is in `TCP_CA_Loss`.
        Timeout = "timeout",
        /// Tail loss probe: any other state with data outstanding.
        TailLossProbe = "tail_loss_probe",
        /// SYN of a client.
        Syn = "syn",
        /// SYN-ACK of a server.
        SynAck = "synack",
        /// Reported as unneeded by the receiver (DSACK, RFC 2883). A subset of the others.
        Spurious = "spurious",
        /// Counted by the kernel in `total_retrans` but seen by no hook (before 6.18 the tracepoint is silent when the
        /// transmission itself failed).
        Unclassified = "unclassified",
    }
}

labelled! {
    /// Why a connection attempt failed; indices of [`EdgeStats::connect_failures`](crate::EdgeStats::connect_failures).
    usize Failure {
        /// `ECONNREFUSED`: the peer answered the SYN with a reset.
        Refused = "refused",
        /// `ECONNRESET` or `EPIPE` during the handshake.
        Reset = "reset",
        /// `ETIMEDOUT`, or given up by the application after at least one SYN was resent.
        TimedOut = "timed_out",
        /// `EHOSTUNREACH`: an ICMP host unreachable, or a filter that rejects with ICMP (administratively prohibited).
        HostUnreachable = "host_unreachable",
        /// `ENETUNREACH`: an ICMP net unreachable, or no route on this machine.
        NetUnreachable = "net_unreachable",
        /// Anything else, such as a socket closed by its owner before the first SYN was resent.
        Other = "other",
        /// No local port was free towards the peer (`EADDRNOTAVAIL`): no SYN was ever sent.
        NoLocalPort = "no_local_port",
        /// Given up by its owner before the first SYN was resent, after [`LEAST_PATIENCE_MS`] without an answer.
        GivenUp = "given_up",
        /// The same within [`RACE_NS`] after its owner completed another handshake: the loser of a race between
        /// addresses (RFC 8305).
        Raced = "raced",
    }
}

/// Time without an answer from which an attempt counts as given up, ms. A shorter one says nothing: its owner closed it
/// for reasons of its own.
pub const LEAST_PATIENCE_MS: u32 = 50;
/// Time in which the winner of a race closes the losers, ns.
pub const RACE_NS: u64 = 20_000_000;

labelled! {
    /// State of a connection that a received reset cut off; indices of
    /// [`EdgeStats::cuts`](crate::EdgeStats::cuts).
    usize Cut {
        /// Nothing was under way, or the other end had closed before.
        Idle = "idle",
        /// Data was not acknowledged, or the last data sent had no answer yet.
        Busy = "busy",
    }
}

labelled! {
    /// Why a listener dropped a packet although its accept queue had room; indices of `CgroupStats::listen_drops`.
    usize ListenDrop {
        /// SYNs that found no room for their request, and no cookie was allowed.
        SynQueueFull = "syn_queue_full",
        /// ACKs without data, where the listener waits for data (TCP_DEFER_ACCEPT). The connection goes on.
        Deferred = "deferred",
        /// Anything else, mostly handshakes that the client reset.
        Aborted = "aborted",
    }
}

labelled! {
    /// How a DNS server answered; indices of `DnsStats::codes`. Ascending by how bad it is.
    usize DnsCode {
        /// Found, or there is no record of this type.
        NoError = "noerror",
        /// No such name.
        NxDomain = "nxdomain",
        /// The server doesn't answer this client.
        Refused = "refused",
        /// The server can't answer now.
        ServFail = "servfail",
        /// Anything else.
        Other = "other",
    }
}

impl DnsCode {
    /// Of a message's RCODE (RFC 1035 4.1.1).
    #[inline(always)]
    pub const fn of(rcode: u8) -> Self {
        match rcode {
            0 => Self::NoError,
            2 => Self::ServFail,
            3 => Self::NxDomain,
            5 => Self::Refused,
            _ => Self::Other,
        }
    }
}

labelled! {
    /// Which end of a handshake a socket was.
    usize Role {
        /// The end that sent the SYN.
        Client = "client",
        /// The end that accepted.
        Server = "server",
    }
}

labelled! {
    /// How far away a peer is; the value type of the prefix map that user space fills.
    u32 PeerClass {
        /// On this Node.
        SameNode = "same_node",
        /// On another Node of this zone.
        SameZone = "same_zone",
        /// On a Node of another zone.
        CrossZone = "cross_zone",
        /// In the cluster, Node unknown (or: a private address, when there is no cluster).
        InCluster = "in_cluster",
        /// Anywhere else.
        External = "external",
    }
}

impl PeerClass {
    /// Class with this discriminant; [`External`](Self::External) for anything out of range.
    pub const fn from_index(index: u32) -> Self {
        if (index as usize) < Self::ALL.len() { Self::ALL[index as usize] } else { Self::External }
    }
}

labelled! {
    /// The kernel programs' counters about themselves; indices of the `COUNTERS` map.
    u32 Counter {
        /// An edge did not fit into its map; the sample went to the (cgroup, peer class) row.
        EdgesFull = "edges_full",
        /// A (cgroup, peer class) row did not fit either; the sample is lost.
        OverflowFull = "overflow_full",
        /// A cgroup row did not fit; the sample is lost.
        CgroupsFull = "cgroups_full",
        /// A drop-reason row did not fit; the sample is lost.
        DropsFull = "drops_full",
        /// A socket without a cgroup; the sample is lost.
        NoCgroup = "no_cgroup",
        /// A kernel structure could not be read; the sample is lost.
        BadRead = "bad_read",
        /// Per-socket storage could not be made; the sample is counted without it.
        NoStorage = "no_storage",
        /// A reset sent without a socket (a segment to a closed port): belongs to the Node.
        ResetsWithoutSocket = "resets_without_socket",
        /// A drop without a socket: belongs to the Node.
        DropsWithoutSocket = "drops_without_socket",
        /// A socket outside this agent's cgroup subtree was left alone.
        OutsideSubtree = "outside_subtree",
        /// A retransmission that the local host refused to send (`err` ≠ 0, 6.18 and later).
        RetransmitFailed = "retransmit_failed",
        /// A DNS lookup did not fit into its maps; it is lost.
        DnsFull = "dns_full",
        /// A DNS socket that serves many lookups at once ended: they have no times.
        DnsShared = "dns_shared",
        /// A wait for a CPU did not fit into its maps; it is lost. Counted by the scheduler's program for itself.
        RunQueueFull = "run_queue_full",
        /// A sample of a socket of which neither its handshake nor its port tells which end it is; it is counted
        /// without role and port.
        RoleUnknown = "role_unknown",
        /// A port got no edge of its own, because its address has [`MAX_PORTS`](crate::MAX_PORTS) that are busier, or the
        /// edge map is nearly full; the sample went to the rest of the address.
        PortsFolded = "ports_folded",
        /// Response times did not fit into their map; they are lost.
        ResponsesFull = "responses_full",
        /// An exchange that does not count: of a connection that was found in the middle of it, of a TLS handshake, or
        /// of one whose ends send unasked.
        ResponsesLeftOut = "responses_left_out",
        /// An exchange that overlaps another one, so that nothing tells when its answer began.
        ResponsesOverlapped = "responses_overlapped",
        /// A request that ended without an answer within a second, or on a connection of a kind that never answers.
        ResponsesUnfinished = "responses_unfinished",
        /// A socket got no storage, because the agent is near its memory limit; its counts arrive when it closes.
        StorageShed = "storage_shed",
        /// A socket older than the agent had no storage for its base; what it counted since the agent's start is lost.
        BaseShed = "base_shed",
        /// First bytes of a request or an answer found no room in the buffer; they are lost.
        HeadsLost = "heads_lost",
        /// A sampled HTTP exchange whose request or answer had left the kernel before it could be copied.
        HeadsGone = "heads_gone",
        /// An exchange that was not sampled, because its cgroup had as many as it may have in a second.
        HeadsLimited = "heads_limited",
        /// An answer of a DNS server found no room in the buffer for names; its addresses have no name from it.
        NamesLost = "names_lost",
    }
}

impl Counter {
    /// Slot that counts TCP sockets that ended, the measure of churn.
    pub const ENDED_SLOT: u32 = Self::ALL.len() as u32;
    /// Slot that counts segments chosen for an RTT sample. No diagnostic: it says how busy the machine is.
    pub const WON_SLOT: u32 = Self::ENDED_SLOT + 1;
    /// Slot that counts observed DNS lookups as they begin. No diagnostic either.
    pub const ASKED_SLOT: u32 = Self::WON_SLOT + 1;
    /// Slot that counts exchanges that were added to response times, each once whatever its weight. No diagnostic either.
    pub const TIMED_SLOT: u32 = Self::ASKED_SLOT + 1;
    /// Number of slots in the map.
    pub const COUNT: u32 = Self::TIMED_SLOT + 1;

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
                | Self::ResponsesFull
                | Self::BaseShed
                | Self::HeadsLost
        )
    }
}

#[cfg(test)]
mod tests;

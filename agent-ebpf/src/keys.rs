//! Map keys and the control record.

use crate::counters::Role;

/// One edge: the sockets of one cgroup towards one port of a remote address, or on one port that the address uses
/// here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(C)]
pub struct EdgeKey {
    /// cgroup v2 id (the inode number of its directory).
    pub cgroup: u64,
    /// Remote address as IPv6; IPv4 as IPv4-mapped (`::ffff:a.b.c.d`), in network byte order.
    pub addr: [u8; 16],
    /// Inode number of the socket's network namespace where the peer is inside it: a loopback address, or a redirected
    /// connection. Else 0: an address means the same everywhere.
    pub netns: u32,
    /// Port of the server's end, host order. 0: not known, or the rest of an address that has more than
    /// [`MAX_PORTS`](crate::MAX_PORTS): those that are less busy.
    pub port: u16,
    /// 0: not known; else [`Role`] + 1.
    pub role: u8,
    /// 1: the connection has an address outside its network namespace, and its packets arrive over the loopback device,
    /// as a redirect to a sidecar does it. 0: it is not redirected, or nothing arrived yet.
    pub redirected: u8,
}

/// Ports of one address that have edges of their own in one cgroup: the first in use, and from the agent's next ranking
/// on the busiest. As many again may still have one, until they are silent for a tick. All further ones share an edge.
pub const MAX_PORTS: u64 = 8;

impl EdgeKey {
    /// An edge of which no more than the address is known.
    pub const fn new(cgroup: u64, addr: [u8; 16]) -> Self {
        Self { cgroup, addr, netns: 0, port: 0, role: 0, redirected: 0 }
    }

    /// The end that the socket is. `None`: not known.
    pub const fn role(&self) -> Option<Role> {
        match self.role {
            1 => Some(Role::Client),
            2 => Some(Role::Server),
            _ => None,
        }
    }

    /// The value of [`EdgeKey::role`](Self::role) in the key.
    pub const fn role_number(role: Option<Role>) -> u8 {
        match role {
            Some(role) => role as u8 + 1,
            None => 0,
        }
    }

    /// The key under which the ports of its address are counted.
    pub const fn of_ports(&self) -> Self {
        Self { netns: self.netns, ..Self::new(self.cgroup, self.addr) }
    }
}

/// Key of an overflow row, which takes an edge's samples when the edge map is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(C)]
pub struct OverflowKey {
    /// cgroup v2 id.
    pub cgroup: u64,
    /// [`PeerClass`](crate::PeerClass) discriminant.
    pub class: u32,
    /// Zero.
    pub pad: u32,
}

/// Dropped packets of one cgroup for one kernel reason. Value: `u64` packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(C)]
pub struct DropKey {
    /// cgroup v2 id; 0 for a packet without a socket.
    pub cgroup: u64,
    /// `enum skb_drop_reason` of the running kernel.
    pub reason: u32,
    /// Zero.
    pub pad: u32,
}

/// Key of the prefix map (`BPF_MAP_TYPE_LPM_TRIE`). Value: `u32`, a [`PeerClass`](crate::PeerClass) discriminant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct PeerPrefix {
    /// Prefix length in bits, 0 … 128, of the IPv6 form (an IPv4 /8 is 104).
    pub prefix_len: u32,
    /// Address as in [`EdgeKey::addr`].
    pub addr: [u8; 16],
}

/// Settings of the running programs. User space writes them, the programs read them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Control {
    /// 1 during the first walk. A socket without storage is then older than the agent: its figures so far become its
    /// base and are not added.
    pub baseline: u32,
    /// Number of the current walk, so that a walk visits a socket with several descriptors once.
    pub walk: u32,
    /// 1 while the edge map is full: saves one failing insert per sample.
    pub edges_full: u32,
    /// Duty of the RTT probe: a discriminant of [`Duty`](crate::Duty).
    pub rtt_duty: u32,
    /// Duty of the handshake probe: a discriminant of [`Duty`](crate::Duty). While it is reduced, short sockets are
    /// sampled too.
    pub handshake_duty: u32,
    /// 1 while the edge map is nearly full: no further port gets an edge of its own.
    pub ports_folded: u32,
    /// DNS lookups of one socket in this many are observed; a power of two, and 0 is taken as 1.
    pub dns_share: u32,
    /// 1 while lookups may be under way of sockets that the share leaves out, because it has just become smaller.
    pub dns_mixed: u32,
    /// RTT sampling: [`Sampling::threshold`](crate::Sampling::threshold).
    pub rtt_threshold: u32,
    /// RTT sampling: [`Sampling::is_sparse`](crate::Sampling::is_sparse).
    pub rtt_sparse: u32,
    /// A socket that received more segments than this and has no storage is older than the agent. It is 256 times the
    /// largest sampling distance so far: a newer socket stays unsampled that long with probability e⁻²⁵⁶, or e⁻⁶ when
    /// GRO merges 45 segments. Up to here no sample is thinned out. `u32::MAX` without sampling and without storage,
    /// which marks sampled sockets.
    pub unseen_segments: u32,
    /// Zero.
    pub pad: u32,
}

/// Which connections' response times are observed: all, or on a busy machine those whose hash has the bits of a mask
/// clear, and of every other edge one. User space writes it, the programs read it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Choice {
    /// Connections whose hash has these bits clear are chosen; 0: all.
    pub mask: u32,
    /// Number of the period of observation. A connection's state of an earlier one is forgotten. 0: none is observed.
    pub generation: u32,
    /// Reads that one observed read stands for: more than one where reads are observed on a duty cycle.
    pub read_weight: u32,
    /// 1 while any cgroup is under a close-up, which exempts its sockets from sampling.
    pub close_ups: u32,
    /// [Pace](crate::pace) at which exchanges of one connection are counted, µs; 0: each is.
    pub pace_us: u32,
}

/// Shares of exchanges and of connections that are sampled for HTTP, in units of 2⁻³²; 0: none. User space writes them,
/// the programs read them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Shares {
    /// Of exchanges: their first bytes are read.
    pub http: u32,
    /// Of connections: they are followed if they are clear-text HTTP/2.
    pub grpc: u32,
}

const _: () = assert!(size_of::<EdgeKey>() == 32 && align_of::<EdgeKey>() == 8);
const _: () = assert!(size_of::<OverflowKey>() == 16);
const _: () = assert!(size_of::<DropKey>() == 16);
const _: () = assert!(size_of::<PeerPrefix>() == 20 && align_of::<PeerPrefix>() == 4);
const _: () = assert!(size_of::<Control>() == 48);
const _: () = assert!(size_of::<Choice>() == 20);
const _: () = assert!(size_of::<Shares>() == 8);

//! Map keys and the control record.

/// One edge: the sockets of one cgroup towards one remote address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(C)]
pub struct EdgeKey {
    /// cgroup v2 id (the inode number of its directory).
    pub cgroup: u64,
    /// Remote address as IPv6; IPv4 as IPv4-mapped (`::ffff:a.b.c.d`), in network byte order.
    pub addr: [u8; 16],
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
}

const _: () = assert!(size_of::<EdgeKey>() == 24 && align_of::<EdgeKey>() == 8);
const _: () = assert!(size_of::<OverflowKey>() == 16);
const _: () = assert!(size_of::<DropKey>() == 16);
const _: () = assert!(size_of::<PeerPrefix>() == 20 && align_of::<PeerPrefix>() == 4);
const _: () = assert!(size_of::<Control>() == 20);

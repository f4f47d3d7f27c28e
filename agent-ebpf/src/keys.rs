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

/// Where an edge's samples go when the edge map is full.
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
    /// cgroup v2 id; 0 when the packet belonged to no socket.
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
    /// Leading bits that count, 0 … 128, in the IPv6 form (an IPv4 /8 is 104).
    pub prefix_len: u32,
    /// Address as in [`EdgeKey::addr`].
    pub addr: [u8; 16],
}

/// The one record through which user space steers running programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Control {
    /// 1 while the first walk runs: sockets seen for the first time are older than the agent, so what they counted
    /// until now is taken as their base and not added.
    pub baseline: u32,
    /// Number of the current walk, so that a socket with many descriptors is looked at once.
    pub walk: u32,
    /// 1 when user space saw the edge map full: spares a failing insert per sample.
    pub edges_full: u32,
    /// Whether received segments are looked at in windows only; a discriminant of [`Windows`].
    pub windows: u32,
    /// Whether so many sockets end that only a part of the plain ones is counted; a discriminant of [`Windows`].
    pub churn: u32,
}

/// Whether something is looked at in part only, because there is so much of it; values of [`Control::windows`] and
/// [`Control::churn`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u32)]
pub enum Windows {
    /// Always looked at, since the start.
    #[default]
    Never = 0,
    /// In part only now: what is looked at counts as many times as often.
    Now = 1,
    /// No more; but a socket of that time may have carried much, or begun anew, without having been looked at.
    Before = 2,
}

const _: () = assert!(size_of::<EdgeKey>() == 24 && align_of::<EdgeKey>() == 8);
const _: () = assert!(size_of::<OverflowKey>() == 16);
const _: () = assert!(size_of::<DropKey>() == 16);
const _: () = assert!(size_of::<PeerPrefix>() == 20 && align_of::<PeerPrefix>() == 4);
const _: () = assert!(size_of::<Control>() == 20);

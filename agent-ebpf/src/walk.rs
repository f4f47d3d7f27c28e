//! The reports of a walk over the live sockets.

/// Descriptors that a walk looks at between two reports. A socket takes about 0.7 µs, so a part of a walk takes less than
/// a millisecond.
pub const PART_OBJECTS: u64 = 1024;

const _: () = assert!(PART_OBJECTS.is_power_of_two());

/// Written after each part of a walk (`iter/task_file`), and at its end. A read of this many bytes ends there
/// (`bpf_seq_read`), and the next read goes on with the next descriptor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct WalkSummary {
    /// `bpf_ktime_get_ns` now, ns.
    pub ktime_ns: u64,
    /// `bpf_jiffies64` now.
    pub jiffies: u64,
    /// TCP sockets visited by this walk so far.
    pub sockets: u64,
    /// Of these, listening.
    pub listeners: u64,
    /// 1 at the end of the walk, else 0.
    pub is_end: u64,
}

const _: () = assert!(size_of::<WalkSummary>() == 40);

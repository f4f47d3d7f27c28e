//! The report of a walk over the live sockets.

/// Written once at the end of a walk (`iter/task_file`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct WalkSummary {
    /// `bpf_ktime_get_ns` at the end, ns.
    pub ktime_ns: u64,
    /// `bpf_jiffies64` at the end.
    pub jiffies: u64,
    /// Visited TCP sockets.
    pub sockets: u64,
    /// Of these, listening.
    pub listeners: u64,
}

const _: () = assert!(size_of::<WalkSummary>() == 32);

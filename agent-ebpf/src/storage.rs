//! Per-socket memory of the kernel programs.

/// Counts of one socket that are already in the maps (`BPF_MAP_TYPE_SK_STORAGE`). A program swaps each value for the
/// socket's current one and adds the difference, so that the sum stays exact however many programs read one socket.
/// Only bytes have 64 bits in the kernel. All cells have 64 bits here, because atomic exchange needs them.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct SocketState {
    pub(crate) data_segs_out: u64,
    pub(crate) segs_out: u64,
    pub(crate) bytes_acked: u64,
    pub(crate) bytes_received: u64,
    pub(crate) total_retrans: u64,
    pub(crate) dsack_dups: u64,
    pub(crate) busy: u64,
    pub(crate) rwnd: u64,
    pub(crate) sndbuf: u64,
    pub(crate) drops: u64,
    /// `rack.mstamp` of the newest RTT sample taken; of a smoothed one `bytes_acked`.
    pub(crate) rtt_mstamp: u64,
    /// When the last loss episode began, ktime ns; 0: not shortly before. Walks take out what is older than
    /// [`LOSSY_NS`].
    pub(crate) episode_ns: u64,
    /// Until a client is connected: when the first SYN was sent, ktime ns; 0: unknown, because no SYN was retransmitted.
    /// From the first walk after it, with [`READING`]: what `Reading::pack` made at the newest one. One cell for both, as
    /// below.
    pub(crate) syn_ns_or_reading: u64,
    /// Of a listener: growth of its drops that is counted already, or that is an overflow's second raise. Of a
    /// connection: `tcp_sock.reord_seen`. One cell for both, because eight bytes more take the next allocation class.
    pub(crate) overflows_or_reorderings: u64,
    /// Last walk that visited the socket.
    pub(crate) walk: u32,
    /// Bits of [`LISTENER`] to [`READING`].
    pub(crate) flags: u32,
}

impl SocketState {
    /// A socket of which nothing was counted.
    pub(crate) const NEW: Self = Self {
        data_segs_out: 0,
        segs_out: 0,
        bytes_acked: 0,
        bytes_received: 0,
        total_retrans: 0,
        dsack_dups: 0,
        busy: 0,
        rwnd: 0,
        sndbuf: 0,
        drops: 0,
        rtt_mstamp: 0,
        episode_ns: 0,
        syn_ns_or_reading: 0,
        overflows_or_reorderings: 0,
        walk: 0,
        flags: 0,
    };
}

/// For how long a socket counts as lossy after a loss episode, at least: the length of a window.
pub(crate) const LOSSY_NS: u64 = 10_000_000_000;

/// In [`SocketState::flags`]: the socket listens.
pub(crate) const LISTENER: u32 = 1;
/// In [`SocketState::flags`]: the last connection attempt failed and was counted.
pub(crate) const FAILED: u32 = 2;
/// In [`SocketState::flags`]: the socket is older than the agent and has not connected since.
pub(crate) const OLDER: u32 = 4;
/// In [`SocketState::flags`]: the socket's accept queue was full at the last reading.
pub(crate) const FULL: u32 = 8;
/// In [`SocketState::flags`]: the socket's handshake showed it to be a client, which nothing else does.
pub(crate) const CLIENT: u32 = 16;
/// In [`SocketState::flags`]: the same of a server.
pub(crate) const SERVER: u32 = 32;
/// In [`SocketState::flags`]: a walk came to the connection, and left what its application had read.
pub(crate) const READING: u32 = 64;

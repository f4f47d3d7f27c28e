//! Rows of edges and cgroups: cumulative counters of TCP.

/// Declares [`EdgeStats`] to another macro: `edge_stats!(then! { anything })` becomes
/// `then! { { anything } … EdgeStats { fields } }`.
///
/// The order of the fields is the layout. Fields that every connection changes stand side by side, in two or three
/// cache lines.
#[macro_export]
macro_rules! edge_stats {
    ($then:ident! { $($with:tt)* }) => {
        $then! {
            { $($with)* }
            /// Counters of one edge. Cumulative since the row was made, except where said.
            EdgeStats {
                /// RTT samples.
                rtt: $crate::Durations,
                /// Lowest RTT of the last 10 … 17 s, µs. Not a sum.
                min_rtt_us: $crate::RotatingMin,
                /// Data segments sent, retransmissions included (`tcp_sock.data_segs_out`, RFC 4898).
                data_segs_out: u64,
                /// All segments sent, pure ACKs included (`tcp_sock.segs_out`).
                segs_out: u64,
                /// Payload bytes that the peer acknowledged (`tcp_sock.bytes_acked`).
                bytes_acked: u64,
                /// Payload bytes received (`tcp_sock.bytes_received`).
                bytes_received: u64,
                /// Completed handshakes by `Role`.
                connects: [u64; $crate::Role::ALL.len()],
                /// Retransmitted segments by `Retransmit`.
                retransmits: [u64; $crate::Retransmit::ALL.len()],
                /// Loss episodes: bursts of retransmitted data, at most one per smoothed RTT (and per millisecond) and
                /// socket.
                loss_episodes: u64,
                /// Failed connection attempts by `Failure`.
                connect_failures: [u64; $crate::Failure::ALL.len()],
                /// Resets sent on a socket.
                resets_sent: u64,
                /// Resets received.
                resets_received: u64,
                /// Time with data to send, jiffies (`tcp_sock.chrono_stat`, all kinds). May step back briefly.
                busy_jiffies: u64,
                /// Time held back by the peer's receive window, jiffies.
                rwnd_jiffies: u64,
                /// Time held back by the local send buffer, jiffies.
                sndbuf_jiffies: u64,
                /// Sockets that a walk found with data waiting and the peer's window closed.
                zero_window: u64,
                /// Timeouts in a row on one full-size segment, from the second on: nothing of that size gets through.
                full_size_timeouts: u64,
                /// Sockets that a walk found with a receive window full of data that nobody reads.
                unread_full: u64,
                /// Sampled reply times of clients per `reply_bucket`: from the last data sent to the first data received
                /// after it.
                replies: [u32; $crate::REPLY_BUCKETS],
            }
        }
    };
}

/// Declares [`CgroupStats`], as [`edge_stats!`](crate::edge_stats) does [`EdgeStats`].
#[macro_export]
macro_rules! cgroup_stats {
    ($then:ident! { $($with:tt)* }) => {
        $then! {
            { $($with)* }
            /// Counters of one cgroup that no edge holds.
            CgroupStats {
                /// Handshake durations by `Role`.
                durations: [$crate::Durations; $crate::Role::ALL.len()],
                /// Connections that a listener turned away (`sock.sk_drops` of its listening sockets).
                accept_drops: u64,
                /// Times that a walk found a listener's accept queue full.
                accept_full: u64,
            }
        }
    };
}

edge_stats!(row! { 728 bytes });
cgroup_stats!(row! { 816 bytes });

//! The rows of the maps: cumulative counters, each declared once, in [`rows!`](crate::rows).

/// Lists the rows to another macro: `rows!(then! { anything })` becomes `then! { { anything } rows }`.
///
/// A row reads: its type and size, the agent's type for sums of it, and its fields. A sum may have more fields, `with`
/// which the agent computes something from each growth. [`row`](crate::row) says what the type of a field means.
///
/// The order of the fields is the layout. Fields that every connection changes stand side by side, in two or three
/// cache lines.
#[macro_export]
macro_rules! rows {
    ($then:ident! { $($with:tt)* }) => {
        $then! {
            { $($with)* }

            /// Counters of one edge. Cumulative since the row was made, except where said.
            EdgeStats, 840 bytes, summed as Tally with {
                /// Busy jiffies held back by neither window nor buffer: by the network. Computed per read and never
                /// below zero, because the difference of the three sums may step back, and a counter must not.
                network_jiffies: u64,
            } {
                /// RTT samples.
                rtt: $crate::Durations,
                /// Lowest RTT of the last 10 … 17 s, µs. Not a sum.
                min_rtt_us: $crate::RotatingMin,
                /// RTT samples that are smoothed, because the peer doesn't acknowledge selectively (SACK). Not in the
                /// minimum.
                smoothed_rtts: u64,
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
                /// Time that attempts waited which were `GivenUp` or `Raced`, ms.
                given_up_ms: u64,
                /// Resets received on established connections, by `Cut`.
                cuts: [u64; $crate::Cut::ALL.len()],
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
                /// Sockets that a walk found with data unread that the walk before had found too, although the
                /// application read other data since.
                late_readers: u64,
                /// Bytes of such data, a sum over these sockets.
                late_bytes: u64,
                /// Segments that a sender found out of order without having resent them (`tcp_sock.reord_seen`).
                reorderings: u64,
                /// Of the loss episodes those of sockets that had another shortly before, and made progress since.
                repeated_episodes: u64,
                /// Of the data segments sent those of sockets that had a loss episode shortly before.
                segs_after_loss: u64,
                /// Sockets that a walk found to have had a loss episode shortly before.
                lossy_sockets: u64,
                /// Sampled reply times of clients per `reply_bucket`: from the last data sent to the first data
                /// received after it.
                replies: [u32; $crate::REPLY_BUCKETS],
                /// Requests that the newest walk found without an answer for a second or more. Not a sum.
                unanswered_now: $crate::Found,
            }

            /// Counters of one cgroup that no edge holds.
            CgroupStats, 872 bytes, summed as Connects {
                /// Handshake durations by `Role`.
                durations: [$crate::Durations; $crate::Role::ALL.len()],
                /// Handshakes whose duration the kernel does not know, by `Role`.
                untimed_handshakes: [u64; $crate::Role::ALL.len()],
                /// Connections that a listener's full accept queue turned away.
                accept_drops: u64,
                /// Times that a walk found a listener's accept queue full.
                accept_full: u64,
                /// Packets that listeners dropped for other reasons, by `ListenDrop`.
                listen_drops: [u64; $crate::ListenDrop::ALL.len()],
                /// When a client of it last completed a handshake. Not a sum.
                connected: $crate::Moment,
                /// The fullest accept queue that the newest walk found. Not a sum.
                accept_fill: $crate::Fill,
            }

            /// Requests of one edge and their answers. The order puts what nearly every exchange adds to, beside its
            /// bucket, into one cache line: from 6.1 on, a value lies 88 bytes behind a line's begin.
            ResponseStats, 872 bytes, summed as Responses {
                /// Requests that ended after a second or more without an answer.
                unanswered: u64,
                /// Exchanges of which the first bytes were looked at, for HTTP.
                sampled: u64,
                /// Of these, clear-text HTTP/1.
                readable: u64,
                /// Of these, clear-text HTTP/2.
                http2: u64,
                /// Response times. At a client: from the request's first byte sent to the answer's first byte received.
                /// At a server: from the request's first byte received to the answer's first byte sent. Requests that
                /// were not answered are in the last bucket, and in the sum with their age.
                durations: $crate::FineDurations,
                /// Sum of the squares of the weights with which the requests in `durations` were counted. The square of
                /// the sum of the weights, divided by it, is the number of requests whose sampling error is as large.
                squares: u64,
                /// Part of the response times that the network takes at least: a client's minimum RTT, µs.
                network_us: u64,
                /// Part of them that retransmissions of a client's request took, µs.
                retransmission_us: u64,
                /// Part of them in which a server's application had not begun to read the request, µs. Of exchanges
                /// whose first read was seen, which stand for the others too.
                unread_us: u64,
                /// The rest of a server's response times, in the same exchanges, µs.
                application_us: u64,
            }

            /// DNS lookups of one cgroup at one server.
            DnsStats, 472 bytes, summed as Lookups {
                /// Durations of answered lookups: from the first query to the last reply.
                durations: $crate::Durations,
                /// Lookups that ended with every answer that was waited for.
                answered: u64,
                /// Lookups that ended without.
                unanswered: u64,
                /// Sum of the squares of their weights, as in [`ResponseStats::squares`].
                squares: u64,
                /// Answered lookups whose answers were seen, by the worst `DnsCode` among them.
                codes: [u64; $crate::DnsCode::ALL.len()],
                /// Lookups of which one answer came, and another only a second or more later, or never. Part of the
                /// others.
                second_missing: u64,
            }
        }
    };
}

rows!(declare_rows! {});

//! Limits of a listener, and the memory that they bound.

use crate::config::Http;
use std::time::Duration;

/// Socket buffers of a connection, bytes. The kernel doubles both (socket(7)). Fixed sizes turn off autotuning, which
/// would let each unread response fill megabytes of kernel memory.
pub(super) const SEND_BUFFER: usize = 64 << 10;
/// As [`SEND_BUFFER`].
pub(super) const RECEIVE_BUFFER: usize = 16 << 10;
/// Most bytes of a request's headers.
pub(super) const HEADER_BYTES: usize = 16 << 10;
/// Most headers of a request.
pub(super) const HEADERS: usize = 64;
/// Memory of a connection beside its buffers, bytes: its task, its parsed headers, the heads of its responses, and the
/// bodies that take no room of the budget. Those are short: hyper keeps 16 kB of unwritten ones and one more at most.
const TASK_BYTES: u64 = 32 << 10;

/// Least value of [`Limits::answer_bytes`], however small the budget of responses is. `kubectl netwhy` reads about as
/// much of an answer.
const ANSWER_BYTES: u64 = 8 << 20;

/// Most bytes that a TLS session encrypts ahead of its socket.
pub(super) const UNSENT: usize = 16 << 10;
/// Most memory of a connection's TLS session, bytes: the record or handshake message being received (65,535 at most),
/// text that is decrypted or encrypted and not passed on, and the session's keys and certificates.
const SESSION_BYTES: u64 = (64 << 10) + 2 * UNSENT as u64 + (32 << 10);

/// Limits of a listener.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections open at once. A further one closes the longest idle connection.
    pub(super) connections: usize,
    /// Connections open at once from one address. A further one closes the longest idle connection of this address.
    pub(super) per_peer: usize,
    /// Time for a request's headers, and for the next request on an idle connection.
    pub(super) read: Duration,
    /// Time for a client to take a response.
    pub(super) write: Duration,
    /// Age at which a connection is closed after its present response.
    pub(super) age: Duration,
    /// Time that responses have for ending, once the connection or the server ends.
    pub(super) drain: Duration,
    /// Bytes of response bodies that clients have not taken yet.
    pub(super) response_bytes: u64,
    /// Most memory of an answer of `/api/v1` while it is encoded, bytes. Zero: there is none.
    pub(super) answer_bytes: u64,
    /// Most memory of a connection's TLS session, bytes. Zero: plain HTTP.
    pub(super) session_bytes: u64,
}

impl From<&Http> for Limits {
    fn from(config: &Http) -> Self {
        let count = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        Self {
            connections: count(config.max_connections()),
            per_peer: count(config.max_connections_per_peer()),
            read: config.read_timeout_seconds(),
            write: config.write_timeout_seconds(),
            age: Duration::from_secs(300),
            drain: Duration::from_secs(5),
            response_bytes: config.max_response_bytes(),
            answer_bytes: config.max_response_bytes().max(ANSWER_BYTES),
            session_bytes: config.tls_certificate_file().map_or(0, |_| SESSION_BYTES),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::from(&Http::default())
    }
}

impl Limits {
    /// Limits of the probe listener. The kubelet opens a connection for each probe.
    pub const PROBES: Self = Self {
        connections: 32,
        per_peer: 8,
        read: Duration::from_secs(2),
        write: Duration::from_secs(2),
        age: Duration::from_secs(10),
        drain: Duration::from_secs(1),
        response_bytes: 1 << 20,
        answer_bytes: 0,
        session_bytes: 0,
    };

    /// Limits of the plugin's webhook. Several Alertmanagers may come from one address.
    pub const WEBHOOK: Self = Self {
        connections: 64,
        per_peer: 32,
        read: Duration::from_secs(10),
        write: Duration::from_secs(5),
        age: Duration::from_secs(300),
        drain: Duration::from_secs(2),
        response_bytes: 1 << 20,
        answer_bytes: 0,
        session_bytes: 0,
    };

    /// Limits of a listener for one user's browser. Browsers open six connections to a server.
    pub(super) const BROWSER: Self = Self {
        connections: 32,
        per_peer: 32,
        read: Duration::from_secs(30),
        write: Duration::from_secs(10),
        age: Duration::from_secs(300),
        drain: Duration::from_secs(1),
        response_bytes: 32 << 20,
        answer_bytes: 0,
        session_bytes: 0,
    };

    /// Most memory that clients can make this listener use, bytes, kernel memory included. `scrape`: size of the
    /// largest scrape. One more is encoded while the others wait for their clients. Answers of `/api/v1` are encoded
    /// within the room that all responses share. A replay of the past is not counted here.
    pub fn memory_bound(&self, scrape: u64) -> u64 {
        self.memory_of(self.connections as u64, scrape)
    }

    /// Most memory that this many connections can make this listener use, bytes.
    pub fn memory_of(&self, connections: u64, scrape: u64) -> u64 {
        let connections = connections.min(self.connections as u64);
        let sockets = 2 * (SEND_BUFFER + RECEIVE_BUFFER) as u64;
        let connection = TASK_BYTES + HEADER_BYTES as u64 + sockets + self.session_bytes;
        // A response that is longer than the budget waits until it is the only one.
        connections * connection + self.response_bytes.max(self.answer_bytes).max(scrape) + scrape
    }
}

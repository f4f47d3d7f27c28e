//! The test's own connections and what the kernel says about them.

use crate::stage::{PATIENCE, Stage, wait_until};
use netwhy_agent::sample::Tally;
use netwhy_tests::lab::Pod;
use std::{
    io::{self, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    ops::{AddAssign, Sub},
    os::fd::AsRawFd,
};

/// `TCP_CLOSE` of `include/net/tcp_states.h`.
const CLOSE: u8 = 7;

/// Part of `struct tcp_info` (`include/uapi/linux/tcp.h`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TcpInfo {
    pub(crate) state: u8,
    /// All retransmitted segments of the socket's life.
    pub(crate) total_retrans: u32,
    pub(crate) bytes_acked: u64,
    pub(crate) bytes_received: u64,
    pub(crate) segs_out: u32,
    pub(crate) data_segs_out: u32,
    pub(crate) busy_us: u64,
    pub(crate) rwnd_limited_us: u64,
    pub(crate) sndbuf_limited_us: u64,
}

impl TcpInfo {
    pub(crate) fn of(socket: &impl AsRawFd) -> Self {
        let mut bytes = [0u8; 248];
        let mut length = bytes.len() as libc::socklen_t;
        // SAFETY: the buffer and its length live through the call, and the kernel writes no more than that length.
        let rc = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::IPPROTO_TCP,
                libc::TCP_INFO,
                bytes.as_mut_ptr().cast(),
                &raw mut length,
            )
        };
        assert_eq!(rc, 0, "TCP_INFO: {}", io::Error::last_os_error());
        Self::parse(&bytes[..length as usize])
    }

    /// From the kernel's bytes.
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        assert!(bytes.len() >= 192, "this kernel's TCP_INFO has {} bytes only", bytes.len());
        let u32_at = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap());
        let u64_at = |at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap());
        Self {
            state: bytes[0],
            total_retrans: u32_at(100),
            bytes_acked: u64_at(120),
            bytes_received: u64_at(128),
            segs_out: u32_at(136),
            data_segs_out: u32_at(156),
            busy_us: u64_at(168),
            rwnd_limited_us: u64_at(176),
            sndbuf_limited_us: u64_at(184),
        }
    }
}

/// Sums of the sockets' counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flow {
    pub(crate) data_segs_out: u64,
    pub(crate) segs_out: u64,
    pub(crate) bytes_acked: u64,
    pub(crate) bytes_received: u64,
}

impl Flow {
    pub(crate) fn of(socket: &impl AsRawFd) -> Self {
        TcpInfo::of(socket).into()
    }
}

impl From<TcpInfo> for Flow {
    fn from(info: TcpInfo) -> Self {
        Self {
            data_segs_out: info.data_segs_out.into(),
            segs_out: info.segs_out.into(),
            bytes_acked: info.bytes_acked,
            bytes_received: info.bytes_received,
        }
    }
}

impl From<Tally> for Flow {
    fn from(tally: Tally) -> Self {
        let Tally { data_segs_out, segs_out, bytes_acked, bytes_received, .. } = tally;
        Self { data_segs_out, segs_out, bytes_acked, bytes_received }
    }
}

impl AddAssign for Flow {
    fn add_assign(&mut self, other: Self) {
        self.data_segs_out += other.data_segs_out;
        self.segs_out += other.segs_out;
        self.bytes_acked += other.bytes_acked;
        self.bytes_received += other.bytes_received;
    }
}

impl Sub for Flow {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            data_segs_out: self.data_segs_out - other.data_segs_out,
            segs_out: self.segs_out - other.segs_out,
            bytes_acked: self.bytes_acked - other.bytes_acked,
            bytes_received: self.bytes_received - other.bytes_received,
        }
    }
}

/// Two ends of one connection.
pub(crate) struct Pair {
    pub(crate) client: TcpStream,
    pub(crate) server: TcpStream,
}

impl Pair {
    /// From a Pod to a listener at an address.
    pub(crate) fn open(stage: &Stage, client: &Pod, listener: &TcpListener, to: SocketAddr) -> Self {
        Self::of(stage.connect(client, to).unwrap(), listener)
    }

    /// A client that is connected, and the other end.
    pub(crate) fn of(client: TcpStream, listener: &TcpListener) -> Self {
        let (server, _) = listener.accept().unwrap();
        for socket in [&client, &server] {
            socket.set_nodelay(true).unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            socket.set_write_timeout(Some(PATIENCE)).unwrap();
        }
        Self { client, server }
    }

    /// A request and its answer; both fit into the sockets' buffers.
    pub(crate) fn exchange(&mut self, request: usize, answer: usize) {
        send(&mut self.client, &mut self.server, request);
        send(&mut self.server, &mut self.client, answer);
    }

    /// Sends this many bytes from client to server as fast as it goes.
    pub(crate) fn bulk(&mut self, bytes: usize) {
        let Self { client, server } = self;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut room = vec![0; 256 << 10];
                let mut left = bytes;
                while left > 0 {
                    let n = server.read(&mut room).unwrap();
                    assert_ne!(n, 0, "the client closed early");
                    left -= n;
                }
            });
            let chunk = vec![0; 256 << 10];
            let mut left = bytes;
            while left > 0 {
                let n = left.min(chunk.len());
                client.write_all(&chunk[..n]).unwrap();
                left -= n;
            }
        });
    }

    /// Both ends' figures at rest: no ACK is on its way any more. First client, then server.
    pub(crate) fn flows(&self) -> (Flow, Flow) {
        (Flow::of(&self.client), Flow::of(&self.server))
    }

    /// Closes both ends in order; returns their last figures, which are the socket's at the moment of its end.
    pub(crate) fn finish(self) -> (Flow, Flow) {
        let Self { mut client, mut server } = self;
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(server.read(&mut [0]).unwrap(), 0);
        server.shutdown(Shutdown::Write).unwrap();
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        wait_until("both ends are closed", || [&client, &server].iter().all(|s| TcpInfo::of(*s).state == CLOSE));
        (Flow::of(&client), Flow::of(&server))
    }
}

fn send(from: &mut TcpStream, to: &mut TcpStream, bytes: usize) {
    from.write_all(&vec![0; bytes]).unwrap();
    to.read_exact(&mut vec![0; bytes]).unwrap();
}

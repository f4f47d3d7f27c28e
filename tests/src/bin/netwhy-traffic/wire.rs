//! Sockets, and the protocol of `client` and `server`, in big-endian u32: a request starts with its own length and the
//! length of the wanted response (0: the server's default; [`CLOSE`] added: close after it), a response with its own
//! length. The rest is padding.

use anyhow::{Context as _, Result, bail};
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, ipproto, socket_with, sockopt};
use std::{
    io,
    net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs as _},
    os::fd::{AsRawFd, OwnedFd},
    time::Duration,
};

/// Length of a request's header.
pub(crate) const HEADER: usize = 8;
/// Length of a response's header.
pub(crate) const RESPONSE_HEADER: usize = 4;
/// In a request's second word: the server closes the connection after its answer.
pub(crate) const CLOSE: u32 = 1 << 31;
/// Longest request and response.
pub(crate) const MAX_MESSAGE: usize = 16 << 20;
/// Padding, and room to read into.
pub(crate) const CHUNK: usize = 64 << 10;
pub(crate) static PADDING: [u8; CHUNK] = [0; CHUNK];

/// How to open a connection.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Connecting {
    /// Congestion control (see net.ipv4.tcp_available_congestion_control); the machine's default otherwise
    #[arg(long, value_name = "NAME")]
    cc: Option<String>,
    /// Give up a connect or a request after this long
    #[arg(long, default_value_t = 5000, value_name = "MS")]
    timeout_ms: u64,
    /// Resend a SYN this often before the kernel itself gives up
    #[arg(long, value_name = "N")]
    syn_retries: Option<u8>,
    /// Send from this address
    #[arg(long, value_name = "ADDRESS")]
    from: Option<IpAddr>,
    /// Size of the send buffer; the kernel's own choice otherwise
    #[arg(long, value_name = "N")]
    send_buffer: Option<usize>,
    /// Send no faster than this, in steps of single segments (SO_MAX_PACING_RATE)
    #[arg(long, value_name = "N")]
    pace_mbit: Option<u32>,
}

impl Connecting {
    /// Opens a connection; an error keeps the kernel's error number.
    pub(crate) fn open(&self, to: SocketAddr) -> io::Result<TcpStream> {
        let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, Some(ipproto::TCP))?;
        if let Some(cc) = &self.cc {
            sockopt::set_tcp_congestion(&socket, cc)?;
        }
        if let Some(retries) = self.syn_retries {
            set_option(&socket, libc::IPPROTO_TCP, libc::TCP_SYNCNT, retries.into())?;
        }
        if let Some(bytes) = self.send_buffer {
            sockopt::set_socket_send_buffer_size(&socket, bytes)?;
        }
        if let Some(mbit) = self.pace_mbit {
            let bytes = mbit.saturating_mul(125_000).cast_signed();
            set_option(&socket, libc::SOL_SOCKET, libc::SO_MAX_PACING_RATE, bytes)?;
        }
        if let Some(from) = self.from {
            // The port is chosen at the connect, so that one port can serve many peers.
            set_option(&socket, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1)?;
            rustix::net::bind(&socket, &SocketAddr::new(from, 0))?;
        }
        // Also limits the connect.
        let timeout = Some(Duration::from_millis(self.timeout_ms.max(1)));
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, timeout)?;
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, timeout)?;
        sockopt::set_tcp_nodelay(&socket, true)?;
        connect(&socket, &to)?;
        Ok(TcpStream::from(socket))
    }

    /// Fails when this machine doesn't have the congestion control asked for.
    pub(crate) fn check(&self) -> Result<()> {
        let Some(cc) = &self.cc else { return Ok(()) };
        let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, Some(ipproto::TCP))?;
        sockopt::set_tcp_congestion(&socket, cc).with_context(|| format!("congestion control {cc:?}"))
    }
}

/// Sets an option that takes an int.
pub(crate) fn set_option(socket: &impl AsRawFd, level: i32, name: i32, value: i32) -> io::Result<()> {
    let length = size_of::<i32>() as libc::socklen_t;
    // SAFETY: the pointer is to an i32 that lives through the call, and the length is its own.
    let rc = unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const value).cast(), length) };
    if rc == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Listens on all addresses, IPv6 and IPv4 (IPv4 alone where there is no IPv6).
pub(crate) fn listen(port: u16, backlog: i32, receive_buffer: Option<usize>) -> Result<(OwnedFd, u16)> {
    let v6: SocketAddr = (std::net::Ipv6Addr::UNSPECIFIED, port).into();
    let v4: SocketAddr = (std::net::Ipv4Addr::UNSPECIFIED, port).into();
    let on = |address: SocketAddr| -> io::Result<(OwnedFd, u16)> {
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
        sockopt::set_socket_reuseaddr(&socket, true)?;
        if address.is_ipv6() {
            sockopt::set_ipv6_v6only(&socket, false)?;
        }
        if let Some(bytes) = receive_buffer {
            // Accepted connections inherit it.
            sockopt::set_socket_recv_buffer_size(&socket, bytes)?;
        }
        rustix::net::bind(&socket, &address)?;
        rustix::net::listen(&socket, backlog)?;
        let bound: SocketAddr = rustix::net::getsockname(&socket)?.try_into()?;
        Ok((socket, bound.port()))
    };
    match on(v6) {
        Err(error) if error.raw_os_error() == Some(libc::EAFNOSUPPORT) => on(v4),
        other => other,
    }
    .with_context(|| format!("listen on port {port}"))
}

/// Addresses of `host:port` arguments.
pub(crate) fn resolve(targets: &[String]) -> Result<Vec<SocketAddr>> {
    let one = |target: &String| match target.to_socket_addrs().map(|mut all| all.next()) {
        Ok(Some(address)) => Ok(address),
        Ok(None) => bail!("{target:?} has no address"),
        Err(error) => Err(error).with_context(|| format!("{target:?} is not host:port")),
    };
    targets.iter().map(one).collect()
}

/// Calls `obey` with the words of every line on standard input; complains about lines that it doesn't understand.
pub(crate) fn obey_stdin(obey: impl Fn(&[&str]) -> Result<()> + Send + 'static) {
    std::thread::spawn(move || {
        for line in io::stdin().lines().map_while(Result::ok) {
            let words: Vec<&str> = line.split_whitespace().collect();
            if let Err(error) = obey(&words) {
                eprintln!("netwhy-traffic: {line:?}: {error:#}");
            }
        }
    });
}

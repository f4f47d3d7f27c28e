//! Raw sockets that receive and send frames with their offloads.

use crate::wire::set_option;
use anyhow::{Context as _, Result};
use std::{
    ffi::CString,
    io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Room for frames that arrive while others are passed on.
const RECEIVE_BUFFER: i32 = 16 << 20;

/// Opens a raw socket that sees what an interface receives.
pub(super) fn open(interface: &str) -> Result<OwnedFd> {
    let socket = packet_socket().context("open a raw socket (needs CAP_NET_RAW)")?;
    (|| {
        set_option(&socket, libc::SOL_PACKET, libc::PACKET_VNET_HDR, 1)?;
        // The other side's own frames must not come back.
        set_option(&socket, libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, 1)?;
        set_option(&socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)?;
        // FORCE goes beyond the machine's limit but needs CAP_NET_ADMIN.
        set_option(&socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, RECEIVE_BUFFER)
            .or_else(|_| set_option(&socket, libc::SOL_SOCKET, libc::SO_RCVBUF, RECEIVE_BUFFER))?;
        set_option(&socket, libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, RECEIVE_BUFFER)
            .or_else(|_| set_option(&socket, libc::SOL_SOCKET, libc::SO_SNDBUF, RECEIVE_BUFFER))?;
        bind(&socket, interface)
    })()
    .with_context(|| format!("open the interface {interface}"))?;
    Ok(socket)
}

fn packet_socket() -> io::Result<OwnedFd> {
    // Protocol 0: nothing arrives before the socket is bound to its interface.
    let flags = libc::SOCK_RAW | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: no pointers are passed.
    let fd = unsafe { libc::socket(libc::AF_PACKET, flags, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn bind(socket: &OwnedFd, interface: &str) -> io::Result<()> {
    let name = CString::new(interface)?;
    // SAFETY: the name is a C string that lives through the call.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    if index == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: an all-zero sockaddr_ll is valid.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
    address.sll_ifindex = index as i32;
    let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: the pointer is to an address that lives through the call, and the length is its own.
    let rc = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
    if rc == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Reads a frame, and how long ago the kernel received it: the delay counts from there, not from when we were woken.
#[expect(clippy::disallowed_methods, reason = "the kernel stamps frames with the wall clock")]
pub(super) fn receive(socket: &OwnedFd, frame: &mut [u8]) -> io::Result<(usize, Duration)> {
    // Room for one control message with a timespec, aligned as its header wants.
    let mut control = [0_u64; 8];
    let mut part = libc::iovec { iov_base: frame.as_mut_ptr().cast(), iov_len: frame.len() };
    // SAFETY: an all-zero msghdr is valid.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut control).cast();
    message.msg_controllen = size_of_val(&control);
    // SAFETY: the message points to buffers that live through the call, with their own lengths.
    let n = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, 0) };
    let n = usize::try_from(n).map_err(|_| io::Error::last_os_error())?;
    // SAFETY: the kernel has filled in the message and the control buffer that it points to.
    let header = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
    // SAFETY: null, or within the control buffer.
    let Some(header) = (unsafe { header.as_ref() }) else { return Ok((n, Duration::ZERO)) };
    if (header.cmsg_level, header.cmsg_type) != (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) {
        return Ok((n, Duration::ZERO));
    }
    // SAFETY: the data of a message of this type is a timespec; its place need not be aligned.
    let stamp = unsafe { libc::CMSG_DATA(header).cast::<libc::timespec>().read_unaligned() };
    let stamp = Duration::new(stamp.tv_sec.unsigned_abs(), stamp.tv_nsec.unsigned_abs() as u32);
    // The stamp is on the wall clock; should that be set meanwhile, the frame is just not late.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok((n, now.checked_sub(stamp).filter(|age| *age < Duration::from_secs(1)).unwrap_or_default()))
}

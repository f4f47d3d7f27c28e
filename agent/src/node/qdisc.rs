//! Queue disciplines, through rtnetlink (`RTM_GETQDISC`; needs no privilege). Layouts are the kernel's UAPI
//! (`linux/netlink.h`, `linux/rtnetlink.h`, `linux/gen_stats.h`). Only three attributes matter here,
//! so the parser picks them out and skips all others.

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};
use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const RTM_NEWQDISC: u16 = 36;
const RTM_GETQDISC: u16 = 38;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_DUMP: u16 = 0x300;
/// `struct nlmsghdr`.
pub(super) const HEADER: usize = 16;
/// `struct tcmsg`.
const TCMSG: usize = 20;
const TCA_KIND: u16 = 1;
const TCA_STATS2: u16 = 7;
const TCA_STATS_BASIC: u16 = 1;
const TCA_STATS_QUEUE: u16 = 3;
const TCA_STATS_PKT64: u16 = 8;
/// Bits of an attribute's type that are flags.
const NLA_FLAGS: u16 = 0xc000;
const TC_H_ROOT: u32 = 0xffff_ffff;
const TC_H_INGRESS: u32 = 0xffff_fff1;
/// The kernel answers at once. The timeout keeps a failure from blocking the tick.
const PATIENCE: Duration = Duration::from_secs(1);
/// Size of the receive buffer, bytes: the longest message of the kernel.
const BUFFER: usize = 32 << 10;

/// One queue discipline's counters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Qdisc {
    /// Interface index.
    pub(super) index: u32,
    /// The root discipline counts all outgoing packets, those of its children included.
    pub(super) is_root: bool,
    /// `ingress` or `clsact`: filters incoming packets.
    pub(super) is_ingress: bool,
    /// `fq_codel`, `tbf` …
    pub(super) kind: String,
    pub(super) packets: u64,
    pub(super) drops: u32,
    pub(super) requeues: u32,
    pub(super) overlimits: u32,
    pub(super) backlog_bytes: u32,
    pub(super) backlog_packets: u32,
}

/// A socket in one network namespace.
#[derive(Debug)]
pub(super) struct QdiscSocket {
    fd: OwnedFd,
    sequence: u32,
    buffer: Vec<u8>,
}

impl QdiscSocket {
    /// Opens a socket in the network namespace of this thread.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub(super) fn open() -> io::Result<Self> {
        // No protocol means NETLINK_ROUTE.
        let fd = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
        sockopt::set_socket_timeout(fd.as_fd(), sockopt::Timeout::Recv, Some(PATIENCE))?;
        Ok(Self { fd, sequence: 0, buffer: vec![0; BUFFER] })
    }

    /// All queue disciplines of the namespace.
    ///
    /// # Errors
    /// The kernel's refusal, or a malformed answer.
    pub(super) fn dump(&mut self) -> io::Result<Vec<Qdisc>> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut request = [0u8; HEADER + TCMSG];
        request[0..4].copy_from_slice(&((HEADER + TCMSG) as u32).to_ne_bytes());
        request[4..6].copy_from_slice(&RTM_GETQDISC.to_ne_bytes());
        request[6..8].copy_from_slice(&(NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes());
        request[8..12].copy_from_slice(&self.sequence.to_ne_bytes());
        rustix::net::send(&self.fd, &request, SendFlags::empty())?;
        let mut all = Vec::new();
        loop {
            let (length, _) = rustix::io::retry_on_intr(|| {
                rustix::net::recv(&self.fd, self.buffer.as_mut_slice(), RecvFlags::empty())
            })?;
            if take(&self.buffer[..length], self.sequence, &mut all)? {
                return Ok(all);
            }
        }
    }
}

/// Parses the messages of one datagram. Returns true after the last message. Skips answers to older requests.
pub(super) fn take(mut bytes: &[u8], sequence: u32, all: &mut Vec<Qdisc>) -> io::Result<bool> {
    let bad = || io::Error::new(io::ErrorKind::InvalidData, "an rtnetlink message is truncated");
    while !bytes.is_empty() {
        let length = u32_at(bytes, 0).ok_or_else(bad)? as usize;
        let message = bytes.get(..length).filter(|_| length >= HEADER).ok_or_else(bad)?;
        if u32_at(message, 8) == Some(sequence) {
            match u16_at(message, 4).ok_or_else(bad)? {
                NLMSG_DONE => return Ok(true),
                NLMSG_ERROR => {
                    let code = u32_at(message, HEADER).ok_or_else(bad)?.cast_signed();
                    return Err(io::Error::from_raw_os_error(code.wrapping_neg()));
                }
                RTM_NEWQDISC => all.push(qdisc(&message[HEADER..]).ok_or_else(bad)?),
                _ => {}
            }
        }
        bytes = bytes.get(aligned(length)..).unwrap_or_default();
    }
    Ok(false)
}

fn qdisc(body: &[u8]) -> Option<Qdisc> {
    let parent = u32_at(body, 12)?;
    let mut out = Qdisc {
        index: u32_at(body, 4)?,
        is_root: parent == TC_H_ROOT,
        is_ingress: parent == TC_H_INGRESS,
        ..Qdisc::default()
    };
    for (kind, value) in attributes(body.get(TCMSG..)?) {
        match kind {
            TCA_KIND => out.kind = String::from_utf8_lossy(value.strip_suffix(b"\0").unwrap_or(value)).into_owned(),
            TCA_STATS2 => attributes(value).for_each(|(kind, value)| out.statistics(kind, value)),
            _ => {}
        }
    }
    Some(out)
}

impl Qdisc {
    fn statistics(&mut self, kind: u16, value: &[u8]) {
        let at = |offset| u32_at(value, offset).unwrap_or(0);
        match kind {
            // Bytes (64 bits), then packets (32 bits). TCA_STATS_PKT64 has the packets in full if 32 bits overflow.
            TCA_STATS_BASIC if self.packets == 0 => self.packets = at(8).into(),
            TCA_STATS_PKT64 => self.packets = u64_at(value, 0).unwrap_or(self.packets),
            TCA_STATS_QUEUE => {
                self.backlog_packets = at(0);
                self.backlog_bytes = at(4);
                self.drops = at(8);
                self.requeues = at(12);
                self.overlimits = at(16);
            }
            _ => {}
        }
    }
}

/// Attributes of a message: type and value. Ends at the first truncated one.
fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(bytes, 0)?);
        let kind = u16_at(bytes, 2)? & !NLA_FLAGS;
        let value = bytes.get(4..length)?;
        bytes = bytes.get(aligned(length)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// Messages and attributes are aligned to 4 bytes.
fn aligned(length: usize) -> usize {
    (length + 3) & !3
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests;

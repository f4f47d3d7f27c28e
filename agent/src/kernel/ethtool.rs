//! `ethtool` by ioctl (`include/uapi/linux/ethtool.h`). Only there do drivers report their version, their firmware and
//! their specific counters, not through netlink. The calls need no privilege.

mod settings;

use crate::node::{DriverInfo, EthtoolCalls};
use std::{
    io,
    os::fd::{AsRawFd as _, BorrowedFd},
};

/// `SIOCETHTOOL`, which the libc crate has for some targets only.
const SIOCETHTOOL: u32 = 0x8946;
const ETHTOOL_GDRVINFO: u32 = 0x03;
const ETHTOOL_GSTRINGS: u32 = 0x1b;
const ETHTOOL_GSTATS: u32 = 0x1d;
const ETH_SS_STATS: u32 = 1;
const ETH_GSTRING_LEN: usize = 32;
/// Words before the data of `struct ethtool_gstrings` (cmd, string_set, len) and `struct ethtool_stats` (cmd, n_stats).
const STRINGS_HEAD: usize = 12;
const STATS_HEAD: usize = 8;
/// Maximum number of driver-specific counters; drivers with hundreds of queues have about ten thousand.
const MAX_COUNTERS: usize = 1 << 16;
/// Spare room for counters. Older kernels write all of the device's current counters, whatever the buffer's size, and
/// queues may have been added in between.
const SPARE: usize = 1 << 14;

/// `struct ethtool_drvinfo`.
#[repr(C)]
struct Info {
    cmd: u32,
    driver: [u8; 32],
    version: [u8; 32],
    firmware: [u8; 32],
    bus: [u8; 32],
    rom: [u8; 32],
    reserved: [u8; 12],
    private_flags: u32,
    counters: u32,
    testinfo: u32,
    eeprom: u32,
    registers: u32,
}

const _: () = assert!(size_of::<Info>() == 196);

/// The ethtool calls, for modules that may not use `unsafe`.
pub fn ethtool_calls() -> EthtoolCalls {
    EthtoolCalls { info, names, values, settings: settings::settings }
}

/// Makes one call. `data` begins with the command's number and has room for the kernel's answer.
fn call(socket: BorrowedFd<'_>, device: &str, data: *mut libc::c_void) -> io::Result<()> {
    if device.len() >= libc::IFNAMSIZ {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    let mut name = [0; libc::IFNAMSIZ];
    for (to, from) in name.iter_mut().zip(device.bytes()) {
        *to = from.cast_signed();
    }
    let mut request = libc::ifreq { ifr_name: name, ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_data: data.cast() } };
    // SAFETY: the request is a whole `ifreq` whose data the callers made for their command, with room for the answer;
    // both live for the call.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL as _, &raw mut request) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn info(socket: BorrowedFd<'_>, device: &str) -> io::Result<DriverInfo> {
    let mut answer = Info {
        cmd: ETHTOOL_GDRVINFO,
        driver: [0; 32],
        version: [0; 32],
        firmware: [0; 32],
        bus: [0; 32],
        rom: [0; 32],
        reserved: [0; 12],
        private_flags: 0,
        counters: 0,
        testinfo: 0,
        eeprom: 0,
        registers: 0,
    };
    call(socket, device, (&raw mut answer).cast())?;
    Ok(DriverInfo {
        driver: text(&answer.driver),
        version: text(&answer.version),
        firmware: text(&answer.firmware),
        counters: answer.counters as usize,
    })
}

fn names(socket: BorrowedFd<'_>, device: &str, counters: usize) -> io::Result<Vec<String>> {
    if counters == 0 {
        return Ok(Vec::new());
    }
    let (mut buffer, room) = buffer(counters, STRINGS_HEAD, ETH_GSTRING_LEN);
    // The exact number: newer kernels refuse any other.
    for (to, word) in buffer.iter_mut().zip([pair(ETHTOOL_GSTRINGS, ETH_SS_STATS), counters.min(room) as u64]) {
        *to = word;
    }
    call(socket, device, buffer.as_mut_ptr().cast())?;
    let bytes: Vec<u8> = buffer.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let count = u32::from_ne_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]) as usize;
    Ok(bytes[STRINGS_HEAD..].chunks_exact(ETH_GSTRING_LEN).take(count.min(room)).map(text).collect())
}

fn values(socket: BorrowedFd<'_>, device: &str, counters: usize) -> io::Result<Vec<u64>> {
    if counters == 0 {
        return Ok(Vec::new());
    }
    let (mut buffer, room) = buffer(counters, STATS_HEAD, size_of::<u64>());
    buffer[0] = pair(ETHTOOL_GSTATS, counters.min(room) as u32);
    call(socket, device, buffer.as_mut_ptr().cast())?;
    let count = (buffer[0].to_ne_bytes()[4..].try_into()).map_or(0, u32::from_ne_bytes) as usize;
    Ok(buffer[STATS_HEAD / size_of::<u64>()..].iter().copied().take(count.min(room)).collect())
}

/// A zeroed, aligned buffer for a header and this many counters with spare room; and the number of counters that fit.
fn buffer(counters: usize, head: usize, each: usize) -> (Vec<u64>, usize) {
    let room = counters.min(MAX_COUNTERS) + SPARE;
    (vec![0; (head + room * each).div_ceil(size_of::<u64>())], room)
}

/// Two words in memory order.
fn pair(first: u32, second: u32) -> u64 {
    let [a, b, c, d] = first.to_ne_bytes();
    let [e, f, g, h] = second.to_ne_bytes();
    u64::from_ne_bytes([a, b, c, d, e, f, g, h])
}

/// Text up to the terminating zero.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

#[cfg(test)]
mod tests;

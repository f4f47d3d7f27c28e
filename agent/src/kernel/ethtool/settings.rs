//! Settings of an interface: offloads, rings and interrupt coalescing. The calls for them need no privilege.

use super::call;
use crate::node::Setting;
use std::{io, os::fd::BorrowedFd};

/// Offloads that a call of their own reports (`struct ethtool_value`), by the names of `ethtool -k`.
const OFFLOADS: [(&str, u32); 6] = [
    ("rx-checksumming", 0x14),
    ("tx-checksumming", 0x16),
    ("scatter-gather", 0x18),
    ("tcp-segmentation-offload", 0x1e),
    ("generic-segmentation-offload", 0x23),
    ("generic-receive-offload", 0x2b),
];
/// `ETHTOOL_GFLAGS`, and the bits of its answer.
const ETHTOOL_GFLAGS: u32 = 0x25;
const FLAGS: [(&str, u32); 5] = [
    ("tx-vlan-offload", 1 << 7),
    ("rx-vlan-offload", 1 << 8),
    ("large-receive-offload", 1 << 15),
    ("ntuple-filters", 1 << 27),
    ("receive-hashing", 1 << 28),
];
const ETHTOOL_GRINGPARAM: u32 = 0x10;
/// Words of `struct ethtool_ringparam`: the present sizes follow the largest ones.
const RINGS: usize = 9;
const ETHTOOL_GCOALESCE: u32 = 0x0e;
/// Words of `struct ethtool_coalesce`.
const COALESCE: usize = 23;

/// All settings of an interface, each with its value or the kernel's refusal.
pub(super) fn settings(socket: BorrowedFd<'_>, device: &str) -> Vec<Setting> {
    let on_off = |is_on: bool| if is_on { "on" } else { "off" }.to_owned();
    let mut out: Vec<Setting> = OFFLOADS
        .iter()
        .map(|(name, command)| (*name, words::<2>(socket, device, *command).map(|[_, value]| on_off(value != 0))))
        .collect();
    let flags = words::<2>(socket, device, ETHTOOL_GFLAGS).map(|[_, flags]| flags);
    out.extend(FLAGS.iter().map(|(name, bit)| (*name, again(&flags).map(|flags| on_off(flags & bit != 0)))));
    let rings = words::<RINGS>(socket, device, ETHTOOL_GRINGPARAM);
    out.extend([("rx_ring", 5), ("tx_ring", 8)].map(|(name, at)| (name, again(&rings).map(|all| all[at].to_string()))));
    let coalesce = words::<COALESCE>(socket, device, ETHTOOL_GCOALESCE);
    out.extend(
        [("rx_coalesce_us", 1), ("tx_coalesce_us", 5)]
            .map(|(name, at)| (name, again(&coalesce).map(|all| all[at].to_string()))),
    );
    out.push(("adaptive_rx_coalesce", again(&coalesce).map(|all| on_off(all[10] != 0))));
    out
}

/// One call whose request and answer are `N` words, the command first.
fn words<const N: usize>(socket: BorrowedFd<'_>, device: &str, command: u32) -> io::Result<[u32; N]> {
    let mut data = [0; N];
    data[0] = command;
    call(socket, device, data.as_mut_ptr().cast())?;
    Ok(data)
}

/// The answer of one call for each of its facts.
fn again<T: Copy>(answer: &io::Result<T>) -> io::Result<T> {
    answer.as_ref().copied().map_err(|error| {
        error.raw_os_error().map_or_else(|| io::Error::from(error.kind()), io::Error::from_raw_os_error)
    })
}

//! Driver information and driver counters.

use crate::sample::Signal;
use std::{io, os::fd::BorrowedFd};

/// `ETHTOOL_GDRVINFO`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DriverInfo {
    /// Name of the driver.
    pub driver: String,
    /// Version: empty if there is none; for many drivers the kernel's.
    pub version: String,
    /// Firmware version; empty or `N/A` if unknown.
    pub firmware: String,
    /// Number of driver-specific counters.
    pub counters: usize,
}

/// The ethtool calls, on any socket of the device's network namespace. They need `unsafe`, so the `kernel` room
/// provides them.
#[derive(Clone, Copy, Debug)]
pub struct EthtoolCalls {
    /// Driver information of a device.
    pub info: fn(BorrowedFd<'_>, &str) -> io::Result<DriverInfo>,
    /// Names of a device's driver-specific counters, at most this many.
    pub names: fn(BorrowedFd<'_>, &str, usize) -> io::Result<Vec<String>>,
    /// Values of these counters, in the same order.
    pub values: fn(BorrowedFd<'_>, &str, usize) -> io::Result<Vec<u64>>,
}

/// Counters of a cloud's bandwidth and packet allowances, with their indices among the driver-specific counters. Empty:
/// the driver has none, so its counters need not be read, which may take milliseconds.
pub(super) fn allowances(names: &[String]) -> Vec<(usize, Signal)> {
    let known = [
        Signal::AllowanceBandwidthIn,
        Signal::AllowanceBandwidthOut,
        Signal::AllowancePackets,
        Signal::AllowanceConntrack,
        Signal::AllowanceLinkLocal,
    ];
    let index = |signal: Signal| Some((names.iter().position(|name| name == signal.label())?, signal));
    known.into_iter().filter_map(index).collect()
}

/// The text, unless it is empty or `N/A`.
pub(super) fn known(text: String) -> Option<String> {
    let text = text.trim();
    (!text.is_empty() && !text.eq_ignore_ascii_case("n/a")).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_allowances_of_the_cloud_are_taken_from_the_drivers_own_counters() {
        // As the ena driver names them.
        let names = ["tx_timeout", "suspend", "bw_in_allowance_exceeded", "bw_out_allowance_exceeded"];
        let more = ["pps_allowance_exceeded", "conntrack_allowance_exceeded", "linklocal_allowance_exceeded"];
        let names: Vec<String> = names.iter().chain(&more).map(|s| (*s).to_owned()).collect();
        let found = allowances(&names);
        assert_eq!(found.len(), 5);
        assert_eq!(found[0], (2, Signal::AllowanceBandwidthIn));
        assert_eq!(allowances(&["rx_queue_0_packets".to_owned()]), []);
    }

    #[test]
    fn what_a_driver_does_not_tell_is_absent() {
        assert_eq!(known(" N/A".into()), None);
        assert_eq!(known(String::new()), None);
        assert_eq!(known("5.1.0-k ".into()), Some("5.1.0-k".into()));
    }
}

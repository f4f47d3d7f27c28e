//! What drivers tell about themselves.

use crate::sample::Signal;
use std::{io, os::fd::BorrowedFd};

/// `ETHTOOL_GDRVINFO`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DriverInfo {
    /// Driver.
    pub driver: String,
    /// Its version; empty when it has none, and the kernel's in many.
    pub version: String,
    /// Firmware version; empty or `N/A` when not told.
    pub firmware: String,
    /// Counters that the driver has of its own.
    pub counters: usize,
}

/// The calls, on any socket of the device's network namespace. They need `unsafe`, so they are handed in by who may
/// make them.
#[derive(Clone, Copy, Debug)]
pub struct EthtoolCalls {
    /// Driver of a device.
    pub info: fn(BorrowedFd<'_>, &str) -> io::Result<DriverInfo>,
    /// Names of a device's own counters; at most so many.
    pub names: fn(BorrowedFd<'_>, &str, usize) -> io::Result<Vec<String>>,
    /// Their values, in the same order.
    pub values: fn(BorrowedFd<'_>, &str, usize) -> io::Result<Vec<u64>>,
}

/// Counters that tell a cloud's limits, and their places among a driver's own. Empty: the driver has none, so that its
/// counters (which may cost it milliseconds) never need to be asked for.
pub(super) fn allowances(names: &[String]) -> Vec<(usize, Signal)> {
    let known = [
        Signal::AllowanceBandwidthIn,
        Signal::AllowanceBandwidthOut,
        Signal::AllowancePackets,
        Signal::AllowanceConntrack,
        Signal::AllowanceLinkLocal,
    ];
    let place = |signal: Signal| Some((names.iter().position(|name| name == signal.label())?, signal));
    known.into_iter().filter_map(place).collect()
}

/// What a driver calls nothing.
pub(super) fn told(text: String) -> Option<String> {
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
        assert_eq!(told(" N/A".into()), None);
        assert_eq!(told(String::new()), None);
        assert_eq!(told("5.1.0-k ".into()), Some("5.1.0-k".into()));
    }
}

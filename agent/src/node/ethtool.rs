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
    /// Offloads, rings and interrupt coalescing of a device, each with its name and value or the kernel's refusal.
    pub settings: fn(BorrowedFd<'_>, &str) -> Vec<Setting>,
}

/// A setting of a device.
pub type Setting = (&'static str, io::Result<String>);

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
mod tests;

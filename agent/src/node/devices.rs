//! Interfaces that lead out of the Node.

use super::{files::OpenFile, text};
use crate::sample::{Device, Signal};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Maximum number of interfaces; bounds labels and cost. Physical ones come first, then by name.
const MAX_DEVICES: usize = 16;
/// `IFF_UP`.
const UP: u64 = 1;

/// Counters, and their files in the device's directory.
const FILES: [(Signal, &str); 9] = [
    (Signal::NicRxPackets, "statistics/rx_packets"),
    (Signal::NicRxDropped, "statistics/rx_dropped"),
    (Signal::NicRxErrors, "statistics/rx_errors"),
    (Signal::NicRxMissed, "statistics/rx_missed_errors"),
    (Signal::NicRxCrcErrors, "statistics/rx_crc_errors"),
    (Signal::NicTxPackets, "statistics/tx_packets"),
    (Signal::NicTxDropped, "statistics/tx_dropped"),
    (Signal::NicTxErrors, "statistics/tx_errors"),
    (Signal::NicCarrierChanges, "carrier_changes"),
];

/// One interface and its open files.
#[derive(Debug)]
pub(super) struct Interface {
    pub(super) device: Device,
    files: Vec<(Signal, OpenFile)>,
}

/// Source of the interfaces' counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CounterSource {
    /// sysfs, if it shows the Node's network namespace.
    Sysfs,
    /// `/proc/net/dev` of that namespace: fewer counters, and no driver.
    Procfs,
}

/// Finds the interfaces that lead out of the Node: physical and virtual hardware, bonds and default routes, if they are
/// up. A Node that is a network namespace may have none of them; then the interfaces with a route to a whole network
/// count. Interfaces of Pods are never among the former, bridges and loopback never among the latter.
///
/// If sysfs shows another network namespace than that of `process`, its counters do not belong to the Node. Then the
/// interfaces follow from the routes, with the parents of bonds and VLANs.
pub(super) fn find(sysfs: &Path, process: &Path) -> (CounterSource, Vec<Interface>) {
    let class = sysfs.join("class/net");
    let mut routes = text::Routes::default();
    routes.add_v4(&fs::read_to_string(process.join("net/route")).unwrap_or_default());
    routes.add_v6(&fs::read_to_string(process.join("net/ipv6_route")).unwrap_or_default());
    // Interfaces come and go with Pods, so compare twice.
    if !is_same(&class, process) && !is_same(&class, process) {
        let names = from_routes(process, &routes);
        return (CounterSource::Procfs, names.iter().map(|name| Interface::bare(name)).collect());
    }
    let names = names(&class);
    let ranked = |rank: &dyn Fn(&Path, &str) -> Option<u8>| {
        let ranks = names.iter().filter_map(|name| Some((rank(&class.join(name), name)?, name.clone())));
        let mut ranks: Vec<(u8, String)> = ranks.filter(|(_, name)| is_up(&class.join(name))).collect();
        ranks.sort_unstable();
        ranks
    };
    let mut found = ranked(&|dir, name| match () {
        () if dir.join("device").exists() => Some(0),
        () if dir.join("bonding").is_dir() => Some(1),
        () => routes.default.iter().any(|d| d == name).then_some(2),
    });
    if found.is_empty() {
        found = ranked(&|dir, name| {
            (name != "lo" && !dir.join("bridge").is_dir() && routes.networks.iter().any(|d| d == name)).then_some(3)
        });
    }
    found.truncate(MAX_DEVICES);
    (CounterSource::Sysfs, found.into_iter().map(|(_, name)| Interface::new(&class.join(&name), &name)).collect())
}

/// Interfaces of the routes, and their parents.
fn from_routes(process: &Path, routes: &text::Routes) -> Vec<String> {
    let mut found = if routes.default.is_empty() { routes.networks.clone() } else { routes.default.clone() };
    found.retain(|name| name != "lo");
    let vlans = fs::read_to_string(process.join("net/vlan/config")).unwrap_or_default();
    let below: Vec<String> =
        found.iter().filter_map(|name| text::vlan_parent(&vlans, name)).map(str::to_owned).collect();
    found.extend(below);
    let bond = |name: &String| fs::read_to_string(process.join("net/bonding").join(name)).unwrap_or_default();
    let slaves: Vec<String> =
        found.iter().map(bond).flat_map(|bond| text::slaves(&bond).map(str::to_owned).collect::<Vec<_>>()).collect();
    found.extend(slaves);
    found.sort_unstable();
    found.dedup();
    found.truncate(MAX_DEVICES);
    found
}

/// Whether sysfs shows the namespace of the process: the same interfaces with the same packet counts. Names alone are
/// not enough, because many namespaces have just `lo` and `eth0`.
fn is_same(class: &Path, process: &Path) -> bool {
    let names = names(class);
    let packets = || -> Vec<Option<u64>> {
        let text = |name: &String| fs::read_to_string(class.join(name).join("statistics/rx_packets")).ok();
        names.iter().take(MAX_DEVICES).map(|name| text(name)?.trim().parse().ok()).collect()
    };
    let before = packets();
    let text = fs::read_to_string(process.join("net/dev")).unwrap_or_default();
    let after = packets();
    let agrees = |((name, before), after): ((&String, Option<u64>), Option<u64>)| {
        let between = text::device_counters(&text, name).ok().flatten().map(|counters| counters[0].1);
        let (Some(before), Some(between), Some(after)) = (before, between, after) else { return true };
        (before..=after).contains(&between)
    };
    !names.is_empty() && names == text::device_names(&text) && names.iter().zip(before).zip(after).all(agrees)
}

/// Interfaces in sysfs, sorted by name.
fn names(class: &Path) -> Vec<String> {
    let entries = fs::read_dir(class).into_iter().flatten().flatten();
    // `bonding_masters` is a file among the directories.
    let dirs = entries.filter(|entry| entry.path().join("ifindex").exists());
    let mut names: Vec<String> = dirs.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort_unstable();
    names
}

fn is_up(dir: &Path) -> bool {
    let flags = fs::read_to_string(dir.join("flags")).unwrap_or_default();
    let flags = flags.trim().strip_prefix("0x").and_then(|hex| u64::from_str_radix(hex, 16).ok());
    flags.is_some_and(|flags| flags & UP != 0)
}

impl Interface {
    fn new(dir: &Path, name: &str) -> Self {
        let index = fs::read_to_string(dir.join("ifindex")).ok().and_then(|text| text.trim().parse().ok());
        let driver: Option<PathBuf> = fs::read_link(dir.join("device/driver")).ok();
        let driver = driver.and_then(|link| Some(link.file_name()?.to_str()?.to_owned()));
        Self {
            device: Device { name: name.into(), index: index.unwrap_or(0), driver, ..Device::default() },
            files: FILES.iter().map(|(signal, file)| (*signal, OpenFile::new(dir.join(file)))).collect(),
        }
    }

    /// An interface that sysfs does not show.
    fn bare(name: &str) -> Self {
        Self { device: Device { name: name.into(), ..Device::default() }, files: Vec::new() }
    }

    /// Reads its counters from sysfs and skips those that the device lacks.
    ///
    /// # Errors
    /// The first existing file that can't be read or parsed.
    pub(super) fn read(
        &mut self,
        text: &mut Vec<u8>,
        counters: &mut Vec<(Signal, Option<Arc<str>>, u64)>,
    ) -> Result<(), crate::sample::State> {
        for (signal, file) in &mut self.files {
            match file.parsed(text, &crate::sample::State::Absent, text::single) {
                Ok(value) => counters.push((*signal, Some(self.device.name.clone()), value)),
                Err(crate::sample::State::Absent) => {}
                Err(state) => return Err(state),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

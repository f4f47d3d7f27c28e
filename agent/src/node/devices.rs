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
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// sysfs and procfs of a fake Node.
    struct FakeNode(PathBuf);

    impl FakeNode {
        fn new(test: &str) -> Self {
            let root = std::env::temp_dir().join(format!("netwhy-devices-{}-{test}", std::process::id()));
            fs::create_dir_all(root.join("sys/class/net")).unwrap();
            fs::create_dir_all(root.join("1/net")).unwrap();
            Self(root)
        }

        fn device(&self, name: &str, index: u32, up: bool) -> PathBuf {
            let dir = self.0.join("sys/class/net").join(name);
            fs::create_dir_all(dir.join("statistics")).unwrap();
            fs::write(dir.join("ifindex"), format!("{index}\n")).unwrap();
            fs::write(dir.join("flags"), if up { "0x1003\n" } else { "0x1002\n" }).unwrap();
            fs::write(dir.join("statistics/rx_dropped"), "7\n").unwrap();
            dir
        }

        fn list(&self, names: &[&str]) {
            let lines: String = names.iter().map(|name| format!("  {name}: 0 0\n")).collect();
            fs::write(self.0.join("1/net/dev"), format!("Inter-|\n face |\n{lines}")).unwrap();
        }

        fn routes(&self, lines: &[(&str, &str)]) {
            let rows: String = lines.iter().map(|(d, mask)| format!("{d} 0 0 1 0 0 0 {mask} 0 0 0\n")).collect();
            fs::write(self.0.join("1/net/route"), format!("Iface\n{rows}")).unwrap();
        }

        fn found(&self) -> (CounterSource, Vec<Arc<str>>) {
            let (source, found) = find(&self.0.join("sys"), &self.0.join("1"));
            (source, found.into_iter().map(|interface| interface.device.name).collect())
        }
    }

    impl Drop for FakeNode {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn hardware_and_bonds_that_are_up_lead_out_and_pod_interfaces_do_not() {
        let node = FakeNode::new("hardware");
        let eth0 = node.device("eth0", 2, true);
        fs::create_dir_all(node.0.join("drivers/ixgbe")).unwrap();
        fs::create_dir_all(eth0.join("device")).unwrap();
        symlink(node.0.join("drivers/ixgbe"), eth0.join("device/driver")).unwrap();
        fs::create_dir_all(node.device("eth1", 3, false).join("device")).unwrap();
        fs::create_dir_all(node.device("bond0", 4, true).join("bonding")).unwrap();
        node.device("cali1", 5, true);
        node.device("lo", 1, true);
        fs::write(node.0.join("sys/class/net/bonding_masters"), "bond0\n").unwrap();
        node.list(&["lo", "eth0", "eth1", "bond0", "cali1"]);
        node.routes(&[("bond0", "00000000"), ("cali1", "FFFFFFFF")]);
        assert_eq!(node.found(), (CounterSource::Sysfs, vec!["eth0".into(), "bond0".into()]));
        let (_, mut found) = find(&node.0.join("sys"), &node.0.join("1"));
        assert_eq!((found[0].device.driver.as_deref(), found[0].device.index), (Some("ixgbe"), 2));
        let mut counters = Vec::new();
        found[0].read(&mut Vec::new(), &mut counters).unwrap();
        assert_eq!(counters, [(Signal::NicRxDropped, Some("eth0".into()), 7)], "no file, no value");
    }

    #[test]
    fn a_node_that_is_a_namespace_has_its_default_route_or_else_its_networks() {
        let node = FakeNode::new("namespace");
        node.device("eth0", 2, true);
        node.device("veth1", 3, true);
        fs::create_dir_all(node.device("cni0", 4, true).join("bridge")).unwrap();
        node.list(&["cni0", "eth0", "veth1"]);
        node.routes(&[("eth0", "0000FFFF"), ("cni0", "00FFFFFF"), ("veth1", "FFFFFFFF")]);
        assert_eq!(node.found().1, ["eth0".into()]);
        node.routes(&[("veth1", "00000000"), ("eth0", "0000FFFF")]);
        assert_eq!(node.found().1, ["veth1".into()]);
    }

    #[test]
    fn routes_name_the_interfaces_if_sysfs_shows_another_namespace() {
        let node = FakeNode::new("other");
        node.device("eth7", 2, true);
        node.list(&["bond0", "bond0.5", "eth0", "eth1", "lo"]);
        node.routes(&[("bond0.5", "00000000"), ("cali1", "FFFFFFFF")]);
        fs::create_dir_all(node.0.join("1/net/vlan")).unwrap();
        fs::create_dir_all(node.0.join("1/net/bonding")).unwrap();
        fs::write(node.0.join("1/net/vlan/config"), "VLAN | ID\nbond0.5 | 5 | bond0\n").unwrap();
        fs::write(node.0.join("1/net/bonding/bond0"), "Slave Interface: eth0\nSlave Interface: eth1\n").unwrap();
        let want = ["bond0", "bond0.5", "eth0", "eth1"].map(Into::into).to_vec();
        assert_eq!(node.found(), (CounterSource::Procfs, want));
        node.list(&[]);
        assert_eq!(node.found().0, CounterSource::Procfs, "an empty list does not match");
        let alike = |packets: u64| {
            node.device("eth7", 2, true);
            fs::write(node.0.join("sys/class/net/eth7/statistics/rx_packets"), format!("{packets}\n")).unwrap();
            fs::write(node.0.join("1/net/dev"), "Inter-|\n face |\n eth7: 1 5 0 0 0 0 0 0 1 5 0 0 0 0 0 0\n").unwrap();
            node.found().0
        };
        let sources = (alike(5), alike(6));
        assert_eq!(sources, (CounterSource::Sysfs, CounterSource::Procfs), "the same names may be other interfaces");
    }

    #[test]
    fn devices_are_bounded_in_number() {
        let node = FakeNode::new("many");
        let names: Vec<String> = (0..40).map(|i| format!("eth{i:02}")).collect();
        for name in &names {
            fs::create_dir_all(node.device(name, 2, true).join("device")).unwrap();
        }
        node.list(&names.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(node.found().1.len(), MAX_DEVICES);
    }
}

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

//! Network namespaces as Nodes.

use super::{
    command::{run, run_with_input},
    tag::Tag,
};
use anyhow::{Context as _, Result, ensure};
use std::{
    fmt::Write as _,
    net::{Ipv4Addr, Ipv6Addr},
};

/// Interface of every Node.
const DEVICE: &str = "eth0";
/// "Node" whose namespace holds the bridge; no Node may be named so.
const SWITCH: &str = "switch";

/// A Node: a network namespace with one interface.
#[derive(Clone, Debug)]
pub struct Node {
    /// Name within the laboratory.
    pub name: String,
    /// Name of the network namespace.
    pub netns: String,
    /// Address on 10.77.0.0/16.
    pub ipv4: Ipv4Addr,
    /// Address on fd77::/16.
    pub ipv6: Ipv6Addr,
    /// Its interface inside the namespace.
    pub device: &'static str,
    /// The other end of its cable, in the switch's namespace.
    pub port: String,
    /// Its zone, from 0.
    pub zone: usize,
    /// Further addresses, of its Pods: those that follow `ipv4`.
    pub pod_addresses: u8,
}

impl Node {
    /// The address of its Pod number `index`, from 0.
    pub fn pod_ipv4(&self, index: u8) -> Result<Ipv4Addr> {
        ensure!(index < self.pod_addresses, "node {} has {} addresses for pods", self.name, self.pod_addresses);
        Ok(Ipv4Addr::from_bits(self.ipv4.to_bits() + 1 + u32::from(index)))
    }

    /// The bridge that its cable ends at.
    pub fn bridge(&self) -> String {
        bridge(self.zone)
    }

    /// Runs a program inside the namespace, in this process's cgroup, to its end.
    pub fn run(&self, command: &[&str]) -> Result<String> {
        run(&self.command(command))
    }

    /// Feeds rules to nft inside the namespace.
    pub fn nft(&self, rules: &str) -> Result<()> {
        run_with_input(&self.command(&["nft", "-f", "-"]), rules).map(drop)
    }

    /// The command line that [`Node::run`] runs.
    pub fn command<'a>(&'a self, command: &[&'a str]) -> Vec<&'a str> {
        let mut line = vec!["ip", "netns", "exec", self.netns.as_str()];
        line.extend(command);
        line
    }
}

/// Name of a zone's bridge.
fn bridge(zone: usize) -> String {
    format!("br{zone}")
}

/// Addresses that each Node has for itself and its Pods in a network of zones.
const BLOCK: u8 = 16;
/// Of these, addresses of Pods; the first of a block is nobody's.
const POD_ADDRESSES: u8 = 8;

/// All Nodes, each on a cable to one bridge; with zones, one bridge per zone and a cable between neighbouring bridges.
///
/// The network is closed: nothing routes in or out, so that laboratories can't disturb each other or the machine.
#[derive(Debug)]
pub struct Net {
    nodes: Vec<Node>,
    switch: String,
    zones: usize,
}

impl Net {
    /// Makes namespaces, cables and the bridge. At most 250 Nodes; names of up to 10 letters.
    pub fn new(tag: &Tag, names: &[&str]) -> Result<Self> {
        Self::make(tag, Self::plan(tag, names)?, 1)
    }

    fn plan(tag: &Tag, names: &[&str]) -> Result<Vec<Node>> {
        ensure!(!names.is_empty() && names.len() <= 250, "a laboratory has 1 to 250 nodes, not {}", names.len());
        let subnet = tag.subnet();
        let mut nodes: Vec<Node> = Vec::new();
        for (name, host) in names.iter().zip(1u8..) {
            let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
            ensure!(plain && (1..=10).contains(&name.len()) && *name != SWITCH, "{name:?} is no node name");
            ensure!(nodes.iter().all(|node| node.name != *name), "two nodes are named {name:?}");
            nodes.push(Node {
                name: (*name).to_owned(),
                netns: tag.netns(name),
                ipv4: Ipv4Addr::new(10, 77, (subnet % 256) as u8, host),
                ipv6: Ipv6Addr::new(0xfd77, 0, 0, subnet, 0, 0, 0, host.into()),
                device: DEVICE,
                port: format!("to-{name}"),
                zone: 0,
                pod_addresses: 0,
            });
        }
        Ok(nodes)
    }

    /// The same with zones, each with a bridge of its own; Nodes have addresses for Pods, in a range of their own: see
    /// [`Net::range`]. At most 14 Nodes.
    pub fn zoned(tag: &Tag, zones: &[&[&str]]) -> Result<Self> {
        let names: Vec<&str> = zones.iter().copied().flatten().copied().collect();
        ensure!((1..=14).contains(&names.len()), "a laboratory with zones has 1 to 14 nodes, not {}", names.len());
        let mut nodes = Self::plan(tag, &names)?;
        let zone_of = zones.iter().enumerate().flat_map(|(zone, names)| names.iter().map(move |_| zone));
        for ((node, zone), number) in nodes.iter_mut().zip(zone_of).zip(1u8..) {
            let [a, b, c, _] = node.ipv4.octets();
            node.ipv4 = Ipv4Addr::new(a, b, c, number * BLOCK + 1);
            (node.zone, node.pod_addresses) = (zone, POD_ADDRESSES);
        }
        Self::make(tag, nodes, zones.len())
    }

    fn make(tag: &Tag, nodes: Vec<Node>, zones: usize) -> Result<Self> {
        // From here on Drop removes whatever was made.
        let net = Self { nodes, switch: tag.netns(SWITCH), zones };
        net.build()?;
        Ok(net)
    }

    /// Address range of a Node and its Pods, where they have one: `10.77.5.32/28`.
    pub fn range(&self, node: &Node) -> String {
        let base = node.ipv4.to_bits() & !u32::from(BLOCK - 1);
        format!("{}/{}", Ipv4Addr::from_bits(base), 32 - BLOCK.ilog2())
    }

    fn build(&self) -> Result<()> {
        let Self { nodes, switch, zones } = self;
        for netns in nodes.iter().map(|node| &node.netns).chain([switch]) {
            run(&["ip", "netns", "add", netns])?;
        }
        // Without forwarding delay and with snooping off, ports carry traffic at once.
        let mut batch = String::from("link set lo up\n");
        for zone in 0..*zones {
            let bridge = bridge(zone);
            writeln!(batch, "link add {bridge} type bridge forward_delay 0 stp_state 0 mcast_snooping 0")?;
            writeln!(batch, "link set {bridge} up")?;
            if let (Some(before), (up, down)) = (zone.checked_sub(1), trunk(zone)) {
                writeln!(batch, "link add {down} type veth peer name {up}")?;
                writeln!(
                    batch,
                    "link set {down} master {} up\nlink set {up} master {bridge} up",
                    self::bridge(before)
                )?;
            }
        }
        for node in nodes {
            let Node { netns, port, .. } = node;
            writeln!(batch, "link add {port} type veth peer name {DEVICE} netns {netns}")?;
            writeln!(batch, "link set {port} master {} up", node.bridge())?;
        }
        self.batch(switch, &batch)?;
        for Node { netns, ipv4, ipv6, pod_addresses, .. } in nodes {
            // nodad: usable at once, without a second of duplicate detection.
            let batch = format!(
                "link set lo up\nlink set {DEVICE} up\naddr add {ipv4}/24 dev {DEVICE}\n\
                 addr add {ipv6}/64 dev {DEVICE} nodad\n"
            );
            let pods = (1..=u32::from(*pod_addresses)).map(|n| Ipv4Addr::from_bits(ipv4.to_bits() + n));
            let batch = pods.fold(batch, |batch, pod| batch + &format!("addr add {pod}/24 dev {DEVICE}\n"));
            self.batch(netns, &batch)?;
        }
        Ok(())
    }

    fn batch(&self, netns: &str, lines: &str) -> Result<()> {
        run_with_input(&["ip", "-n", netns, "-batch", "-"], lines).map(drop)
    }

    /// All Nodes.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// A Node by name.
    pub fn node(&self, name: &str) -> Result<&Node> {
        self.nodes.iter().find(|node| node.name == name).with_context(|| format!("no node is named {name:?}"))
    }

    /// Namespace of the bridge.
    pub fn switch(&self) -> &str {
        &self.switch
    }

    /// Makes the two ends between which a forwarder can be put on a Node's cable; see [`Net::splice`].
    pub fn prepare_splice(&self, node: &Node) -> Result<(String, String)> {
        let (inner, outer) = (format!("x-{}", node.name), format!("y-{}", node.name));
        self.batch(
            &self.switch,
            &format!("link add {inner} type veth peer name {outer}\nlink set {inner} up\nlink set {outer} up\n"),
        )?;
        Ok((node.port.clone(), inner))
    }

    /// Takes a Node's cable off the bridge and puts the prepared ends there instead: from now on its frames pass
    /// through whatever forwards between them. Takes well under a millisecond.
    pub fn splice(&self, node: &Node) -> Result<()> {
        let (port, name) = (&node.port, &node.name);
        self.batch(&self.switch, &format!("link set {port} nomaster\nlink set y-{name} master {}\n", node.bridge()))
    }

    /// The way back.
    pub fn unsplice(&self, node: &Node) -> Result<()> {
        let (port, name) = (&node.port, &node.name);
        self.batch(&self.switch, &format!("link del x-{name}\nlink set {port} master {}\n", node.bridge()))
    }

    /// Makes two ends between which a forwarder can be put on the cable between zone `zone` and the one before; see
    /// [`Net::splice_trunk`].
    pub fn prepare_trunk(&self, zone: usize) -> Result<(String, String)> {
        let ends = [format!("xup{zone}"), format!("xdown{zone}")];
        for end in &ends {
            let lines = format!("link add {end} type veth peer name {end}p\nlink set {end} up\nlink set {end}p up\n");
            self.batch(&self.switch, &lines)?;
        }
        let [up, down] = ends;
        Ok((up, down))
    }

    /// Takes the cable between two zones off their bridges and puts the prepared ends there instead.
    pub fn splice_trunk(&self, zone: usize) -> Result<()> {
        let (up, down) = trunk(zone);
        let (upper, lower) = (bridge(zone), bridge(zone - 1));
        let lines = format!(
            "link set {up} nomaster\nlink set {down} nomaster\n\
             link set xup{zone}p master {upper}\nlink set xdown{zone}p master {lower}\n"
        );
        self.batch(&self.switch, &lines)
    }

    /// The way back.
    pub fn unsplice_trunk(&self, zone: usize) -> Result<()> {
        let (up, down) = trunk(zone);
        let (upper, lower) = (bridge(zone), bridge(zone - 1));
        let lines = format!(
            "link del xup{zone}\nlink del xdown{zone}\n\
             link set {up} master {upper}\nlink set {down} master {lower}\n"
        );
        self.batch(&self.switch, &lines)
    }

    /// The two ends of the cable between a zone and the one before, in the switch's namespace; the upper zone's first.
    pub fn trunk(&self, zone: usize) -> (String, String) {
        trunk(zone)
    }
}

fn trunk(zone: usize) -> (String, String) {
    (format!("up{zone}"), format!("down{zone}"))
}

impl Drop for Net {
    fn drop(&mut self) {
        // Deleting a namespace deletes the cables that end in it. Some may not have been made: nothing to report.
        for netns in self.nodes.iter().map(|node| &node.netns).chain([&self.switch]) {
            let _ = run(&["ip", "netns", "del", netns]);
        }
    }
}

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
}

impl Node {
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

/// All Nodes, each on a cable to one bridge.
///
/// The network is closed: nothing routes in or out, so that laboratories can't disturb each other or the machine.
#[derive(Debug)]
pub struct Net {
    nodes: Vec<Node>,
    switch: String,
}

impl Net {
    /// Makes namespaces, cables and the bridge. At most 250 Nodes; names of up to 10 letters.
    pub fn new(tag: &Tag, names: &[&str]) -> Result<Self> {
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
            });
        }
        // From here on Drop removes whatever was made.
        let net = Self { nodes, switch: tag.netns(SWITCH) };
        net.build()?;
        Ok(net)
    }

    fn build(&self) -> Result<()> {
        let Self { nodes, switch } = self;
        for netns in nodes.iter().map(|node| &node.netns).chain([switch]) {
            run(&["ip", "netns", "add", netns])?;
        }
        // Without forwarding delay and with snooping off, ports carry traffic at once.
        let mut batch = String::from(
            "link set lo up\nlink add br0 type bridge forward_delay 0 stp_state 0 mcast_snooping 0\nlink set br0 up\n",
        );
        for Node { netns, port, .. } in nodes {
            writeln!(batch, "link add {port} type veth peer name {DEVICE} netns {netns}")?;
            writeln!(batch, "link set {port} master br0 up")?;
        }
        self.batch(switch, &batch)?;
        for Node { netns, ipv4, ipv6, .. } in nodes {
            // nodad: usable at once, without a second of duplicate detection.
            let batch = format!(
                "link set lo up\nlink set {DEVICE} up\naddr add {ipv4}/24 dev {DEVICE}\n\
                 addr add {ipv6}/64 dev {DEVICE} nodad\n"
            );
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
        let (near, far) = (format!("x-{}", node.name), format!("y-{}", node.name));
        self.batch(
            &self.switch,
            &format!("link add {near} type veth peer name {far}\nlink set {near} up\nlink set {far} up\n"),
        )?;
        Ok((node.port.clone(), near))
    }

    /// Takes a Node's cable off the bridge and puts the prepared ends there instead: from now on its frames pass through
    /// whatever forwards between them. Takes well under a millisecond.
    pub fn splice(&self, node: &Node) -> Result<()> {
        let (port, name) = (&node.port, &node.name);
        self.batch(&self.switch, &format!("link set {port} nomaster\nlink set y-{name} master br0\n"))
    }

    /// The way back.
    pub fn unsplice(&self, node: &Node) -> Result<()> {
        let (port, name) = (&node.port, &node.name);
        self.batch(&self.switch, &format!("link del x-{name}\nlink set {port} master br0\n"))
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        // Deleting a namespace deletes the cables that end in it. Some may not have been made: nothing to report.
        for netns in self.nodes.iter().map(|node| &node.netns).chain([&self.switch]) {
            let _ = run(&["ip", "netns", "del", netns]);
        }
    }
}

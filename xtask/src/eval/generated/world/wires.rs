//! Cables, routes and address translation.

use anyhow::Result;
use netwhy_tests::lab::{Net, Node, run};
use std::net::Ipv4Addr;

/// Next hop of Pods: each Node answers for it.
const GATEWAY: &str = "169.254.1.1";

/// A lost packet is then a lost segment, as on a wire.
pub(super) fn one_packet_per_segment(node: &Node) -> Result<()> {
    run(&["ip", "-n", &node.netns, "link", "set", "dev", node.device, "gso_max_segs", "1"]).map(drop)
}

/// Routes each Node's range over the Node, so that Pods behind it are reached.
pub(super) fn route(net: &Net) -> Result<()> {
    for from in net.nodes() {
        from.run(&["sysctl", "-qw", "net.ipv4.ip_forward=1"])?;
        for to in net.nodes().iter().filter(|to| to.name != from.name) {
            let (range, via) = (net.range(to), to.ipv4.to_string());
            from.run(&["ip", "route", "add", &range, "via", &via, "dev", from.device, "onlink"])?;
        }
    }
    Ok(())
}

/// Network namespaces of Pods; deleted when dropped, and their cables with them.
#[derive(Default)]
pub(super) struct Namespaces(Vec<String>);

impl Namespaces {
    /// Moves an address of a Node into a namespace of its own behind a veth pair.
    pub(super) fn add(&mut self, net: &Net, node: &Node, pod: &str, address: Ipv4Addr) -> Result<String> {
        let netns = format!("{}p-{pod}", net.switch().trim_end_matches("switch"));
        run(&["ip", "netns", "add", &netns])?;
        self.0.push(netns.clone());
        let (address, port) = (address.to_string(), port(pod));
        let ip = |netns: &str, line: String| run(&[&["ip", "-n", netns], words(&line).as_slice()].concat());
        ip(&node.netns, format!("addr del {address}/24 dev {}", node.device))?;
        ip(&node.netns, format!("link add {port} type veth peer name eth0 netns {netns}"))?;
        ip(&node.netns, format!("link set {port} gso_max_segs 1 up"))?;
        ip(&node.netns, format!("addr add {GATEWAY}/32 dev {port}"))?;
        ip(&node.netns, format!("route add {address}/32 dev {port}"))?;
        ip(&netns, "link set lo up".into())?;
        ip(&netns, "link set eth0 gso_max_segs 1 up".into())?;
        ip(&netns, format!("addr add {address}/32 dev eth0"))?;
        ip(&netns, format!("route add {GATEWAY} dev eth0"))?;
        ip(&netns, format!("route add default via {GATEWAY} src {address}"))?;
        Ok(netns)
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        for netns in &self.0 {
            // It may not have been made.
            let _ = run(&["ip", "netns", "del", netns]);
        }
    }
}

/// A Pod's interface on its Node.
pub(in crate::eval::generated) fn port(pod: &str) -> String {
    format!("v-{pod}")
}

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

/// Lets a Node translate the Service address to replicas, in turn.
pub(super) fn serve(node: &Node, service: Ipv4Addr, replicas: &[Ipv4Addr]) -> Result<()> {
    node.run(&["ip", "route", "add", &format!("{service}/32"), "dev", node.device])?;
    let map: Vec<String> = replicas.iter().enumerate().map(|(at, to)| format!("{at} : {to}")).collect();
    let rule = format!("ip daddr {service} dnat to numgen random mod {} map {{ {} }}", replicas.len(), map.join(", "));
    node.nft(&format!(
        "add table ip netwhy_service\n\
         add chain ip netwhy_service output {{ type nat hook output priority -100; }}\n\
         add chain ip netwhy_service prerouting {{ type nat hook prerouting priority -100; }}\n\
         add rule ip netwhy_service output {rule}\n\
         add rule ip netwhy_service prerouting {rule}\n"
    ))
}

/// Lets a Node send its Pods' packets under its own address.
pub(super) fn masquerade(node: &Node, range: &str) -> Result<()> {
    node.nft(&format!(
        "add table ip netwhy_masquerade\n\
         add chain ip netwhy_masquerade postrouting {{ type nat hook postrouting priority 100; }}\n\
         add rule ip netwhy_masquerade postrouting ip saddr {range} oifname {} masquerade\n",
        node.device
    ))
}

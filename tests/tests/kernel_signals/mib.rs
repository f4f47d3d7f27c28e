//! The kernel's own counters of a network namespace.

use crate::stage::on_node;
use netwhy_tests::lab::Node;

/// A counter of `/proc/net/snmp` or `/proc/net/netstat`: `Tcp` and `RetransSegs`, `TcpExt` and `ListenDrops`.
pub(crate) fn read(node: &Node, group: &str, name: &str) -> u64 {
    let file = if group.ends_with("Ext") { "netstat" } else { "snmp" };
    let text = on_node(node, || std::fs::read_to_string(format!("/proc/thread-self/net/{file}"))).unwrap();
    let prefix = format!("{group}: ");
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(prefix.as_str()));
    let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
    let at = names.split(' ').position(|candidate| candidate == name).unwrap();
    values.split(' ').nth(at).unwrap().parse().unwrap()
}

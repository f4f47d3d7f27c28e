//! Targets for fuzzing: files of procfs and sysfs, datagrams of rtnetlink.

use super::{qdisc, text};
use crate::sample::Signal;

/// Reads a text as each file.
pub(crate) fn procfs(text: &str) {
    let _ = text::single(text);
    let _ = text::several::<3>(text);
    let _ = text::idle_us(text);
    let _ = text::cpus(text);
    let _ = text::line_value(text, "model name");
    let _ = text::chosen(text);
    let rows = text::softnet(text).map_or(0, |rows| rows.len());
    assert!(rows <= text.lines().count(), "more CPUs than lines");
    let _ = text::conntrack(text);
    let _ = text::mib(text, Signal::ALL);
    let _ = text::sockstat(text);
    for name in text::device_names(text) {
        let counters = text::device_counters(text, name);
        assert_ne!(counters, Ok(None), "{name:?} is in the file");
        let _ = text::vlan_parent(text, name);
    }
    let mut routes = text::Routes::default();
    routes.add_v4(text);
    routes.add_v6(text);
    let devices = routes.default.len() + routes.networks.len();
    assert!(devices <= 2 * text.lines().count(), "more routes than lines");
    assert!(text::slaves(text).all(|name| text.contains(name)));
    let _ = crate::cgroup::stall_us(text);
}

/// Reads a datagram.
pub(crate) fn netlink(data: &[u8]) {
    let mut all = Vec::new();
    // Any answer of the kernel has the sequence number of its request.
    let sequence = data.get(8..12).map_or(0, |bytes| u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
    let _ = qdisc::take(data, sequence, &mut all);
    assert!(all.len() <= data.len() / qdisc::HEADER, "more messages than fit");
}

//! Facts in which Nodes may differ: kernel, machine, sysctls and interfaces. Read at the start and each minute; nothing
//! here needs a right that other signals don't.

mod interface;
mod machine;

use super::{
    ethtool::EthtoolCalls,
    netns::NodeNet,
    source::{HostPaths, Source},
    sources::Sysctls,
};
use crate::sample::{Group, NodeFact, State};
use interface::Interfaces;
use std::{sync::Arc, time::Duration};

/// Time between two readings.
const INTERVAL: Duration = Duration::from_secs(60);
/// Longest value, bytes.
const MAX_VALUE: usize = 256;

/// The facts, as one source.
pub(super) fn facts(paths: &HostPaths, net: &NodeNet, calls: Option<EthtoolCalls>) -> Source {
    let place = format!("{} or {}", paths.procfs.join("sys/net").display(), paths.sysfs.join("class").display());
    let machine = paths.clone();
    let mut sysctls = Sysctls::new(net, machine::sysctls(paths));
    let mut interfaces = Interfaces::new(paths, net, calls);
    let (mut read_at, mut last): (Option<Duration>, Arc<[NodeFact]>) = (None, Arc::default());
    Source::of_group(Group::Facts, place, move |out, now| {
        if read_at.is_none_or(|at| now.saturating_sub(at) >= INTERVAL) {
            read_at = Some(now);
            let mut all = machine::facts(&machine);
            all.extend(machine::sysctl_facts(&mut sysctls, now));
            all.extend(interfaces.facts());
            last = all.into();
        }
        out.facts = last.clone();
        Ok(())
    })
}

/// A fact with its value on one line and bounded.
fn fact(name: &'static str, on: Option<&Arc<str>>, value: Result<String, State>) -> NodeFact {
    NodeFact { name, on: on.cloned(), value: value.map(|text| bounded(&text)), unit: None }
}

/// One line, cut at [`MAX_VALUE`].
fn bounded(text: &str) -> String {
    let mut out = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let end = (0..=MAX_VALUE.min(out.len())).rev().find(|end| out.is_char_boundary(*end));
    out.truncate(end.unwrap_or(0));
    out
}

#[cfg(test)]
mod tests;

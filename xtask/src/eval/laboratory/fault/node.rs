//! Nodes that harm their Pods.

use super::{Active, machine};
use crate::eval::laboratory::{
    score::{ANY, Expected},
    topology::{PODS, World},
    who::Who,
};
use anyhow::{Context as _, Result};
use std::time::Duration;

/// Share of the machine's CPU time that all Pods together may take while one burns all that it gets.
const PODS_SHARE: f64 = 0.93;
/// CPU requests of its Pods, thousandths of a CPU; the one that burns it was made with a hundred times as much.
const REQUEST: u64 = 10;
/// Connections that a full table still holds.
const TABLE: u64 = 12;
/// The limit is the whole machine's: it is lowered for no longer than this.
const CONNTRACK: Duration = Duration::from_secs(18);

#[derive(Clone, Debug, PartialEq)]
pub(in crate::eval::laboratory) enum NodeFault {
    /// A new Pod uses all CPUs with this many threads, beside Pods that requested little.
    NoisyNeighbour(String, u64),
    /// The connection tracking table is full.
    ConntrackFull(String),
}

use NodeFault::*;

impl NodeFault {
    pub(super) fn inject(&self, world: &mut World) -> Result<Active> {
        match self {
            NoisyNeighbour(node, threads) => {
                let (pod, threads) = (format!("hog-{node}"), threads.to_string());
                world.add_pod(node, &pod)?;
                // All Pods together leave CPU time to the rest of the machine. On some kernels a group that never
                // sleeps starves the root's tasks, agents and kernel threads alike (6.18: each change of its weight
                // sets its virtual time back).
                let cpus = std::thread::available_parallelism().context("count the CPUs")?.get();
                world.lab().cgroups().set_cpu_quota(Some(PODS_SHARE * cpus as f64))?;
                let active = Active::default().heal_by(|world| world.lab().cgroups().set_cpu_quota(None));
                // Equals would each get the little that they need as soon as they want it.
                let (victims, healed) = (pods_of(node), pods_of(node));
                let active = active.heal_by(move |world| {
                    healed.iter().try_for_each(|victim| world.pod(victim)?.set_cpu_request(None))
                });
                let begin = |world: &mut World| {
                    victims.iter().try_for_each(|victim| world.pod(victim)?.set_cpu_request(Some(REQUEST)))?;
                    world.launch(&pod, &pod, &["spin", "--threads", &threads])
                };
                if let Err(error) = begin(world) {
                    return active.heal(world).and(Err(error));
                }
                Ok(active.heal_by(move |world| {
                    world.stop(&pod)?;
                    world.remove_pod(&pod)
                }))
            }
            ConntrackFull(node) => {
                let node = world.lab().node(node)?.clone();
                // A rule that asks for the state makes the kernel track this Node's connections, and no others.
                node.nft(
                    "add table ip netwhy_track\n\
                     add chain ip netwhy_track input { type filter hook input priority 0; }\n\
                     add rule ip netwhy_track input ct state new counter\n",
                )?;
                let untrack = Active::default().heal_by(move |_| node.nft("delete table ip netwhy_track\n"));
                let limit = match machine::ConntrackLimit::lower_to(TABLE) {
                    Ok(limit) => limit,
                    Err(error) => return untrack.heal(world).and(Err(error)),
                };
                let active = untrack.heal_by(move |_| limit.restore());
                Ok(Active { limit: Some(CONNTRACK), ..active })
            }
        }
    }

    pub(super) fn expected(&self) -> Expected {
        match self {
            // All Nodes are one machine, whose CPUs they share: each of them tells the truth about itself.
            NoisyNeighbour(node, _) => Expected {
                right: all_nodes().map(|node| (Who::node(&node), "node_cpu_contention")).collect(),
                also: all_nodes()
                    .flat_map(|node| pods_of(&node))
                    .map(|pod| (Who::pod(pod), ANY))
                    .chain([(Who::pod(&format!("hog-{node}")), ANY)])
                    .collect(),
            },
            ConntrackFull(node) => Expected {
                right: vec![(Who::node(node), "node_conntrack_full")],
                // Its peers see this.
                also: vec![
                    (Who::node(node), "peer_unreachable"),
                    (Who::pod(&format!("api-{node}")), "peer_unreachable"),
                ],
            },
        }
    }

    pub(super) fn witnesses(&self) -> Vec<String> {
        match self {
            NoisyNeighbour(node, _) | ConntrackFull(node) => vec![node.clone()],
        }
    }
}

fn all_nodes() -> impl Iterator<Item = String> {
    ('a'..='h').map(String::from)
}

/// Pods that a Node always has.
fn pods_of(node: &str) -> Vec<&'static str> {
    PODS.iter().filter(|(of, _)| *of == node).flat_map(|(_, pods)| pods.iter().copied()).collect()
}

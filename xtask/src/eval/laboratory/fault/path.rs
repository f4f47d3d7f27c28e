//! Packets that are lost, late or swallowed.

use super::{Active, caller_of};
use crate::eval::laboratory::{
    score::{ANY, Expected},
    topology::World,
    who::Who,
};
use anyhow::Result;
use netwhy_tests::lab::run;
use std::sync::atomic::{AtomicU32, Ordering};

/// Program that delays, as the world knows it.
const FORWARDER: &str = "forward";
/// A link that flaps is down this long, of each period, s.
const FLAP_DOWN: f64 = 0.8;
const FLAP_PERIOD: f64 = 3.0;

/// Direction, as the Node sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::eval::laboratory) enum Way {
    In,
    Out,
    Both,
}

#[derive(Clone, Debug, PartialEq)]
pub(in crate::eval::laboratory) enum PathFault {
    /// Share of the packets that a Node receives, sends or both, %.
    NodeLoss(String, Way, f64),
    /// Between two Nodes, both ways, %.
    PairLoss(String, String, f64),
    /// Between the two zones, both ways, %.
    ZoneLoss(f64),
    /// To and from one Pod, %.
    PodLoss(String, f64),
    /// Ten packets in a row that a Node receives, %.
    BurstyLoss(String, f64),
    /// Of what a Node receives, what is above a rate is dropped, Mbit/s.
    Policer(String, f64),
    /// A Node's packets wait in a queue in front of a rate limit, Mbit/s.
    Queue(String, f64),
    /// A Node is further away, each way, ms.
    NodeDelay(String, f64),
    /// Two Nodes are further away from each other, each way, ms.
    PairDelay(String, String, f64),
    /// A Node receives nothing.
    Blackhole(String),
    /// A Node's large packets get lost.
    MtuBlackhole(String),
    /// A Node's cable is loose.
    LinkFlap(String),
    /// A Pod's new connections get lost.
    SynDrop(String),
}

use PathFault::*;

impl PathFault {
    pub(super) fn inject(&self, world: &mut World) -> Result<Active> {
        match self {
            NodeLoss(node, way, percent) => {
                let drop = format!("meta protocol ip {} drop", random(*percent));
                let into = (*way != Way::Out).then(|| at_port(world, node, Way::In, &drop)).transpose()?;
                let out = (*way != Way::In).then(|| at_port(world, node, Way::Out, &drop)).transpose()?;
                Ok(into.into_iter().chain(out).fold(Active::default(), Active::and))
            }
            PairLoss(a, b, percent) => pair_loss(world, a, b, *percent),
            ZoneLoss(percent) => {
                let (up, down) = world.lab().net().trunk(1);
                let random = random(*percent);
                let rules = [up, down].map(|port| format!("iifname {port} meta protocol ip {random} drop"));
                forwarded(world, &rules)
            }
            PodLoss(pod, percent) => {
                let (address, random) = (world.address(pod)?, random(*percent));
                forwarded(
                    world,
                    &[format!("ip saddr {address} {random} drop"), format!("ip daddr {address} {random} drop")],
                )
            }
            BurstyLoss(node, percent) => {
                let every = (1000.0 / percent).round();
                at_port(world, node, Way::In, &format!("meta protocol ip numgen inc mod {every} < 10 drop"))
            }
            Policer(node, mbit) => {
                // Like a token bucket in a switch: it has no queue and delays nothing; a short burst passes.
                let kbytes = (mbit * 125.0).round();
                let rule = format!("meta protocol ip limit rate over {kbytes} kbytes/second burst 64 kbytes drop");
                at_port(world, node, Way::In, &rule)
            }
            Queue(node, mbit) => {
                shape(world, node, &["rate", &format!("{mbit}mbit"), "burst", "8k", "latency", "200ms"])
            }
            NodeDelay(node, ms) => delay(world, node, &[], *ms),
            PairDelay(a, b, ms) => {
                let range = world.lab().net().range(world.lab().node(a)?);
                delay(world, b, &["--only", &range], *ms)
            }
            Blackhole(node) => at_port(world, node, Way::In, "meta protocol ip drop"),
            MtuBlackhole(node) => at_port(world, node, Way::Out, "meta protocol ip meta length > 1300 drop"),
            LinkFlap(node) => link_flap(world, node),
            SynDrop(pod) => {
                let address = world.address(pod)?;
                forwarded(world, &[format!("ip daddr {address} tcp flags & (syn|ack) == syn drop")])
            }
        }
    }

    pub(super) fn expected(&self) -> Expected {
        let loss = |who: Who| vec![(who.clone(), "path_loss"), (who, "node_packet_loss")];
        match self {
            NodeLoss(node, ..) | BurstyLoss(node, _) => Expected { right: loss(Who::node(node)), also: vec![] },
            // A policer is loss without a trace of its own.
            Policer(node, _) => Expected {
                right: loss(Who::node(node)),
                // Senders that wait for what was lost.
                also: vec![(Who::node(node), "path_latency")],
            },
            PairLoss(a, b, _) => Expected { right: loss(Who::pair(a, b)), also: vec![] },
            ZoneLoss(_) => Expected { right: loss(Who::zones("zone-1", "zone-2")), also: vec![] },
            PodLoss(pod, _) => Expected { right: loss(Who::pod(pod)), also: vec![] },
            Queue(node, _) => Expected {
                // One queue, three ways to see it: it overflows, it delays, it loses.
                right: [
                    vec![(Who::node(node), "node_qdisc_drops"), (Who::node(node), "path_latency")],
                    loss(Who::node(node)),
                ]
                .concat(),
                // The Pods that wait for the queue to take more.
                also: vec![(Who::pod(&format!("api-{node}")), ANY), (Who::pod(&format!("bulk-{node}")), ANY)],
            },
            NodeDelay(node, _) => Expected { right: vec![(Who::node(node), "path_latency")], also: vec![] },
            PairDelay(a, b, _) => Expected { right: vec![(Who::pair(a, b), "path_latency")], also: vec![] },
            Blackhole(node) => {
                // Its DNS server is one of those that don't answer.
                let also = [loss(Who::node(node)), vec![(Who::node(node), "dns_slow")]].concat();
                Expected { right: vec![(Who::node(node), "peer_unreachable")], also }
            }
            MtuBlackhole(node) => Expected {
                right: vec![(Who::node(node), "path_mtu_blackhole")],
                // Small packets pass: its large ones are lost all the same, and never answered.
                also: [loss(Who::node(node)), vec![(Who::node(node), "peer_unreachable")]].concat(),
            },
            LinkFlap(node) => Expected {
                // Down for less than a second at a time: some peers lose packets, others get no answer. The Node's own
                // interface counts the packets that it could not send.
                right: [
                    loss(Who::node(node)),
                    vec![(Who::node(node), "peer_unreachable"), (Who::node(node), "node_nic_drops")],
                ]
                .concat(),
                also: vec![(Who::node(node), "dns_slow")],
            },
            SynDrop(pod) => Expected {
                right: vec![(Who::pod(pod), "peer_unreachable")],
                also: vec![(Who::pod(pod), "pod_accept_queue_full")],
            },
        }
    }

    pub(super) fn witnesses(&self) -> Vec<String> {
        match self {
            NodeLoss(node, Way::Out, _) | MtuBlackhole(node) | Queue(node, _) => vec![node.clone()],
            PairLoss(a, ..) | PairDelay(a, ..) => vec![a.clone()],
            NodeLoss(node, ..)
            | BurstyLoss(node, _)
            | Policer(node, _)
            | NodeDelay(node, _)
            | Blackhole(node)
            | LinkFlap(node) => {
                vec![caller_of(node)]
            }
            PodLoss(pod, _) | SynDrop(pod) => vec![caller_of(super::node_of(pod))],
            ZoneLoss(_) => vec!["a".to_owned()],
        }
    }
}

/// Takes a Node's link down and up again.
fn link_flap(world: &World, node: &str) -> Result<Active> {
    let (switch, port) = (world.lab().net().switch().to_owned(), world.lab().node(node)?.port.clone());
    let set = move |state: &str| run(&["ip", "-n", &switch, "link", "set", "dev", &port, state]).map(drop);
    let (mut is_down, up) = (false, set.clone());
    let flap = move |_: &mut World, since: std::time::Duration| {
        let down = since.as_secs_f64() % FLAP_PERIOD < FLAP_DOWN;
        if down != is_down {
            is_down = down;
            set(if down { "down" } else { "up" })?;
        }
        Ok(())
    };
    Ok(Active::default().and_tick(flap).heal_by(move |_| up("up")))
}

/// Drops packets between two Nodes, both ways.
fn pair_loss(world: &World, a: &str, b: &str, percent: f64) -> Result<Active> {
    let (a, b) = (world.lab().node(a)?, world.lab().node(b)?);
    let (a, b) = (world.lab().net().range(a), world.lab().net().range(b));
    let random = random(percent);
    let rules =
        [format!("ip saddr {a} ip daddr {b} {random} drop"), format!("ip saddr {b} ip daddr {a} {random} drop")];
    forwarded(world, &rules)
}

/// The nft expression that is true for this share of packets, %.
fn random(percent: f64) -> String {
    format!("numgen random mod 1000000 < {}", (percent * 1e4).round())
}

/// A name that no other fault's table has.
fn table() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    format!("netwhy_fault{}", NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// A rule for what passes a Node's cable, inward or outward.
fn at_port(world: &World, node: &str, way: Way, rule: &str) -> Result<Active> {
    let (table, node) = (table(), world.lab().node(node)?.clone());
    // Both where the packets arrive: inward in the Node, outward at the switch.
    let device = if way == Way::In { node.device } else { node.port.as_str() };
    let rules = format!(
        "add table netdev {table}\n\
         add chain netdev {table} ingress {{ type filter hook ingress device {device} priority 0; }}\n\
         add rule netdev {table} ingress {rule}\n"
    );
    let undo = format!("delete table netdev {table}\n");
    if way == Way::In {
        node.nft(&rules)?;
        return Ok(Active::default().heal_by(move |_| node.nft(&undo)));
    }
    world.lab().nft_at_switch(&rules)?;
    Ok(Active::default().heal_by(move |world| world.lab().nft_at_switch(&undo)))
}

/// Rules for what the bridges pass on.
pub(super) fn forwarded(world: &World, rules: &[String]) -> Result<Active> {
    let table = table();
    let mut text = format!(
        "add table bridge {table}\nadd chain bridge {table} forward {{ type filter hook forward priority 0; }}\n"
    );
    for rule in rules {
        text.push_str(&format!("add rule bridge {table} forward {rule}\n"));
    }
    world.lab().nft_at_switch(&text)?;
    Ok(Active::default().heal_by(move |world| world.lab().nft_at_switch(&format!("delete table bridge {table}\n"))))
}

/// A token bucket on a Node's cable, outward.
fn shape(world: &World, node: &str, tbf: &[&str]) -> Result<Active> {
    let node = world.lab().node(node)?;
    let (netns, device) = (node.netns.clone(), node.device.to_owned());
    run(&[&["tc", "-n", &netns, "qdisc", "replace", "dev", &device, "root", "tbf"], tbf].concat())?;
    Ok(Active::default().heal_by(move |_| run(&["tc", "-n", &netns, "qdisc", "del", "dev", &device, "root"]).map(drop)))
}

/// A forwarder on a Node's cable.
fn delay(world: &mut World, node: &str, more: &[&str], ms: f64) -> Result<Active> {
    let node = world.lab().node(node)?.clone();
    let ms = ms.to_string();
    let program = world.lab().delay(&node, &[&["--delay-ms", ms.as_str()], more].concat())?;
    let name = format!("{FORWARDER}-{}", node.name);
    world.keep(&name, program);
    Ok(Active::default().heal_by(move |world| {
        world.lab().net().unsplice(&node)?;
        world.stop(&name).map(drop)
    }))
}

/// A forwarder on the cable between the two zones.
pub(super) fn between_zones(world: &mut World, ms: f64) -> Result<Active> {
    let program = world.lab().delay_trunk(1, &["--delay-ms", &ms.to_string()])?;
    world.keep("forward-zones", program);
    Ok(Active::default().heal_by(|world| {
        world.lab().net().unsplice_trunk(1)?;
        world.stop("forward-zones").map(drop)
    }))
}

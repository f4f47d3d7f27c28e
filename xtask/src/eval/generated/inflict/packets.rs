//! Packets that are lost, late, limited or refused on their way.

use super::Active;
use crate::eval::generated::{
    plan::{Fault, Mechanism, OUTSIDE, Place, Plan, Way},
    world::{World, port},
};
use anyhow::{Context as _, Result, bail};
use netwhy_tests::lab::run;

/// nftables table of the fault.
const TABLE: &str = "netwhy_fault";
/// Program that delays, as the world knows it.
const FORWARDER: &str = "forward";

/// Conditions on packets at a place, one for each direction that is hit.
fn selectors(world: &World, plan: &Plan, fault: &Fault) -> Result<Vec<String>> {
    let range = |node: &str| -> Result<String> { Ok(world.lab().net().range(world.node(node)?)) };
    let at = |host: &str| (format!("ip daddr {host}"), format!("ip saddr {host}"));
    let between = |a: &str, b: &str| (format!("ip saddr {a} ip daddr {b}"), format!("ip saddr {b} ip daddr {a}"));
    let zone = |zone: usize| -> Result<String> {
        let nodes = plan.topology.nodes.iter().filter(|node| node.zone == zone);
        let ranges: Vec<String> = nodes.map(|node| range(&node.name)).collect::<Result<_>>()?;
        Ok(format!("{{ {} }}", ranges.join(", ")))
    };
    let (inward, outward) = match &fault.place {
        Place::Pod(pod) => at(&world.address(pod)?.to_string()),
        Place::Node(node) => at(&range(node)?),
        Place::Pair(a, b) => between(&range(a)?, &range(b)?),
        Place::Zones => between(&zone(0)?, &zone(1)?),
        Place::Outside => at(&range(OUTSIDE)?),
    };
    Ok(match fault.way {
        Way::In => vec![inward],
        Way::Out => vec![outward],
        Way::Both => vec![inward, outward],
    })
}

/// The nft expression that is true for this share of packets, %.
fn random(percent: f64) -> String {
    format!("numgen random mod 1000000 < {}", (percent * 1e4).round())
}

/// Of so many groups of connections, the first; the same group in both directions.
fn one_group(groups: u32, is_back: bool) -> String {
    let inputs = if is_back {
        "ip daddr . tcp dport . ip saddr . tcp sport"
    } else {
        "ip saddr . tcp sport . ip daddr . tcp dport"
    };
    format!("jhash {inputs} mod {groups} seed 0x6e77 == 0")
}

/// The fate of packets that a selector meets, at a level.
fn rules(selectors: &[String], plan: &Plan, fault: &Fault, level: f64) -> Result<Vec<String>> {
    let with = |condition: &str| selectors.iter().map(|selector| format!("{selector} {condition} drop")).collect();
    Ok(match &fault.mechanism {
        Mechanism::Drop { percent } => with(&random(percent * level)),
        Mechanism::Police { mbit } => {
            // Like a token bucket in a switch: no queue; a short burst passes.
            let kbytes = (mbit / level * 125.0).round().max(1.0);
            with(&format!("limit rate over {kbytes} kbytes/second burst {} kbytes", (kbytes / 10.0).max(8.0).round()))
        }
        Mechanism::Size { bytes } => with(&format!("meta length > {bytes}")),
        // Packets to the server, whichever way the drawn one is.
        Mechanism::Port => {
            let to = selectors.first().context("a port without a direction")?;
            vec![format!("{to} tcp dport {} drop", plan.traffic.port)]
        }
        Mechanism::Blackhole => with(""),
        Mechanism::Share { groups, percent } => {
            let one = |(at, selector): (usize, &String)| {
                format!("{selector} {} {} drop", one_group(*groups, at == 1), random(percent * level))
            };
            selectors.iter().enumerate().map(one).collect()
        }
        _ => bail!("{} drops nothing", fault.mechanism.name()),
    })
}

/// Rules for what the bridges pass on.
pub(super) fn drops(world: &World, plan: &Plan, fault: &Fault) -> Result<Active> {
    let (selectors, plan, fault) = (selectors(world, plan, fault)?, plan.clone(), fault.clone());
    world.lab().nft_at_switch(&format!(
        "add table bridge {TABLE}\nadd chain bridge {TABLE} forward {{ type filter hook forward priority 0; }}\n"
    ))?;
    Ok(Active::new(move |world, level| {
        let mut text = format!("flush chain bridge {TABLE} forward\n");
        if level > 0.0 {
            for rule in rules(&selectors, &plan, &fault, level)? {
                text.push_str(&format!("add rule bridge {TABLE} forward {rule}\n"));
            }
        }
        world.lab().nft_at_switch(&text)
    }))
}

/// Resets in answer to packets to a Pod, by its Node.
pub(super) fn resets(world: &World, plan: &Plan, fault: &Fault) -> Result<Active> {
    let Place::Pod(pod) = &fault.place else { bail!("only Pods are reset") };
    let (node, address) = (world.node(plan.node_of(pod))?.clone(), world.address(pod)?);
    // A Pod of its own is reached by forwarding, one of the host's network at the input.
    let hook = if plan.pod(pod).is_some_and(|pod| pod.veth) { "forward" } else { "input" };
    node.nft(&format!(
        "add table ip {TABLE}\nadd chain ip {TABLE} resets {{ type filter hook {hook} priority 0; }}\n"
    ))?;
    let mechanism = fault.mechanism.clone();
    Ok(Active::new(move |_, level| {
        let condition = match &mechanism {
            // Data, not handshakes and acknowledgements.
            Mechanism::Reset { percent } => {
                format!("tcp flags & (syn | fin | rst) == 0 meta length > 60 {}", random(percent * level))
            }
            _ => "meta l4proto tcp".to_owned(),
        };
        let mut text = format!("flush chain ip {TABLE} resets\n");
        if level > 0.0 {
            text.push_str(&format!(
                "add rule ip {TABLE} resets ip daddr {address} {condition} reject with tcp reset\n"
            ));
        }
        node.nft(&text)
    }))
}

/// A token bucket in front of a place, or behind it.
pub(super) fn shaper(world: &World, plan: &Plan, fault: &Fault, limit: (f64, u32)) -> Result<Active> {
    let (netns, device) = match (&fault.place, fault.way) {
        (Place::Pod(pod), Way::In) => (world.node(plan.node_of(pod))?.netns.clone(), port(pod)),
        (Place::Pod(pod), _) => (world.netns(pod)?.to_owned(), "eth0".to_owned()),
        (Place::Node(node), Way::In) => (world.lab().net().switch().to_owned(), world.node(node)?.port.clone()),
        (Place::Node(node), _) => {
            let node = world.node(node)?;
            (node.netns.clone(), node.device.to_owned())
        }
        (place, _) => bail!("no queue is at {place}"),
    };
    let (mbit, latency) = (limit.0, format!("{}ms", limit.1));
    Ok(Active::new(move |_, level| {
        let tc = |words: &[&str]| run(&[&["tc", "-n", &netns, "qdisc"], words].concat()).map(drop);
        if level == 0.0 {
            return tc(&["del", "dev", &device, "root"]);
        }
        let rate = format!("{}kbit", (mbit / level * 1000.0).round());
        tc(&["replace", "dev", &device, "root", "tbf", "rate", &rate, "burst", "8k", "latency", &latency])
    }))
}

/// Which cable a forwarder goes on, and whose frames it holds up.
fn cable(world: &World, plan: &Plan, place: &Place) -> Result<(Option<String>, Vec<String>)> {
    let range = |node: &str| -> Result<String> { Ok(world.lab().net().range(world.node(node)?)) };
    Ok(match place {
        Place::Pod(pod) => (Some(plan.node_of(pod).to_owned()), vec![format!("{}/32", world.address(pod)?)]),
        Place::Node(node) => (Some(node.clone()), Vec::new()),
        Place::Pair(a, b) => (Some(b.clone()), vec![range(a)?]),
        // Of what passes between the bridges: not what goes outside.
        Place::Zones => {
            let second = plan.topology.nodes.iter().filter(|node| node.zone == 1);
            (None, second.map(|node| range(&node.name)).collect::<Result<_>>()?)
        }
        Place::Outside => (Some(OUTSIDE.to_owned()), Vec::new()),
    })
}

/// A program on a cable that holds frames up.
pub(super) fn forwarder(world: &World, plan: &Plan, fault: &Fault) -> Result<Active> {
    let (node, only) = cable(world, plan, &fault.place)?;
    let mut args: Vec<String> = only.iter().flat_map(|range| ["--only".to_owned(), range.clone()]).collect();
    // The first interface is the Node's side.
    match fault.way {
        Way::In => args.extend(["--one-way".into(), "second".into()]),
        Way::Out => args.extend(["--one-way".into(), "first".into()]),
        Way::Both => {}
    }
    let (ms, duplicate, corrupt) = match fault.mechanism {
        Mechanism::Delay { ms } => (ms, 0.0, 0.0),
        Mechanism::Reorder { percent, ms } => {
            args.extend(["--share".into(), percent.to_string()]);
            (ms, 0.0, 0.0)
        }
        Mechanism::Duplicate { percent } => (0.0, percent, 0.0),
        Mechanism::Corrupt { percent } => (0.0, 0.0, percent),
        _ => bail!("{} holds nothing up", fault.mechanism.name()),
    };
    Ok(Active::new(move |world, level| {
        if !world.has_program(FORWARDER) {
            splice(world, node.as_deref(), &args)?;
        }
        world.tell(FORWARDER, &format!("delay-us {:.0}", ms * level * 1e3))?;
        world.tell(FORWARDER, &format!("duplicate {}", duplicate * level))?;
        world.tell(FORWARDER, &format!("corrupt {}", corrupt * level))
    }))
}

fn splice(world: &mut World, node: Option<&str>, args: &[String]) -> Result<()> {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let program = match node {
        Some(node) => world.lab().delay(world.node(node)?, &args)?,
        None => world.lab().delay_trunk(1, &args)?,
    };
    world.keep(FORWARDER, program);
    Ok(())
}

/// A Node that is far away for good.
pub(in crate::eval::generated) fn stand_off(world: &mut World, node: &str, ms: f64) -> Result<()> {
    splice(world, Some(node), &["--delay-ms".into(), ms.to_string()])
}

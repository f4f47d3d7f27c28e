//! Draws cases: pure, the same for the same seed and number.

mod faults;

pub(super) use faults::{process, requests};

use super::{
    plan::{
        Control, EXTERNAL, Event, Flow, Mix, NodePlan, OUTSIDE, Plan, PodPlan, Role, Style, Target, Topology, Traffic,
    },
    random::Random,
};

/// Names of Nodes.
const NODES: [&str; 5] = ["a", "b", "c", "d", "e"];
/// Ports of servers, also above those that clients take by default.
const PORTS: [u16; 6] = [80, 5432, 8080, 9090, 33_060, 50_051];

/// A case of a seed. Even numbers are faults, odd ones controls.
pub(super) fn draw(seed: u64, number: u64) -> Plan {
    let mut random = Random::new(seed, number);
    let topology = topology(&mut random);
    let traffic = traffic(&mut random, &topology);
    let mut plan = Plan { seed, number, topology, traffic, event: Event::Control(Control::Idle) };
    plan.event = if number.is_multiple_of(2) {
        Event::Fault(faults::fault(&mut random, &plan))
    } else {
        Event::Control(control(&mut random, &plan))
    };
    plan
}

fn topology(random: &mut Random) -> Topology {
    let count = random.whole(3, NODES.len() as u64) as usize;
    let uncovered = random.chance(0.35).then(|| random.whole(0, count as u64 - 1) as usize);
    let node = |at: usize| NodePlan {
        name: NODES[at].to_owned(),
        zone: usize::from(at >= count.div_ceil(2)),
        covered: uncovered != Some(at),
    };
    let nodes: Vec<NodePlan> = (0..count).map(node).collect();
    let share_of_veth = random.one(&[0.0, 0.5, 1.0]);
    let mut pods = Vec::new();
    let resolver = random.chance(0.4).then(|| random.one(&nodes).name);
    for node in &nodes {
        let mut add = |role: Role, name: &str, random: &mut Random| {
            let veth = random.chance(share_of_veth);
            pods.push(PodPlan { name: format!("{name}-{}", node.name), node: node.name.clone(), veth, role });
        };
        add(Role::Client, "web", random);
        add(Role::Server, "api", random);
        add(Role::Sink, "store", random);
        if resolver.as_ref() == Some(&node.name) {
            add(Role::Resolver, "dns", random);
        }
    }
    pods.push(PodPlan { name: EXTERNAL.into(), node: OUTSIDE.into(), veth: false, role: Role::Server });
    let of = |role: Role| pods.iter().filter(move |pod| pod.role == role && pod.node != OUTSIDE);
    let servers: Vec<String> = of(Role::Server).map(|pod| pod.name.clone()).collect();
    let replicas = if random.chance(0.4) { random.some(&servers, random_replicas(count)) } else { Vec::new() };
    // Only what passes the Node can be translated.
    let veth: Vec<String> = of(Role::Client).filter(|pod| pod.veth).map(|pod| pod.node.clone()).collect();
    let masquerade = if random.chance(0.3) { random.pick(&veth).cloned() } else { None };
    Topology { nodes, pods, masquerade, replicas }
}

/// Replicas of the Service among so many Nodes.
const fn random_replicas(nodes: usize) -> usize {
    if nodes > 3 { 3 } else { 2 }
}

fn traffic(random: &mut Random, topology: &Topology) -> Traffic {
    let mix = random.one(&[Mix::Kept, Mix::Fresh, Mix::Mixed, Mix::Sparse, Mix::Bulk, Mix::Polls]);
    let mut flows = Vec::new();
    for (at, pod) in topology.pods.iter().filter(|pod| pod.role == Role::Client).enumerate() {
        let others = |role: Role| -> Vec<String> {
            let is_other = |other: &&PodPlan| other.role == role && other.node != pod.node && other.node != OUTSIDE;
            topology.pods.iter().filter(is_other).map(|other| other.name.clone()).collect()
        };
        let mut add = |to: Target, style: Style| flows.push(Flow { from: pod.name.clone(), to, style });
        for server in random.some(&others(Role::Server), 3) {
            add(Target::Pod(server), request(random, mix));
        }
        if mix == Mix::Bulk || (mix == Mix::Mixed && random.chance(0.5)) {
            for sink in random.some(&others(Role::Sink), 2) {
                add(Target::Pod(sink), Style::Bulk { mbit: random.log(0.5, 6.0) });
            }
        }
        if mix == Mix::Polls
            && let Some(server) = random.pick(&others(Role::Server))
        {
            let style = Style::Poll { connections: random.whole(1, 8) as u32, think_ms: random.whole(1000, 4000) };
            add(Target::Pod(server.clone()), style);
        }
        if let Some(resolver) = others(Role::Resolver).first() {
            add(Target::Pod(resolver.clone()), Style::Lookup { rate: random.log(2.0, 15.0) });
        }
        if !topology.replicas.is_empty() && random.chance(0.7) {
            add(Target::Service, request(random, mix));
        }
        if at < 2 && random.chance(0.5) {
            add(Target::Pod(EXTERNAL.into()), request(random, mix));
        }
    }
    Traffic {
        mix,
        port: random.one(&PORTS),
        think_us: random.log(100.0, 20_000.0) as u64,
        patience_ms: random.log(200.0, 8000.0) as u64,
        congestion_control: random.one(&["cubic", "bbr", "reno"]),
        flows,
    }
}

/// How a client asks a server.
fn request(random: &mut Random, mix: Mix) -> Style {
    let bytes = random.log(200.0, 16_000.0) as u32;
    let kept = |random: &mut Random| Style::Kept {
        rate: random.log(3.0, 50.0),
        connections: random.whole(1, 4) as u32,
        bytes,
    };
    let fresh = |random: &mut Random| Style::Fresh { rate: random.log(1.0, 12.0), bytes };
    match mix {
        Mix::Kept | Mix::Bulk | Mix::Polls => kept(random),
        Mix::Fresh => fresh(random),
        Mix::Sparse if random.chance(0.5) => Style::Kept { rate: 1.0, connections: 1, bytes },
        Mix::Sparse => Style::Fresh { rate: 1.0, bytes },
        Mix::Mixed if random.chance(0.5) => kept(random),
        Mix::Mixed => fresh(random),
    }
}

fn control(random: &mut Random, plan: &Plan) -> Control {
    let Topology { nodes, pods, .. } = &plan.topology;
    let names = |role: Role| -> Vec<String> {
        pods.iter().filter(|pod| pod.role == role && pod.node != OUTSIDE).map(|pod| pod.name.clone()).collect()
    };
    let (servers, sinks, clients) = (names(Role::Server), names(Role::Sink), names(Role::Client));
    let node = random.one(nodes).name;
    let from = random.one(&clients);
    let elsewhere = |pod: &&String| plan.node_of(pod) != plan.node_of(&from);
    let other = |random: &mut Random, among: &[String]| {
        random.one(&among.iter().filter(elsewhere).cloned().collect::<Vec<String>>())
    };
    let is_request = |flow: &Flow| matches!(flow.style, Style::Kept { .. } | Style::Fresh { .. });
    let requests: Vec<usize> =
        (0..plan.traffic.flows.len()).filter(|at| is_request(&plan.traffic.flows[*at])).collect();
    match random.whole(0, 12) {
        0 => Control::LoadStep { flow: random.one(&requests), factor: random.log(2.0, 8.0) },
        1 => Control::Batch { node, threads: random.whole(1, 2) as u32 },
        2 => Control::HealthChecks { to: other(random, &servers), from, rate: random.log(0.5, 5.0) },
        3 => Control::Restart { pod: random.one(&servers) },
        4 => Control::Rollout { seconds: random.even(3.0, 8.0) },
        5 => Control::Churn { node, to: random.one(&servers), seconds: random.even(1.0, 4.0) },
        6 => Control::LongPoll { to: other(random, &servers), from, seconds: random.whole(1, 5) },
        7 => Control::Stream { to: other(random, &sinks), from, mbit: random.log(5.0, 100.0) },
        8 => Control::Pauses { pod: random.one(&servers), ms: random.whole(20, 150), seconds: random.even(3.0, 8.0) },
        9 => {
            let covered: Vec<String> = nodes.iter().filter(|node| node.covered).map(|node| node.name.clone()).collect();
            Control::AgentRestart { node: random.one(&covered) }
        }
        10 => Control::Distance { node, ms: random.log(0.5, 20.0) },
        11 => Control::Autoscale { flow: random.one(&requests), seconds: random.even(3.0, 8.0) },
        _ => Control::Idle,
    }
}

#[cfg(test)]
mod tests;

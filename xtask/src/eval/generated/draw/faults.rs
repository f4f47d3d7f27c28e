//! Draws faults: a mechanism, a place that carries traffic for it, a direction, a pattern, a magnitude.

use super::super::{
    plan::{EXTERNAL, Fault, Flow, Mechanism, OUTSIDE, Pattern, Place, Plan, Role, Style, Target, Way},
    random::Random,
};

/// Mechanisms to draw from; magnitudes come later.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Drop,
    Delay,
    Reorder,
    Duplicate,
    Police,
    Shape,
    Reject,
    Reset,
    Size,
    Port,
    Blackhole,
    Share,
    Stop,
    SlowSometimes,
    Think,
    Quota,
    Backlog,
    Gone,
    SlowReader,
    DnsDelay,
    DnsErrors,
    Corrupt,
    Lock,
    Descriptors,
    Ports,
}

use Kind as K;

/// Some stand several times: they have more places than the others, where these must be told apart.
const KINDS: [Kind; 32] = [
    K::Drop,
    K::Drop,
    K::Drop,
    K::Drop,
    K::Delay,
    K::Delay,
    K::Delay,
    K::Delay,
    K::Blackhole,
    K::Reorder,
    K::Duplicate,
    K::Police,
    K::Shape,
    K::Reject,
    K::Reset,
    K::Size,
    K::Port,
    K::Blackhole,
    K::Share,
    K::Stop,
    K::SlowSometimes,
    K::Think,
    K::Quota,
    K::Backlog,
    K::Gone,
    K::SlowReader,
    K::DnsDelay,
    K::DnsErrors,
    K::Corrupt,
    K::Lock,
    K::Descriptors,
    K::Ports,
];

pub(super) fn fault(random: &mut Random, plan: &Plan) -> Fault {
    loop {
        let kind = random.one(&KINDS);
        // A kind of place first: there are more Pods than Nodes.
        let places = places(kind, plan);
        let mut kinds: Vec<&str> = places.iter().map(Place::kind).collect();
        kinds.dedup();
        let Some(wanted) = random.pick(&kinds).copied() else { continue };
        let places: Vec<Place> = places.into_iter().filter(|place| place.kind() == wanted).collect();
        let place = random.one(&places);
        let way = way(random, kind, &place);
        let mechanism = mechanism(random, kind, plan, &place);
        return Fault { mechanism, place, way, pattern: pattern(random, kind) };
    }
}

/// Places with traffic that a kind of fault can meet, kind by kind of place.
fn places(kind: Kind, plan: &Plan) -> Vec<Place> {
    let all = match kind {
        K::Drop | K::Delay | K::Blackhole => [pods(plan, kind), nodes(plan), pairs(plan), wide(plan)].concat(),
        K::Police | K::Size => [pods(plan, kind), nodes(plan), pairs(plan)].concat(),
        K::Shape => [pods(plan, kind), nodes(plan)].concat(),
        K::Reorder | K::Duplicate | K::Corrupt => [nodes(plan), pairs(plan)].concat(),
        K::Share => [nodes(plan), pairs(plan), wide(plan)].concat(),
        K::Stop | K::SlowSometimes | K::Think => [pods(plan, kind), vec![Place::Outside]].concat(),
        K::Reject
        | K::Reset
        | K::Port
        | K::Quota
        | K::Backlog
        | K::Gone
        | K::SlowReader
        | K::DnsDelay
        | K::DnsErrors
        | K::Lock
        | K::Descriptors
        | K::Ports => pods(plan, kind),
    };
    let suits = |flow: &Flow| match kind {
        K::SlowReader => matches!(flow.style, Style::Bulk { .. }),
        K::DnsDelay | K::DnsErrors => matches!(flow.style, Style::Lookup { .. }),
        // Connections that are open go on.
        K::Descriptors => matches!(flow.style, Style::Fresh { .. }),
        K::Ports => matches!((&flow.style, &flow.to), (Style::Fresh { .. }, Target::Pod(_))),
        K::SlowSometimes | K::Think | K::Lock | K::Quota | K::Backlog | K::Port | K::Reset => {
            matches!(flow.style, Style::Kept { .. } | Style::Fresh { .. })
        }
        _ => true,
    };
    let carries = |flow: &Flow, place: &Place| suits(flow) && plan.is_in_sight(flow) && plan.touches(flow, place);
    let has_traffic = |place: &Place| plan.traffic.flows.iter().any(|flow| carries(flow, place));
    all.into_iter().filter(has_traffic).collect()
}

fn pods(plan: &Plan, kind: Kind) -> Vec<Place> {
    let suits = |role: Role, veth: bool| match kind {
        // A client behind a masquerade has no address on the way; servers always have.
        K::Drop | K::Delay | K::Police | K::Size | K::Blackhole => matches!(role, Role::Server | Role::Sink),
        K::Shape => veth && role != Role::Client,
        K::Stop => role != Role::Client,
        K::SlowReader => role == Role::Sink,
        K::DnsDelay | K::DnsErrors => role == Role::Resolver,
        // Where the Node's ports are its own, all of its programs suffer.
        K::Ports => veth && role == Role::Client,
        _ => role == Role::Server,
    };
    let pods = plan.topology.pods.iter().filter(|pod| pod.node != OUTSIDE && suits(pod.role, pod.veth));
    pods.map(|pod| Place::Pod(pod.name.clone())).collect()
}

fn nodes(plan: &Plan) -> Vec<Place> {
    plan.topology.nodes.iter().map(|node| Place::Node(node.name.clone())).collect()
}

fn pairs(plan: &Plan) -> Vec<Place> {
    let names: Vec<&String> = plan.topology.nodes.iter().map(|node| &node.name).collect();
    let with = |a: &String, from: usize| names[from..].iter().map(|b| Place::Pair(a.clone(), (*b).clone())).collect();
    names.iter().enumerate().flat_map(|(at, a)| -> Vec<Place> { with(a, at + 1) }).collect()
}

fn wide(_plan: &Plan) -> Vec<Place> {
    vec![Place::Zones, Place::Outside]
}

fn way(random: &mut Random, kind: Kind, place: &Place) -> Way {
    match (kind, place) {
        (_, Place::Zones | Place::Outside) => Way::Both,
        (K::Shape | K::Police, _) => random.one(&[Way::In, Way::Out]),
        (K::Drop | K::Delay | K::Blackhole | K::Size, _) => random.one(&[Way::In, Way::Out, Way::Both]),
        _ => Way::Both,
    }
}

fn pattern(random: &mut Random, kind: Kind) -> Pattern {
    match kind {
        // A process that ends again and again is another fault.
        K::Gone | K::Backlog | K::Quota | K::Descriptors | K::Ports => Pattern::Steady,
        _ => match random.whole(0, 5) {
            0..=2 => Pattern::Steady,
            3 => Pattern::OnOff { period: random.even(3.0, 8.0), share: random.even(0.3, 0.7) },
            4 => Pattern::Ramp { seconds: random.even(4.0, 12.0) },
            _ => Pattern::Bursts { period: random.even(1.5, 4.0), length: random.even(0.4, 0.9) },
        },
    }
}

fn mechanism(random: &mut Random, kind: Kind, plan: &Plan, place: &Place) -> Mechanism {
    let touching = || plan.traffic.flows.iter().filter(|flow| plan.touches(flow, place));
    let mbit: f64 = touching().map(|flow| flow.style.mbit()).sum();
    match kind {
        K::Drop => Mechanism::Drop { percent: random.log(0.1, 30.0) },
        K::Delay => Mechanism::Delay { ms: random.log(0.3, 100.0) },
        K::Reorder => Mechanism::Reorder { percent: random.log(1.0, 30.0), ms: random.log(1.0, 20.0) },
        K::Duplicate => Mechanism::Duplicate { percent: random.log(1.0, 30.0) },
        K::Corrupt => Mechanism::Corrupt { percent: random.log(0.2, 20.0) },
        K::Police => Mechanism::Police { mbit: rate(random, mbit) },
        K::Shape => Mechanism::Shape { mbit: rate(random, mbit), queue_ms: random.whole(30, 400) as u32 },
        K::Reject => Mechanism::Reject,
        K::Reset => Mechanism::Reset { percent: random.log(0.2, 20.0) },
        K::Size => Mechanism::Size { bytes: random.one(&[600, 1000, 1300, 1400]) },
        K::Port => Mechanism::Port,
        K::Blackhole => Mechanism::Blackhole,
        K::Share => Mechanism::Share { groups: random.whole(2, 4) as u32, percent: random.log(2.0, 100.0) },
        K::Stop => Mechanism::Stop,
        K::SlowSometimes => {
            Mechanism::SlowSometimes { every: random.log(3.0, 50.0) as u64, ms: random.log(20.0, 1000.0) as u64 }
        }
        K::Think => Mechanism::Think { ms: random.log(2.0, 500.0) as u64 },
        K::Lock => Mechanism::Lock { every: random.log(3.0, 50.0) as u64, ms: random.log(20.0, 1000.0) as u64 },
        K::Descriptors => Mechanism::Descriptors { more: random.whole(0, 2) },
        K::Ports => Mechanism::Ports { count: random.whole(2, 12) as u16 },
        K::Quota => Mechanism::Quota { percent: random.log(3.0, 20.0), need: random.log(0.6, 3.0) },
        K::Backlog => Mechanism::Backlog { places: random.whole(1, 8) as u32 },
        K::Gone => Mechanism::Gone,
        K::SlowReader => {
            let bulk = touching().map(|flow| flow.style.mbit()).fold(0.0, f64::max);
            Mechanism::SlowReader { bytes: (rate(random, bulk) * 125_000.0) as u64 }
        }
        K::DnsDelay => Mechanism::DnsDelay { ms: random.log(20.0, 2000.0) as u64 },
        K::DnsErrors => Mechanism::DnsErrors { every: random.log(1.0, 40.0) as u64 },
    }
}

/// A limit about what passes, Mbit/s.
fn rate(random: &mut Random, mbit: f64) -> f64 {
    let drawn = mbit * random.log(0.3, 2.0);
    (drawn.max(0.05) * 100.0).round() / 100.0
}

/// Requests per second that a server gets, roughly: those to a Service go to each replica alike.
pub(in crate::eval::generated) fn requests(plan: &Plan, pod: &str) -> f64 {
    let of = |flow: &Flow| {
        let servers = plan.servers_of(flow);
        let rate = match flow.style {
            Style::Kept { rate, .. } | Style::Fresh { rate, .. } => rate,
            Style::Bulk { .. } | Style::Poll { .. } | Style::Lookup { .. } => 0.0,
        };
        if servers.contains(&pod) { rate / servers.len() as f64 } else { 0.0 }
    };
    plan.traffic.flows.iter().map(of).sum()
}

/// The Pod whose program a fault of processes changes. `None`: the fault is on the way.
pub(in crate::eval::generated) fn process(fault: &Fault) -> Option<&str> {
    match (&fault.mechanism, &fault.place) {
        (
            Mechanism::Stop
            | Mechanism::SlowSometimes { .. }
            | Mechanism::Think { .. }
            | Mechanism::Quota { .. }
            | Mechanism::Backlog { .. }
            | Mechanism::Gone
            | Mechanism::SlowReader { .. }
            | Mechanism::DnsDelay { .. }
            | Mechanism::DnsErrors { .. }
            | Mechanism::Lock { .. }
            | Mechanism::Descriptors { .. }
            | Mechanism::Ports { .. },
            place,
        ) => match place {
            Place::Pod(pod) => Some(pod),
            _ => Some(EXTERNAL),
        },
        _ => None,
    }
}

//! Which faults are tried, where, and how strong: one set to tune rules on, another to report.

use super::{
    fault::{Control, Fault, NodeFault, PathFault, PodFault, Way},
    magnitudes as m,
};

/// One thing to try.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) name: &'static str,
    pub(super) magnitude: String,
    pub(super) fault: Fault,
    pub(super) seed: u64,
}

/// Which set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Set {
    /// The figures of the report. Rounds from the second on have [magnitudes](super::magnitudes) of their own, at which no
    /// rule was worked on.
    Report,
    /// Other places and magnitudes, for work on rules.
    Tune,
}

/// Nodes with a cart, a bulk or a store Pod, and all.
const CARTS: [&str; 6] = ["a", "b", "c", "e", "f", "g"];
const BULKS: [&str; 4] = ["a", "c", "e", "g"];
const STORES: [&str; 4] = ["b", "d", "f", "h"];
const NODES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

/// Takes turns among the places of faults, so that what is left of one case does not meet the next.
struct Places {
    at: usize,
}

impl Places {
    fn next(&mut self, among: &[&str]) -> String {
        // Steps of 5 visit all of eight places before one comes again.
        self.at += 5;
        among[self.at % among.len()].to_owned()
    }

    fn pod(&mut self, role: &str, among: &[&str]) -> String {
        format!("{role}-{}", self.next(among))
    }

    /// Two Nodes that talk to each other.
    fn pair(&mut self) -> (String, String) {
        let a = self.next(&NODES);
        let at = NODES.iter().position(|node| *node == a).unwrap_or(0);
        (a, NODES[(at + 1) % NODES.len()].to_owned())
    }
}

/// All cases of one seed: faults, then controls.
pub(super) fn all(set: Set, seed: u64) -> Vec<Plan> {
    let tune = set == Set::Tune;
    let mut places = Places { at: usize::try_from(seed).unwrap_or(0) + if tune { 3 } else { 0 } };
    let mut draw = m::Draw::new(set, seed);
    let mut out = Vec::new();
    let mut add = |name, magnitude: String, fault| out.push(Plan { name, magnitude, fault, seed });
    let p = &mut places;
    let percent = |value: f64| format!("{value} %");

    for (name, way) in [("node-loss-in", Way::In), ("node-loss-out", Way::Out), ("node-loss-both", Way::Both)] {
        for value in m::node_loss(set) {
            add(name, percent(value), Fault::Path(PathFault::NodeLoss(p.next(&NODES), way, value)));
        }
    }
    for value in m::PAIR_LOSS.map(|of| draw.of(&of)) {
        let (a, b) = p.pair();
        add("pair-loss", percent(value), Fault::Path(PathFault::PairLoss(a, b, value)));
    }
    let value = draw.of(&m::ZONE_LOSS);
    add("zone-pair-loss", percent(value), Fault::Path(PathFault::ZoneLoss(value)));
    let value = draw.of(&m::POD_LOSS);
    add("pod-loss", percent(value), Fault::Path(PathFault::PodLoss(p.pod("api", &NODES), value)));
    let value = draw.of(&m::BURSTY_LOSS);
    add("bursty-loss", percent(value), Fault::Path(PathFault::BurstyLoss(p.next(&NODES), value)));
    let mbit = draw.of(&m::POLICER);
    add("policer", format!("{mbit} Mbit/s"), Fault::Path(PathFault::Policer(p.next(&STORES), mbit)));
    let mbit = draw.of(&m::QUEUE);
    add("queueing", format!("{mbit} Mbit/s"), Fault::Path(PathFault::Queue(p.next(&NODES), mbit)));
    for ms in m::NODE_DELAY.map(|of| draw.of(&of)) {
        add("node-delay", format!("{ms} ms"), Fault::Path(PathFault::NodeDelay(p.next(&NODES), ms)));
    }
    let ms = draw.of(&m::PAIR_DELAY);
    let (a, b) = p.pair();
    add("pair-delay", format!("{ms} ms"), Fault::Path(PathFault::PairDelay(a, b, ms)));
    add("blackhole", String::new(), Fault::Path(PathFault::Blackhole(p.next(&NODES))));
    add("mtu-blackhole", String::new(), Fault::Path(PathFault::MtuBlackhole(p.next(&NODES))));
    add("link-flap", String::new(), Fault::Path(PathFault::LinkFlap(p.next(&NODES))));
    add("syn-drop", String::new(), Fault::Path(PathFault::SynDrop(p.pod("api", &NODES))));

    for value in [m::fixed_quota(set), draw.of(&m::QUOTA)] {
        add("cpu-quota", percent(value), Fault::Pod(PodFault::CpuQuota(p.pod("api", &NODES), value)));
    }
    let threads = draw.whole(&m::THREADS);
    add(
        "noisy-neighbour",
        format!("{threads} threads"),
        Fault::Node(NodeFault::NoisyNeighbour(p.next(&NODES), threads)),
    );
    add("memory-thrash", String::new(), Fault::Pod(PodFault::MemoryThrash(p.pod("api", &NODES))));
    add("oom-loop", String::new(), Fault::Pod(PodFault::OomLoop(p.pod("api", &NODES))));
    let kbytes = draw.whole(&m::READS);
    add("io-throttle", format!("{kbytes} kB/s"), Fault::Pod(PodFault::IoThrottle(p.pod("api", &NODES), kbytes)));
    let bytes = draw.whole(&m::SLOW_READER);
    add("slow-reader", format!("{bytes} B/s"), Fault::Pod(PodFault::SlowReader(p.pod("store", &STORES), bytes)));
    let bytes = draw.whole(&m::SEND_BUFFER);
    add("small-send-buffer", format!("{bytes} B"), Fault::Pod(PodFault::SmallSendBuffer(p.pod("bulk", &BULKS), bytes)));
    add("accept-queue-full", String::new(), Fault::Pod(PodFault::AcceptQueue(p.pod("api", &NODES))));
    add("listener-gone", String::new(), Fault::Pod(PodFault::ListenerGone(p.pod("api", &NODES))));
    add("rst-storm", String::new(), Fault::Pod(PodFault::RstStorm(p.pod("api", &NODES))));
    add("conntrack-full", String::new(), Fault::Node(NodeFault::ConntrackFull(p.next(&CARTS))));
    let ms = draw.whole(&m::DNS_DELAY);
    add("dns-delay", format!("{ms} ms"), Fault::Pod(PodFault::DnsDelay(p.pod("dns", &["d", "h"]), ms)));
    for ms in m::LOCK.map(|of| draw.whole(&of)) {
        add("application-lock", format!("{ms} ms"), Fault::Pod(PodFault::ApplicationLock(p.pod("api", &NODES), ms)));
    }
    let ms = draw.whole(&m::EXTERNAL);
    add("external-slow", format!("{ms} ms"), Fault::Pod(PodFault::ExternalSlow(ms)));
    let (loss, quota) = (draw.of(&m::LOSS_OF_TWO), draw.of(&m::QUOTA_OF_TWO));
    let lossy = Fault::Path(PathFault::NodeLoss(p.next(&NODES), Way::Both, loss));
    let throttled = Fault::Pod(PodFault::CpuQuota(p.pod("api", &NODES), quota));
    let both = Fault::Two(Box::new(lossy), Box::new(throttled));
    add("two-at-once", format!("{loss} % loss, {quota} % quota"), both);

    for control in Control::ALL {
        add(control.name(), String::new(), Fault::Control(control));
    }
    out
}

/// Names of the cases that `--quick` tries: those with clear margins, from different families.
pub(super) const QUICK: [(&str, &str); 4] =
    [("node-loss-both", "2 %"), ("cpu-quota", "5 %"), ("listener-gone", ""), ("idle", "")];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Rounds whose figures may be reported.
    const ROUNDS: std::ops::RangeInclusive<u64> = 2..=12;

    #[test]
    fn every_case_has_a_name_of_its_own_and_only_controls_expect_nothing() {
        let rounds = ROUNDS.map(|round| (Set::Report, round));
        for (set, round) in [(Set::Report, 1), (Set::Tune, 1)].into_iter().chain(rounds) {
            let plans = all(set, round);
            let names: BTreeSet<(&str, &str)> = plans.iter().map(|plan| (plan.name, plan.magnitude.as_str())).collect();
            assert_eq!(names.len(), plans.len(), "round {round}");
            for plan in &plans {
                let silent = plan.fault.expected().iter().all(|expected| expected.right.is_empty());
                assert_eq!(silent, matches!(plan.fault, Fault::Control(_)), "{}", plan.name);
            }
        }
    }

    #[test]
    fn what_is_reported_was_not_tuned_on() {
        let (first, tune) = (all(Set::Report, 1), all(Set::Tune, 1));
        let is_control = |plan: &Plan| matches!(plan.fault, Fault::Control(_));
        assert!(!first.iter().any(|plan| !is_control(plan) && tune.iter().any(|other| other.fault == plan.fault)));
        // By name and magnitude, wherever it was.
        let mut known: BTreeSet<(&str, String)> = BTreeSet::new();
        known.extend(first.into_iter().chain(tune).map(|plan| (plan.name, plan.magnitude)));
        let is_fixed = |plan: &Plan| {
            let quick = QUICK.contains(&(plan.name, plan.magnitude.as_str()));
            plan.magnitude.is_empty() || plan.name.starts_with("node-loss-") || quick
        };
        for round in ROUNDS {
            let plans = all(Set::Report, round);
            let drawn: Vec<&Plan> = plans.iter().filter(|plan| !is_fixed(plan)).collect();
            assert_eq!(drawn.len(), 20);
            for plan in drawn {
                assert!(!known.contains(&(plan.name, plan.magnitude.clone())), "{} {}", plan.name, plan.magnitude);
            }
        }
    }

    #[test]
    fn loss_of_nodes_is_tried_at_the_same_magnitudes_in_every_round() {
        for round in 1..=*ROUNDS.end() {
            for name in ["node-loss-in", "node-loss-out", "node-loss-both"] {
                let plans = all(Set::Report, round);
                let of = plans.iter().filter(|plan| plan.name == name).map(|plan| plan.magnitude.as_str());
                assert_eq!(of.collect::<Vec<_>>(), ["0.2 %", "0.5 %", "2 %"], "round {round}");
            }
        }
    }

    #[test]
    fn the_quick_cases_exist_in_every_round() {
        for round in 1..=*ROUNDS.end() {
            let plans = all(Set::Report, round);
            for (name, magnitude) in QUICK {
                assert!(plans.iter().any(|plan| (plan.name, plan.magnitude.as_str()) == (name, magnitude)), "{name}");
            }
        }
    }
}

//! Which faults are tried, where, and how strong: one set to tune rules on, another to report.

use super::fault::{Control, Fault, NodeFault, PathFault, PodFault, Way};

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
    /// The figures of the report.
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
    let mut out = Vec::new();
    let mut add = |name, magnitude: String, fault| out.push(Plan { name, magnitude, fault, seed });
    let p = &mut places;
    let percent = |value: f64| format!("{value} %");

    for (name, way) in [("node-loss-in", Way::In), ("node-loss-out", Way::Out), ("node-loss-both", Way::Both)] {
        for value in if tune { [0.3, 1.0, 3.0] } else { [0.2, 0.5, 2.0] } {
            add(name, percent(value), Fault::Path(PathFault::NodeLoss(p.next(&NODES), way, value)));
        }
    }
    for value in if tune { [1.5, 4.0] } else { [1.0, 3.0] } {
        let (a, b) = p.pair();
        add("pair-loss", percent(value), Fault::Path(PathFault::PairLoss(a, b, value)));
    }
    let value = if tune { 1.5 } else { 1.0 };
    add("zone-pair-loss", percent(value), Fault::Path(PathFault::ZoneLoss(value)));
    let value = if tune { 3.0 } else { 2.0 };
    add("pod-loss", percent(value), Fault::Path(PathFault::PodLoss(p.pod("api", &NODES), value)));
    add("bursty-loss", percent(value), Fault::Path(PathFault::BurstyLoss(p.next(&NODES), value)));
    let mbit = if tune { 5 } else { 6 };
    add("policer", format!("{mbit} Mbit/s"), Fault::Path(PathFault::Policer(p.next(&STORES), mbit)));
    let mbit = if tune { 4 } else { 5 };
    add("queueing", format!("{mbit} Mbit/s"), Fault::Path(PathFault::Queue(p.next(&NODES), mbit)));
    for ms in if tune { [5.0, 15.0] } else { [3.0, 10.0] } {
        add("node-delay", format!("{ms} ms"), Fault::Path(PathFault::NodeDelay(p.next(&NODES), ms)));
    }
    let ms = if tune { 15.0 } else { 10.0 };
    let (a, b) = p.pair();
    add("pair-delay", format!("{ms} ms"), Fault::Path(PathFault::PairDelay(a, b, ms)));
    add("blackhole", String::new(), Fault::Path(PathFault::Blackhole(p.next(&NODES))));
    add("mtu-blackhole", String::new(), Fault::Path(PathFault::MtuBlackhole(p.next(&NODES))));
    add("link-flap", String::new(), Fault::Path(PathFault::LinkFlap(p.next(&NODES))));
    add("syn-drop", String::new(), Fault::Path(PathFault::SynDrop(p.pod("api", &NODES))));

    for value in if tune { [7.0, 15.0] } else { [5.0, 20.0] } {
        add("cpu-quota", percent(value), Fault::Pod(PodFault::CpuQuota(p.pod("api", &NODES), value)));
    }
    let threads = if tune { 6 } else { 4 };
    add(
        "noisy-neighbour",
        format!("{threads} threads"),
        Fault::Node(NodeFault::NoisyNeighbour(p.next(&NODES), threads)),
    );
    add("memory-thrash", String::new(), Fault::Pod(PodFault::MemoryThrash(p.pod("api", &NODES))));
    add("oom-loop", String::new(), Fault::Pod(PodFault::OomLoop(p.pod("api", &NODES))));
    let kbytes = if tune { 1000 } else { 2000 };
    add("io-throttle", format!("{kbytes} kB/s"), Fault::Pod(PodFault::IoThrottle(p.pod("api", &NODES), kbytes)));
    let bytes = if tune { 60_000 } else { 100_000 };
    add("slow-reader", format!("{bytes} B/s"), Fault::Pod(PodFault::SlowReader(p.pod("store", &STORES), bytes)));
    let bytes = if tune { 24_576 } else { 32_768 };
    add("small-send-buffer", format!("{bytes} B"), Fault::Pod(PodFault::SmallSendBuffer(p.pod("bulk", &BULKS), bytes)));
    add("accept-queue-full", String::new(), Fault::Pod(PodFault::AcceptQueue(p.pod("api", &NODES))));
    add("listener-gone", String::new(), Fault::Pod(PodFault::ListenerGone(p.pod("api", &NODES))));
    add("rst-storm", String::new(), Fault::Pod(PodFault::RstStorm(p.pod("api", &NODES))));
    add("conntrack-full", String::new(), Fault::Node(NodeFault::ConntrackFull(p.next(&CARTS))));
    let ms = if tune { 300 } else { 150 };
    add("dns-delay", format!("{ms} ms"), Fault::Pod(PodFault::DnsDelay(p.pod("dns", &["d", "h"]), ms)));
    for ms in if tune { [25, 60] } else { [15, 40] } {
        add("application-lock", format!("{ms} ms"), Fault::Pod(PodFault::ApplicationLock(p.pod("api", &NODES), ms)));
    }
    let ms = if tune { 90 } else { 60 };
    add("external-slow", format!("{ms} ms"), Fault::Pod(PodFault::ExternalSlow(ms)));
    let lossy = Fault::Path(PathFault::NodeLoss(p.next(&NODES), Way::Both, 2.0));
    let throttled = Fault::Pod(PodFault::CpuQuota(p.pod("api", &NODES), 5.0));
    add("two-at-once", "2 % loss, 5 % quota".to_owned(), Fault::Two(Box::new(lossy), Box::new(throttled)));

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

    #[test]
    fn every_case_has_a_name_of_its_own_and_only_controls_expect_nothing() {
        for set in [Set::Report, Set::Tune] {
            let plans = all(set, 1);
            let names: BTreeSet<(&str, &str)> = plans.iter().map(|plan| (plan.name, plan.magnitude.as_str())).collect();
            assert_eq!(names.len(), plans.len());
            for plan in &plans {
                let silent = plan.fault.expected().iter().all(|expected| expected.right.is_empty());
                assert_eq!(silent, matches!(plan.fault, Fault::Control(_)), "{}", plan.name);
            }
        }
    }

    #[test]
    fn what_is_reported_was_not_tuned_on() {
        let (report, tune) = (all(Set::Report, 1), all(Set::Tune, 1));
        assert!(!report.iter().any(|plan| {
            let is_control = matches!(plan.fault, Fault::Control(_));
            !is_control && tune.iter().any(|other| other.fault == plan.fault)
        }));
    }

    #[test]
    fn the_quick_cases_exist() {
        let plans = all(Set::Report, 1);
        for (name, magnitude) in QUICK {
            assert!(plans.iter().any(|plan| (plan.name, plan.magnitude.as_str()) == (name, magnitude)), "{name}");
        }
    }
}

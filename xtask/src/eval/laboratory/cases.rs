//! Which faults are tried, where, and how strong: one set to tune rules on, another to report.

use super::{
    fault::{Control, Fault, NodeFault, PathFault, PodFault, Way},
    magnitudes::{self as m, Set},
};

/// One thing to try.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) name: &'static str,
    pub(super) magnitude: String,
    pub(super) fault: Fault,
    pub(super) seed: u64,
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
    let at = usize::try_from(seed).unwrap_or(0) + if set == Set::Tune { 3 } else { 0 };
    let mut cases = Cases { set, seed, places: Places { at }, draw: m::Draw::new(set, seed), plans: Vec::new() };
    // The order decides which place and which magnitude each case draws.
    cases.loss();
    cases.slow_and_broken_paths();
    cases.resources();
    cases.servers();
    cases.waits();
    cases.two_at_once();
    for control in Control::ALL {
        cases.add(control.name(), String::new(), Fault::Control(control));
    }
    cases.plans
}

/// The cases of one seed while they are drawn.
struct Cases {
    set: Set,
    seed: u64,
    places: Places,
    draw: m::Draw,
    plans: Vec<Plan>,
}

impl Cases {
    fn add(&mut self, name: &'static str, magnitude: String, fault: Fault) {
        self.plans.push(Plan { name, magnitude, fault, seed: self.seed });
    }

    fn path(&mut self, name: &'static str, magnitude: String, fault: PathFault) {
        self.add(name, magnitude, Fault::Path(fault));
    }

    fn pod(&mut self, name: &'static str, magnitude: String, fault: PodFault) {
        self.add(name, magnitude, Fault::Pod(fault));
    }

    fn node(&mut self, name: &'static str, magnitude: String, fault: NodeFault) {
        self.add(name, magnitude, Fault::Node(fault));
    }

    fn any_node(&mut self) -> String {
        self.places.next(&NODES)
    }

    fn any_api(&mut self) -> String {
        self.places.pod("api", &NODES)
    }

    /// Paths that lose packets.
    fn loss(&mut self) {
        for (name, way) in [("node-loss-in", Way::In), ("node-loss-out", Way::Out), ("node-loss-both", Way::Both)] {
            for value in m::node_loss(self.set) {
                let fault = PathFault::NodeLoss(self.any_node(), way, value);
                self.path(name, percent(value), fault);
            }
        }
        for value in m::PAIR_LOSS.map(|of| self.draw.of(&of)) {
            let (a, b) = self.places.pair();
            self.path("pair-loss", percent(value), PathFault::PairLoss(a, b, value));
        }
        let value = self.draw.of(&m::ZONE_LOSS);
        self.path("zone-pair-loss", percent(value), PathFault::ZoneLoss(value));
        let value = self.draw.of(&m::POD_LOSS);
        let fault = PathFault::PodLoss(self.any_api(), value);
        self.path("pod-loss", percent(value), fault);
        let value = self.draw.of(&m::BURSTY_LOSS);
        let fault = PathFault::BurstyLoss(self.any_node(), value);
        self.path("bursty-loss", percent(value), fault);
    }

    /// Paths that limit, delay or block.
    fn slow_and_broken_paths(&mut self) {
        let mbit = self.draw.of(&m::POLICER);
        let fault = PathFault::Policer(self.places.next(&STORES), mbit);
        self.path("policer", format!("{mbit} Mbit/s"), fault);
        let mbit = self.draw.of(&m::QUEUE);
        let fault = PathFault::Queue(self.any_node(), mbit);
        self.path("queueing", format!("{mbit} Mbit/s"), fault);
        for ms in m::NODE_DELAY.map(|of| self.draw.of(&of)) {
            let fault = PathFault::NodeDelay(self.any_node(), ms);
            self.path("node-delay", format!("{ms} ms"), fault);
        }
        let ms = self.draw.of(&m::PAIR_DELAY);
        let (a, b) = self.places.pair();
        self.path("pair-delay", format!("{ms} ms"), PathFault::PairDelay(a, b, ms));
        let node = self.any_node();
        self.path("blackhole", String::new(), PathFault::Blackhole(node));
        let node = self.any_node();
        self.path("mtu-blackhole", String::new(), PathFault::MtuBlackhole(node));
        let node = self.any_node();
        self.path("link-flap", String::new(), PathFault::LinkFlap(node));
        let pod = self.any_api();
        self.path("syn-drop", String::new(), PathFault::SynDrop(pod));
    }

    /// Pods and Nodes that are short of CPU, memory or disk.
    fn resources(&mut self) {
        for value in [m::fixed_quota(self.set), self.draw.of(&m::QUOTA)] {
            let fault = PodFault::CpuQuota(self.any_api(), value);
            self.pod("cpu-quota", percent(value), fault);
        }
        let threads = self.draw.whole(&m::THREADS);
        let fault = NodeFault::NoisyNeighbour(self.any_node(), threads);
        self.node("noisy-neighbour", format!("{threads} threads"), fault);
        let pod = self.any_api();
        self.pod("memory-thrash", String::new(), PodFault::MemoryThrash(pod));
        let pod = self.any_api();
        self.pod("oom-loop", String::new(), PodFault::OomLoop(pod));
        let kbytes = self.draw.whole(&m::READS);
        let fault = PodFault::IoThrottle(self.any_api(), kbytes);
        self.pod("io-throttle", format!("{kbytes} kB/s"), fault);
    }

    /// Programs that read slowly, send through small buffers, or do not accept connections.
    fn servers(&mut self) {
        let bytes = self.draw.whole(&m::SLOW_READER);
        let fault = PodFault::SlowReader(self.places.pod("store", &STORES), bytes);
        self.pod("slow-reader", format!("{bytes} B/s"), fault);
        let bytes = self.draw.whole(&m::SEND_BUFFER);
        let fault = PodFault::SmallSendBuffer(self.places.pod("bulk", &BULKS), bytes);
        self.pod("small-send-buffer", format!("{bytes} B"), fault);
        let pod = self.any_api();
        self.pod("accept-queue-full", String::new(), PodFault::AcceptQueue(pod));
        let pod = self.any_api();
        self.pod("listener-gone", String::new(), PodFault::ListenerGone(pod));
        let pod = self.any_api();
        self.pod("rst-storm", String::new(), PodFault::RstStorm(pod));
        let node = self.places.next(&CARTS);
        self.node("conntrack-full", String::new(), NodeFault::ConntrackFull(node));
    }

    /// Names, locks and outside hosts that Pods wait for.
    fn waits(&mut self) {
        let ms = self.draw.whole(&m::DNS_DELAY);
        let fault = PodFault::DnsDelay(self.places.pod("dns", &["d", "h"]), ms);
        self.pod("dns-delay", format!("{ms} ms"), fault);
        for ms in m::LOCK.map(|of| self.draw.whole(&of)) {
            let fault = PodFault::ApplicationLock(self.any_api(), ms);
            self.pod("application-lock", format!("{ms} ms"), fault);
        }
        let ms = self.draw.whole(&m::EXTERNAL);
        self.pod("external-slow", format!("{ms} ms"), PodFault::ExternalSlow(ms));
    }

    fn two_at_once(&mut self) {
        let (loss, quota) = (self.draw.of(&m::LOSS_OF_TWO), self.draw.of(&m::QUOTA_OF_TWO));
        let lossy = Fault::Path(PathFault::NodeLoss(self.any_node(), Way::Both, loss));
        let throttled = Fault::Pod(PodFault::CpuQuota(self.any_api(), quota));
        let both = Fault::Two(Box::new(lossy), Box::new(throttled));
        self.add("two-at-once", format!("{loss} % loss, {quota} % quota"), both);
    }
}

fn percent(value: f64) -> String {
    format!("{value} %")
}

/// Names of the cases that `--quick` tries: those with clear margins, from different families.
pub(super) const QUICK: [(&str, &str); 4] =
    [("node-loss-both", "2 %"), ("cpu-quota", "5 %"), ("listener-gone", ""), ("idle", "")];

#[cfg(test)]
mod tests;

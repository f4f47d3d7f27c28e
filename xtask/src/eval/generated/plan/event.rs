//! Events of a case: a fault, or a change that is none.

use serde::Serialize;
use std::fmt;

/// An event.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::eval::generated) enum Event {
    Fault(Fault),
    Control(Control),
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(in crate::eval::generated) struct Fault {
    pub(in crate::eval::generated) mechanism: Mechanism,
    pub(in crate::eval::generated) place: Place,
    pub(in crate::eval::generated) way: Way,
    pub(in crate::eval::generated) pattern: Pattern,
}

/// The mechanism that breaks something. Magnitudes are those of level 1; see [`Pattern::level`].
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::eval::generated) enum Mechanism {
    /// Share of packets, %.
    Drop {
        percent: f64,
    },
    Delay {
        ms: f64,
    },
    /// This share of packets is held up and overtaken by the others.
    Reorder {
        percent: f64,
        ms: f64,
    },
    Duplicate {
        percent: f64,
    },
    /// Share of packets whose checksum is wrong, %.
    Corrupt {
        percent: f64,
    },
    /// Traffic above this rate is dropped.
    Police {
        mbit: f64,
    },
    /// Traffic above this rate waits in a queue.
    Shape {
        mbit: f64,
        queue_ms: u32,
    },
    /// Every packet is answered with a reset.
    Reject,
    /// This share of data packets is answered with a reset, %.
    Reset {
        percent: f64,
    },
    /// Packets longer than this get lost, bytes.
    Size {
        bytes: u32,
    },
    /// Packets to the servers' port get lost.
    Port,
    Blackhole,
    /// One of so many groups of connections loses this share of its packets, %.
    Share {
        groups: u32,
        percent: f64,
    },
    /// SIGSTOP.
    Stop,
    /// One in so many requests takes this long.
    SlowSometimes {
        every: u64,
        ms: u64,
    },
    Think {
        ms: u64,
    },
    /// One in so many requests holds a lock that all others need, for this long.
    Lock {
        every: u64,
        ms: u64,
    },
    /// The server may open so many descriptors beyond those that it always has.
    Descriptors {
        more: u64,
    },
    /// The client has so many local ports, and another of its programs holds them.
    Ports {
        count: u16,
    },
    /// CPU limit, % of a CPU, and the need in multiples of it.
    Quota {
        percent: f64,
        need: f64,
    },
    /// Nothing is accepted, and the queue has so many places.
    Backlog {
        places: u32,
    },
    /// The process has ended.
    Gone,
    /// Reads this much from each connection, bytes per second.
    SlowReader {
        bytes: u64,
    },
    DnsDelay {
        ms: u64,
    },
    /// One in so many answers is SERVFAIL.
    DnsErrors {
        every: u64,
    },
}

impl Mechanism {
    /// Name in tables and in the JSON.
    pub(in crate::eval::generated) const fn name(&self) -> &'static str {
        match self {
            Self::Drop { .. } => "drop",
            Self::Delay { .. } => "delay",
            Self::Reorder { .. } => "reorder",
            Self::Duplicate { .. } => "duplicate",
            Self::Corrupt { .. } => "corrupt",
            Self::Police { .. } => "police",
            Self::Shape { .. } => "shape",
            Self::Reject => "reject",
            Self::Reset { .. } => "reset",
            Self::Size { .. } => "size",
            Self::Port => "port",
            Self::Blackhole => "blackhole",
            Self::Share { .. } => "share",
            Self::Stop => "stop",
            Self::SlowSometimes { .. } => "slow-sometimes",
            Self::Think { .. } => "think",
            Self::Lock { .. } => "lock",
            Self::Descriptors { .. } => "descriptors",
            Self::Ports { .. } => "ports",
            Self::Quota { .. } => "quota",
            Self::Backlog { .. } => "backlog",
            Self::Gone => "gone",
            Self::SlowReader { .. } => "slow-reader",
            Self::DnsDelay { .. } => "dns-delay",
            Self::DnsErrors { .. } => "dns-errors",
        }
    }

    /// How strong, for people; empty where it has no strength.
    pub(in crate::eval::generated) fn magnitude(&self) -> String {
        match self {
            Self::Drop { percent }
            | Self::Duplicate { percent }
            | Self::Corrupt { percent }
            | Self::Reset { percent } => format!("{percent} %"),
            Self::Delay { ms } => format!("{ms} ms"),
            Self::Reorder { percent, ms } => format!("{percent} % by {ms} ms"),
            Self::Police { mbit } => format!("{mbit} Mbit/s"),
            Self::Shape { mbit, queue_ms } => format!("{mbit} Mbit/s, queue of {queue_ms} ms"),
            Self::Size { bytes } => format!("above {bytes} B"),
            Self::Share { groups, percent } => format!("1 of {groups} groups, {percent} %"),
            Self::SlowSometimes { every, ms } | Self::Lock { every, ms } => format!("1 of {every}, {ms} ms"),
            Self::Descriptors { more } => format!("{more} more"),
            Self::Ports { count } => format!("{count} ports"),
            Self::DnsErrors { every } => format!("1 of {every}"),
            Self::Think { ms } | Self::DnsDelay { ms } => format!("{ms} ms"),
            Self::Quota { percent, need } => format!("{percent} % of a CPU, needs {need} ×"),
            Self::Backlog { places } => format!("{places} places"),
            Self::SlowReader { bytes } => format!("{bytes} B/s"),
            Self::Reject | Self::Port | Self::Blackhole | Self::Stop | Self::Gone => String::new(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::eval::generated) enum Place {
    Pod(String),
    Node(String),
    Pair(String, String),
    /// Between the two zones.
    Zones,
    /// The host outside the cluster.
    Outside,
}

impl Place {
    /// Kind, for tables.
    pub(in crate::eval::generated) const fn kind(&self) -> &'static str {
        match self {
            Self::Pod(_) => "pod",
            Self::Node(_) => "node",
            Self::Pair(..) => "pair",
            Self::Zones => "zones",
            Self::Outside => "outside",
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pod(name) => write!(f, "pod {name}"),
            Self::Node(name) => write!(f, "node {name}"),
            Self::Pair(a, b) => write!(f, "pair {a}↔{b}"),
            Self::Zones => write!(f, "zones"),
            Self::Outside => write!(f, "outside"),
        }
    }
}

/// Direction as the place sees it; of a pair: towards its second Node, towards its first one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::eval::generated) enum Way {
    In,
    Out,
    Both,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::eval::generated) enum Pattern {
    Steady,
    /// On for a share of each period.
    OnOff {
        period: f64,
        share: f64,
    },
    /// Full strength after so many seconds.
    Ramp {
        seconds: f64,
    },
    /// Short, at full strength.
    Bursts {
        period: f64,
        length: f64,
    },
}

impl Pattern {
    /// 0 … 1 at this many seconds after the onset.
    pub(in crate::eval::generated) fn level(self, seconds: f64) -> f64 {
        let on = |is_on: bool| f64::from(u8::from(is_on));
        match self {
            Self::Steady => 1.0,
            Self::OnOff { period, share } => on(seconds % period < period * share),
            // In eight steps, so that a knob is not turned all the time.
            Self::Ramp { seconds: all } => (((seconds / all) * 8.0).floor() + 1.0).min(8.0) / 8.0,
            Self::Bursts { period, length } => on(seconds % period < length),
        }
    }
}

/// Changes that are no faults.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::eval::generated) enum Control {
    Idle,
    /// A further client repeats a flow at this multiple of its rate.
    LoadStep {
        flow: usize,
        factor: f64,
    },
    /// A Pod of least weight computes.
    Batch {
        node: String,
        threads: u32,
    },
    /// Probes that end their connections with a reset.
    HealthChecks {
        from: String,
        to: String,
        rate: f64,
    },
    /// A server starts anew.
    Restart {
        pod: String,
    },
    /// All servers do, one after the other.
    Rollout {
        seconds: f64,
    },
    /// Pods come and go on a Node.
    Churn {
        node: String,
        to: String,
        seconds: f64,
    },
    /// Clients that wait for seconds, as agreed.
    LongPoll {
        from: String,
        to: String,
        seconds: u64,
    },
    /// A stream begins.
    Stream {
        from: String,
        to: String,
        mbit: f64,
    },
    /// A server stands still now and then.
    Pauses {
        pod: String,
        ms: u64,
        seconds: f64,
    },
    AgentRestart {
        node: String,
    },
    /// A Node was far away before the agents started.
    Distance {
        node: String,
        ms: f64,
    },
    /// Clients are added, one after the other.
    Autoscale {
        flow: usize,
        seconds: f64,
    },
}

impl Control {
    pub(in crate::eval::generated) const fn name(&self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::LoadStep { .. } => "load-step",
            Self::Batch { .. } => "batch",
            Self::HealthChecks { .. } => "health-checks",
            Self::Restart { .. } => "restart",
            Self::Rollout { .. } => "rollout",
            Self::Churn { .. } => "churn",
            Self::LongPoll { .. } => "long-poll",
            Self::Stream { .. } => "stream",
            Self::Pauses { .. } => "pauses",
            Self::AgentRestart { .. } => "agent-restart",
            Self::Distance { .. } => "distance",
            Self::Autoscale { .. } => "autoscale",
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Control(control) => write!(f, "control {}", control.name()),
            Self::Fault(fault) => fault.fmt(f),
        }
    }
}

/// `drop 2 % at node a in, ramp`
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mechanism, place, way, pattern } = self;
        write!(f, "{}", mechanism.name())?;
        let magnitude = mechanism.magnitude();
        if !magnitude.is_empty() {
            write!(f, " {magnitude}")?;
        }
        write!(f, " at {place}")?;
        f.write_str(match way {
            Way::In => " in",
            Way::Out => " out",
            Way::Both => "",
        })?;
        f.write_str(match pattern {
            Pattern::Steady => "",
            Pattern::OnOff { .. } => ", on and off",
            Pattern::Ramp { .. } => ", ramp",
            Pattern::Bursts { .. } => ", bursts",
        })
    }
}

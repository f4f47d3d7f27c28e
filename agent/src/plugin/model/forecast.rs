//! What fills up, and when: the line through the values of a time, drawn on.
//!
//! It is that of PromQL's `predict_linear`: simple linear regression over all samples of the range. Its value and slope
//! at the end of the range say when it meets the limit. A line says nothing of a load that comes and goes within the
//! range, so a report names range and slope.

mod accept_queues;
mod line;
mod moments;

pub use accept_queues::{AcceptQueues, MAX_OVERFLOWS, Overflow, RECENT};
pub use line::Line;
pub use moments::moments;

use super::{SilentAgent, health::Fact};
use jiff::Timestamp;
use serde::Serialize;
use std::time::Duration;

/// Fewest samples of a line: with fewer, noise has a slope.
pub const MIN_SAMPLES: u64 = 10;
/// Most resources that are listed; those that are full first stay.
pub const MAX_ITEMS: usize = 200;

/// Something that has a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figure {
    /// For people.
    pub name: &'static str,
    /// Unit of both.
    pub unit: &'static str,
    /// Gauge of the present use: metric, and its matchers.
    pub used: (&'static str, &'static str),
    /// Gauge of the limit. `None`: the use is a share, whose limit is 1.
    pub limit: Option<(&'static str, &'static str)>,
    /// The same as signals of `/api/v1/node`, whose unit may be another. `None`: the flight recorder lacks it.
    pub signals: Option<[&'static str; 2]>,
    /// Limits below this are no forecast: the agent's maps of one entry are always full.
    pub from_limit: u64,
    /// Each Pod has its own, not each Node.
    pub is_of_pods: bool,
}

/// Unit of a figure whose use is a share.
pub const SHARE: &str = "ratio";

const fn figure(
    name: &'static str,
    unit: &'static str,
    used: (&'static str, &'static str),
    limit: (&'static str, &'static str),
    signals: Option<[&'static str; 2]>,
) -> Figure {
    Figure { name, unit, used, limit: Some(limit), signals, from_limit: 1, is_of_pods: false }
}

/// All figures of the agents that have a limit.
pub const FIGURES: [Figure; 6] = [
    figure(
        "tracked connections",
        "connections",
        ("netwhy_node_conntrack_entries", ""),
        ("netwhy_node_conntrack_limit", ""),
        Some(["conntrack_entries", "conntrack_limit"]),
    ),
    figure(
        "local ports",
        "ports",
        ("netwhy_node_local_ports", "kind=\"used\""),
        ("netwhy_node_local_ports", "kind=\"range\""),
        Some(["ports_used", "ports_range"]),
    ),
    figure(
        "TCP memory",
        "bytes",
        ("netwhy_node_tcp_memory_bytes", "kind=\"used\""),
        ("netwhy_node_tcp_memory_bytes", "kind=\"limit\""),
        Some(["tcp_memory_used", "tcp_memory_limit"]),
    ),
    Figure {
        from_limit: 64,
        ..figure(
            "agent's kernel map",
            "entries",
            ("netwhy_agent_map_entries", ""),
            ("netwhy_agent_map_max_entries", ""),
            None,
        )
    },
    figure(
        "agent's memory",
        "bytes",
        ("netwhy_agent_memory_used_bytes", ""),
        ("netwhy_agent_memory_limit_bytes", ""),
        None,
    ),
    Figure {
        name: "accept queue",
        unit: SHARE,
        used: ("netwhy_tcp_accept_queue_fill_ratio", ""),
        limit: None,
        signals: None,
        from_limit: 1,
        is_of_pods: true,
    },
];

/// The report of `forecast`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Forecast {
    /// The moment from which it looks ahead, RFC 3339.
    pub at: String,
    /// How far it looks ahead, s.
    pub within_seconds: u64,
    /// Length of the time that the lines are drawn through, s.
    pub range_seconds: u64,
    /// Where the figures are from: `Prometheus NAME`, or `flight recorders`.
    pub source: String,
    /// The figures that fill within that time, the first to be full first.
    pub items: Vec<Filling>,
    /// One line for each figure, also for those that do not fill.
    pub figures: Vec<Summary>,
    /// Accept queues that overflowed. `null`: the source does not know.
    pub accept_queues: Option<AcceptQueues>,
    /// What could not be found out, with the reason.
    pub unknown: Vec<Fact>,
    /// Agents that did not answer: the list is partial.
    pub not_answered: Vec<SilentAgent>,
}

/// A resource that fills up.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Filling {
    /// The figure, and which one of several.
    pub resource: String,
    /// Its Node, or the scraped address.
    pub node: String,
    /// In use now, by the line.
    pub used: f64,
    /// Its limit.
    pub limit: f64,
    /// Unit of both.
    pub unit: String,
    /// Growth, units per hour.
    pub per_hour: f64,
    /// Time until it is full, s; 0: the line has met the limit.
    pub full_in_seconds: f64,
    /// Then, RFC 3339.
    pub full_at: String,
    /// Samples in the range.
    pub samples: u64,
}

/// A figure on all Nodes.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// The figure.
    pub resource: String,
    /// Resources of which it is known.
    pub known: u64,
    /// Of these, that fill within the time.
    pub filling: u64,
    /// The fullest one: its Node, and which one of several.
    pub fullest: Option<String>,
    /// Its use over its limit.
    pub fullest_share: Option<f64>,
}

/// One resource with the line through its values.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// Which of several; empty for the only one.
    pub which: String,
    /// Node, or the scraped address.
    pub node: String,
    /// The line at the end of the range.
    pub line: Line,
    /// The limit.
    pub limit: f64,
}

impl Filling {
    /// A resource that is full within `within` of `now`. `None`: not filling, or later.
    pub fn of(figure: &Figure, measured: &Measured, now: Timestamp, within: Duration) -> Option<Self> {
        let Measured { which, node, line, limit } = measured;
        let limit = *limit;
        let left = limit - line.value;
        let is_filling = limit >= figure.from_limit as f64 && line.samples >= MIN_SAMPLES && line.per_second > 0.0;
        if !is_filling {
            return None;
        }
        let full = (left / line.per_second).max(0.0);
        let millis = (full <= within.as_secs_f64()).then_some((full * 1e3) as i64)?;
        let at = now.as_millisecond().saturating_add(millis);
        Some(Self {
            resource: named(figure, which),
            node: node.clone(),
            used: line.value,
            limit,
            unit: figure.unit.to_owned(),
            per_hour: line.per_second * 3600.0,
            full_in_seconds: full,
            full_at: Timestamp::from_millisecond(at).map(|time| time.to_string()).unwrap_or_default(),
            samples: line.samples,
        })
    }
}

/// The figure's name, with which one of several.
pub fn named(figure: &Figure, which: &str) -> String {
    if which.is_empty() { figure.name.to_owned() } else { format!("{} {which}", figure.name) }
}

impl Forecast {
    /// Sorts and cuts the list: the first to be full comes first.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.items.sort_by(|a, b| {
            a.full_in_seconds
                .total_cmp(&b.full_in_seconds)
                .then_with(|| (&a.node, &a.resource).cmp(&(&b.node, &b.resource)))
        });
        if self.items.len() > MAX_ITEMS {
            let more = self.items.len() - MAX_ITEMS;
            self.items.truncate(MAX_ITEMS);
            self.unknown.push(Fact::new("more", format!("{more} that are full later are left out")));
        }
        self
    }
}

#[cfg(test)]
pub(crate) mod tests;

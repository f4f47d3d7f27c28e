//! What fired in the past, grouped by fingerprint: how often, when, for how long, what recurs, and what came first.
//!
//! A fingerprint is cause, culprit and workload. Firings of one fingerprint with at most [`FLAP`] between them are one
//! occurrence: a hint that flaps, and Pods of one workload that suffer together, did not happen several times.

mod as_hint;
mod chains;
mod counted;
mod firing;
mod recurrence;

pub use chains::Chain;
pub use counted::Counted;
pub use firing::{Fingerprint, Firing, Named};
pub use recurrence::Recurrence;

use super::{SilentAgent, health::Fact, hints::MissingTime};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Longest pause within one occurrence, ms.
const FLAP: i64 = 600_000;
/// Most firings that are judged; of more, the newest.
pub const MAX_FIRINGS: usize = 50_000;
/// Most occurrences and culprits that are listed of one incident; of occurrences, the newest.
const MAX_LISTED: usize = 50;

/// The report of `incidents`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Incidents {
    /// The time that was asked for, RFC 3339.
    pub between: [String; 2],
    /// The most frequent first.
    pub items: Vec<Incident>,
    /// Incidents that belong together, the newest first.
    pub chains: Vec<Chain>,
    /// Agents that answered.
    pub agents: usize,
    /// The Prometheus that was asked too. `null`: none is known.
    pub prometheus: Option<String>,
    /// What could not be found out, with the reason.
    pub unknown: Vec<Fact>,
    /// Times of which nothing is recorded: the list is partial.
    pub missing: Vec<MissingTime>,
    /// Agents that did not answer: the list is partial.
    pub not_answered: Vec<SilentAgent>,
}

/// All firings of one fingerprint.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Incident {
    /// What it is.
    #[serde(flatten)]
    pub fingerprint: Fingerprint,
    /// Occurrences.
    pub times: usize,
    /// Time in which it fired, s.
    pub seconds: f64,
    /// Time of the longest occurrence, s.
    pub longest_seconds: f64,
    /// Begin of the first occurrence, RFC 3339.
    pub first: String,
    /// Begin of the last occurrence, RFC 3339.
    pub last: String,
    /// It still fired at the end of the time.
    pub lasts: bool,
    /// Pods, or Nodes, that it was about.
    pub subjects: usize,
    /// Nodes whose agents reported it.
    pub nodes: Vec<String>,
    /// Names of the culprits, with the addresses that the fingerprint leaves out.
    pub culprits: Vec<String>,
    /// The highest confidence, 0 … 1. `null`: not kept.
    pub confidence: Option<f64>,
    /// How it recurs. `null`: by no rule.
    pub recurs: Option<Recurrence>,
    /// Chains with this incident.
    pub chains: usize,
    /// Chains of these in which it came first.
    pub first_in: usize,
    /// The newest occurrences, oldest first.
    pub occurrences: Vec<Occurrence>,
}

/// One occurrence.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Occurrence {
    /// Begin, RFC 3339.
    pub from: String,
    /// End, RFC 3339.
    pub to: String,
    /// Time in which it fired, s.
    pub seconds: f64,
}

/// An occurrence in numbers, ms since the Unix epoch.
struct Span {
    from: i64,
    to: i64,
    fired: f64,
}

impl Incidents {
    /// Groups firings. Agents, sources and what is missing are left to the caller.
    pub fn group(mut firings: Vec<Firing>, (from, to): (Timestamp, Timestamp)) -> Self {
        let mut out = Self { between: [from.to_string(), to.to_string()], ..Self::default() };
        // Times beyond the calendar are nonsense of whoever sent them.
        let is_time = |ms: i64| Timestamp::from_millisecond(ms).is_ok();
        firings.retain(|firing| is_time(firing.from) && is_time(firing.to));
        firings.sort_by_key(|firing| firing.from);
        if firings.len() > MAX_FIRINGS {
            let more = firings.len() - MAX_FIRINGS;
            firings.drain(..more);
            let fact =
                Fact::new("older firings", format!("{more} are left out: ask for a shorter time or a namespace"));
            out.unknown.push(fact);
        }
        let (chains, places) = chains::find(&firings);
        let mut groups: BTreeMap<&Fingerprint, Vec<&Firing>> = BTreeMap::new();
        for firing in &firings {
            groups.entry(&firing.fingerprint).or_default().push(firing);
        }
        out.items = groups
            .into_iter()
            .map(|(fingerprint, firings)| {
                let (chains, first_in) = places.get(fingerprint).copied().unwrap_or_default();
                Incident { chains, first_in, ..incident(fingerprint, &firings) }
            })
            .collect();
        out.items.sort_by(|a, b| b.times.cmp(&a.times).then(b.seconds.total_cmp(&a.seconds)));
        out.chains = chains;
        out
    }
}

/// The incident of firings, which are sorted by their begin.
fn incident(fingerprint: &Fingerprint, firings: &[&Firing]) -> Incident {
    let spans = spans(firings);
    let begins: Vec<i64> = spans.iter().map(|span| span.from).collect();
    let names = |name: fn(&Firing) -> &String| -> BTreeSet<String> {
        firings.iter().map(|firing| name(firing)).filter(|name| !name.is_empty()).cloned().collect()
    };
    let at = |ms: Option<&i64>| ms.copied().map(stamp).unwrap_or_default();
    Incident {
        fingerprint: fingerprint.clone(),
        times: spans.len(),
        seconds: spans.iter().map(|span| span.fired).sum::<f64>() / 1e3,
        longest_seconds: spans.iter().map(|span| span.fired).fold(0.0, f64::max) / 1e3,
        first: at(begins.first()),
        last: at(begins.last()),
        lasts: firings.iter().any(|firing| firing.lasts),
        subjects: names(|firing| &firing.subject).len(),
        nodes: names(|firing| &firing.node).into_iter().collect(),
        culprits: names(|firing| &firing.culprit).into_iter().take(MAX_LISTED).collect(),
        confidence: firings.iter().filter_map(|firing| firing.confidence).max_by(f64::total_cmp),
        recurs: recurrence::of(&begins),
        chains: 0,
        first_in: 0,
        occurrences: spans[spans.len().saturating_sub(MAX_LISTED)..].iter().map(Span::shown).collect(),
    }
}

/// Occurrences, and the time of each in which it fired. Times that overlap count once.
fn spans(firings: &[&Firing]) -> Vec<Span> {
    let mut out: Vec<Span> = Vec::new();
    for firing in firings {
        let length = firing.to.saturating_sub(firing.from).max(0);
        match out.last_mut() {
            Some(last) if firing.from.saturating_sub(last.to) <= FLAP => {
                let new = firing.to.saturating_sub(firing.from.max(last.to)).max(0);
                let share = if length == 0 { 0.0 } else { new as f64 / length as f64 };
                last.fired += firing.fired_ms * share;
                last.to = last.to.max(firing.to);
            }
            _ => out.push(Span { from: firing.from, to: firing.to.max(firing.from), fired: firing.fired_ms }),
        }
    }
    out
}

impl Span {
    fn shown(&self) -> Occurrence {
        Occurrence { from: stamp(self.from), to: stamp(self.to), seconds: self.fired / 1e3 }
    }
}

/// RFC 3339. Empty: out of range.
fn stamp(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map(|time| time.to_string()).unwrap_or_default()
}

#[cfg(test)]
pub(crate) mod tests;

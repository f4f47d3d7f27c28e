//! The facts in which a Node differs from those that are well, the oddest first.
//!
//! How odd a value is follows from the Nodes themselves: the share of all compared Nodes whose value is as rare as this
//! one. A label that is different on every Node is therefore not odd. Quantities, such as the uptime, count as odd
//! beyond 3.5 robust standard deviations of the others.

mod odd;
mod profile;

pub use profile::{Key, Kind, Profile, Value};

use super::{SilentAgent, health::Fact, nodes::Nodes};
use odd::{Oddness, Weighed};
use serde::Serialize;
use std::collections::BTreeMap;

/// Fewest Nodes to compare with. With one, either of the two may be the odd one.
pub const MIN_OTHERS: usize = 2;
/// From this probability on, a Node is not among those that are well.
const SUSPECT: f64 = 0.5;

/// The report of `diff`, and a section of `why` and `nodes`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Differs {
    /// The Node.
    pub node: String,
    /// The Node that it is compared with. `null`: with all that are well.
    pub other: Option<String>,
    /// Nodes that are well, without the Node itself.
    pub well: usize,
    /// The oddest first.
    pub items: Vec<Difference>,
    /// Facts that could not be compared, with the reason.
    pub unknown: Vec<Fact>,
    /// Agents that did not answer.
    pub not_answered: Vec<SilentAgent>,
}

/// One fact in which the Node differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Kind of fact.
    pub kind: Kind,
    /// Name, such as `driver_version` or `label pool`.
    pub fact: String,
    /// Interface. `null`: the Node as a whole.
    pub on: Option<String>,
    /// The Node's value. `null`: it has none.
    pub value: Option<String>,
    /// Unit of a quantity. `null`: a setting.
    pub unit: Option<String>,
    /// The value of the other Node, where there is one to compare with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other: Option<String>,
    /// Nodes with this value, the Node included. Of a quantity: Nodes at least as far from the median.
    pub same: usize,
    /// Nodes of which the fact is known, the Node included.
    pub compared: usize,
    /// The most frequent value of the others; of a quantity their median. `null`: most have none.
    pub usual: Option<String>,
    /// Nodes with the most frequent value. Of a quantity: all others.
    pub usual_on: usize,
    /// 0 … 1: the share of the compared Nodes whose value is less rare.
    pub oddness: f64,
}

impl Difference {
    /// Name with the interface.
    pub fn name(&self) -> String {
        self.on.as_ref().map_or_else(|| self.fact.clone(), |on| format!("{} on {on}", self.fact))
    }

    /// A value in its unit.
    pub fn shown(&self, value: Option<&str>) -> String {
        value.map_or_else(|| "none".to_owned(), |value| odd::shown(value, self.unit.as_deref()))
    }

    /// One line, such as `1 of 40 has 5.1.0, 39 have 5.19.0`.
    pub fn sentence(&self) -> String {
        let (value, usual) = (self.shown(self.value.as_deref()), self.shown(self.usual.as_deref()));
        if self.unit.is_some() {
            return format!("{value}; the others have {usual} (median of {})", self.usual_on);
        }
        let has = if self.same == 1 { "has" } else { "have" };
        let have = if self.usual_on == 1 { "has" } else { "have" };
        format!("{} of {} {has} {value}, {} {have} {usual}", self.same, self.compared, self.usual_on)
    }
}

/// The Nodes to compare with: their agents answered, and nothing blames them.
pub fn well(nodes: &Nodes) -> Vec<String> {
    let is_well = |blame: Option<f64>| blame.unwrap_or(0.0) < SUSPECT;
    let nodes = nodes.items.iter().filter(|node| node.answered && node.blamed_by == 0 && is_well(node.blame));
    nodes.map(|node| node.node.clone()).collect()
}

/// The Nodes that hints or the edges of all agents blame, the most suspicious first.
pub fn blamed(nodes: &Nodes) -> Vec<String> {
    let is_blamed = |blame: Option<f64>| blame.unwrap_or(0.0) >= crate::api::NODE_NAMED;
    let nodes = nodes.items.iter().filter(|node| node.blamed_by > 0 || is_blamed(node.blame));
    nodes.map(|node| node.node.clone()).collect()
}

/// Contrasts a Node with those that are well.
pub fn differs(node: &Profile, others: &[Profile]) -> Differs {
    let others: Vec<Profile> =
        others.iter().filter(|other| other.node != node.node).map(|other| other.aligned_to(node)).collect();
    let mut out =
        Differs { node: node.node.clone(), well: others.len(), unknown: node.unread.clone(), ..Differs::default() };
    if others.len() < MIN_OTHERS {
        let text = format!("{} well beside it; it takes {MIN_OTHERS} or more to tell what is odd", nodes(others.len()));
        out.unknown.push(Fact::new("comparison", text));
        return out;
    }
    let mut found: Vec<(Oddness, Difference)> = Vec::new();
    for key in keys(node, &others) {
        let Some(weighed) = odd::weigh(node.get(key), others.iter().map(|other| other.get(key))) else { continue };
        if weighed.is_odd() {
            found.push((weighed.oddness, difference(key, node.get(key), None, weighed)));
        }
    }
    out.items = sorted(found);
    out
}

/// Contrasts two Nodes. How rare the rarer of two values is among all Nodes decides the order; a fact that is different
/// on every Node is left out.
pub fn differs_from(node: &Profile, other: &Profile, all: &[Profile]) -> Differs {
    let aligned = other.aligned_to(node);
    let rest: Vec<Profile> = all
        .iter()
        .filter(|one| one.node != node.node && one.node != other.node)
        .map(|one| one.aligned_to(node))
        .collect();
    let mut out =
        Differs { node: node.node.clone(), other: Some(other.node.clone()), well: rest.len(), ..Differs::default() };
    let of = |node: &str, fact: &Fact| Fact::new(format!("{} of {node}", fact.what), fact.figures.clone());
    out.unknown.extend(node.unread.iter().map(|fact| of(&node.node, fact)));
    out.unknown.extend(other.unread.iter().map(|fact| of(&other.node, fact)));
    let pair = std::slice::from_ref(&aligned);
    let mut found: Vec<(Oddness, Difference)> = Vec::new();
    for key in keys(node, pair) {
        let (own, theirs) = (node.get(key), aligned.get(key));
        if !odd::is_different(own, theirs) {
            continue;
        }
        let values = || rest.iter().map(|one| one.get(key));
        let (Some(first), Some(second)) =
            (odd::weigh(own, values().chain([theirs])), odd::weigh(theirs, values().chain([own])))
        else {
            continue;
        };
        let odder = first.oddness.max(second.oddness);
        if first.is_unique_everywhere() && rest.len() >= MIN_OTHERS {
            continue;
        }
        found.push((odder, difference(key, own, Some(theirs), Weighed { oddness: odder, ..first })));
    }
    out.items = sorted(found);
    out
}

/// Keys that the Node or most of the others have.
fn keys<'p>(node: &'p Profile, others: &'p [Profile]) -> Vec<&'p Key> {
    let mut known: BTreeMap<&Key, usize> = BTreeMap::new();
    for key in others.iter().flat_map(Profile::keys) {
        *known.entry(key).or_default() += 1;
    }
    known.retain(|_, nodes| 2 * *nodes > others.len());
    known.extend(node.keys().map(|key| (key, 0)));
    known.into_keys().collect()
}

fn difference(key: &Key, value: &Value, other: Option<&Value>, weighed: Weighed) -> Difference {
    Difference {
        kind: key.kind,
        fact: key.fact.clone(),
        on: key.on.clone(),
        value: value.text(),
        unit: value.unit().map(str::to_owned),
        other: other.map(|other| other.text().unwrap_or_else(|| "none".to_owned())),
        same: weighed.same,
        compared: weighed.compared,
        usual: weighed.usual,
        usual_on: weighed.usual_on,
        oddness: weighed.oddness.share(),
    }
}

/// The oddest first; of equally odd ones the network's first.
fn sorted(mut found: Vec<(Oddness, Difference)>) -> Vec<Difference> {
    found.sort_by(|(a, x), (b, y)| {
        let by_name = || (&x.fact, &x.on).cmp(&(&y.fact, &y.on));
        b.cmp_share(a).then(x.kind.cmp(&y.kind)).then_with(|| b.cmp(a)).then_with(by_name)
    });
    found.into_iter().map(|(_, difference)| difference).collect()
}

fn nodes(count: usize) -> String {
    if count == 1 { "1 Node is".to_owned() } else { format!("{count} Nodes are") }
}

#[cfg(test)]
pub(crate) mod tests;

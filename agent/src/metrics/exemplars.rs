//! Exemplars: a series that shows a trouble names the id of the firing hint about it.
//!
//! Of losses they stand at loss episodes and retransmissions, of longer paths at RTTs, and of slow or missing answers at
//! the response times of the end that the hint is about. They are made for one scrape in OpenMetrics text or protobuf;
//! Prometheus text has none.

use super::{
    decimal::float,
    out::{Label, render},
    rows::Row,
};
use crate::{
    api::{Blame, BlameKind, Hint, HintState},
    hints::{Family, RULES},
    sample::{FineHistogram, Histogram},
    state::{EdgeView, NodeView},
    text::printable,
};
use netwhy_abi::{PeerClass, Retransmit, Role};
use std::{
    collections::HashMap,
    fmt,
    net::{IpAddr, SocketAddr},
};

/// The only label of an exemplar.
const LABEL: &str = "hint_id";
/// Most characters of an exemplar's label names and values together (OpenMetrics 1.0.0, "Exemplars").
const MAX_LABEL_CHARS: usize = 128;
/// Of the times of the window, the one that stands at the series: slow, and not the slowest.
const QUANTILE: f64 = 0.95;

/// The exemplar of one sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Exemplar<'a> {
    hint_id: &'a str,
    /// Of a counter its growth over the window, of a histogram a time of the window in its unit.
    pub(super) value: f64,
    /// Time of the view, s since the Unix epoch.
    at: f64,
}

impl Exemplar<'_> {
    /// Appends it to the line of its sample.
    pub(super) fn write(&self, text: &mut String) -> fmt::Result {
        text.push_str(" # {");
        render(text, &[self.label()]);
        text.push_str("} ");
        float(text, self.value)?;
        text.push(' ');
        float(text, self.at)
    }

    /// Its label.
    pub(super) const fn label(&self) -> Label<'_> {
        (LABEL, self.hint_id)
    }

    /// Its time, ms since the Unix epoch.
    pub(super) fn unix_ms(&self) -> u64 {
        (self.at * 1e3).round() as u64
    }
}

/// The firing hints that series of subjects can name. By default none.
#[derive(Default)]
pub(super) struct Exemplars<'a> {
    /// By namespace and name of the subject, in the order of the view.
    hints: HashMap<&'a str, HashMap<&'a str, Vec<About<'a>>>>,
    /// Time of the view, s since the Unix epoch.
    at: f64,
}

/// One hint, with the edges of its subject that it is about.
struct About<'a> {
    hint: &'a Hint,
    trouble: Trouble,
    edges: Vec<&'a EdgeView>,
}

/// Series that show the cause of a hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    Losses,
    Rtts,
    /// Response times of the subject in this role.
    Responses(Role),
}

impl<'a> Exemplars<'a> {
    pub(super) fn new(view: &'a NodeView) -> Self {
        let mut hints: HashMap<&str, HashMap<&str, Vec<About<'_>>>> = HashMap::new();
        for hint in view.hints.iter().filter(|hint| can_be_named(hint)) {
            if let Some(trouble) = trouble(&hint.cause) {
                let (namespace, name) = (hint.subject.namespace.as_str(), hint.subject.name.as_str());
                let of_subject = hints.entry(namespace).or_default().entry(name).or_default();
                of_subject.push(About { hint, trouble, edges: Vec::new() });
            }
        }
        if !hints.is_empty() {
            for edge in &view.edges {
                let (namespace, name) = (edge.subject.namespace.as_str(), edge.subject.name.as_str());
                let all = hints.get_mut(namespace).and_then(|of| of.get_mut(name)).into_iter().flatten();
                all.filter(|about| is_about(&about.hint.blame, edge)).for_each(|about| about.edges.push(edge));
            }
        }
        Self { hints, at: view.unix_ms as f64 / 1e3 }
    }

    /// For loss episodes at peers of this class. `None`: of all classes.
    pub(super) fn loss_episodes(&self, row: &Row<'_>, class: Option<PeerClass>) -> Option<Exemplar<'a>> {
        self.of_losses(row, |edge| {
            let episodes = edge.walked.map_or(edge.window.loss_episodes, |walked| walked.episodes);
            if is_of(edge, class) { episodes } else { 0 }
        })
    }

    /// For retransmissions of this kind.
    pub(super) fn retransmits(&self, row: &Row<'_>, kind: Retransmit) -> Option<Exemplar<'a>> {
        // A segment that was resent for nothing was not lost.
        if matches!(kind, Retransmit::Spurious) {
            return None;
        }
        self.of_losses(row, |edge| edge.window.retransmits[kind as usize])
    }

    /// For RTTs to peers of this class. `None`: of all classes.
    pub(super) fn rtts(&self, row: &Row<'_>, class: Option<PeerClass>) -> Option<Exemplar<'a>> {
        self.about(row, Trouble::Rtts).find_map(|about| {
            let mut all: Histogram = Histogram::default();
            about.edges.iter().filter(|edge| is_of(edge, class)).for_each(|edge| all.add(&edge.window.rtt));
            Some(self.exemplar(about, all.quantile_us(QUANTILE)? / 1e6))
        })
    }

    /// For response times in this role, with peers of this class. `None`: of all classes.
    pub(super) fn responses(&self, row: &Row<'_>, role: Role, class: Option<PeerClass>) -> Option<Exemplar<'a>> {
        self.about(row, Trouble::Responses(role)).find_map(|about| {
            let mut all = FineHistogram::default();
            let edges = about.edges.iter().filter(|edge| edge.role == Some(role) && is_of(edge, class));
            edges.filter_map(|edge| edge.responses.as_deref()).for_each(|times| all.add(&times.window.durations));
            Some(self.exemplar(about, all.quantile_us(QUANTILE)? / 1e6))
        })
    }

    /// Of the first hint about losses on whose edges some were counted.
    fn of_losses(&self, row: &Row<'_>, count: impl Fn(&EdgeView) -> u64) -> Option<Exemplar<'a>> {
        self.about(row, Trouble::Losses).find_map(|about| {
            let sum: u64 = about.edges.iter().copied().map(&count).sum();
            (sum > 0).then(|| self.exemplar(about, sum as f64))
        })
    }

    fn about(&self, row: &Row<'_>, trouble: Trouble) -> impl Iterator<Item = &About<'a>> {
        let (namespace, name) = row.name();
        let all = self.hints.get(namespace).and_then(|of| of.get(name)).into_iter().flatten();
        all.filter(move |about| about.trouble == trouble)
    }

    fn exemplar(&self, about: &About<'a>, value: f64) -> Exemplar<'a> {
        Exemplar { hint_id: &about.hint.id, value, at: self.at }
    }
}

/// Whether the hint fires about a subject that has series, and its id fits.
fn can_be_named(hint: &Hint) -> bool {
    let has_series = !matches!(hint.subject.kind.as_str(), "Node" | "Workload");
    let fits = LABEL.len() + printable(&hint.id).chars().count() <= MAX_LABEL_CHARS;
    hint.state == HintState::Firing && has_series && !hint.id.is_empty() && fits
}

/// Series that show this cause. `None`: none of those that can have exemplars.
fn trouble(cause: &str) -> Option<Trouble> {
    let rule = RULES.iter().find(|rule| rule.id == cause)?;
    match rule.family {
        Family::Loss => Some(Trouble::Losses),
        // Drops on the Node, and packets that are too long for the path.
        Family::Host | Family::Connect if rule.symptom == "packet_loss" || cause == "path_mtu_blackhole" => {
            Some(Trouble::Losses)
        }
        Family::Latency => Some(Trouble::Rtts),
        Family::Unanswered | Family::Waiting => {
            let is_server = matches!(cause, "pod_not_reading" | "pod_application_slow");
            Some(Trouble::Responses(if is_server { Role::Server } else { Role::Client }))
        }
        // A Pod that waits for CPU, memory or IO answers later.
        Family::Cpu | Family::Pressure => Some(Trouble::Responses(Role::Server)),
        Family::Status | Family::Host | Family::Connect | Family::Limited | Family::Dns | Family::Errors => None,
    }
}

/// Whether the hint with this blame is about that edge. A culprit that is no single peer concerns all edges.
fn is_about(blame: &Blame, edge: &EdgeView) -> bool {
    match blame.kind {
        BlameKind::PeerNode => names(&blame.name, edge.peer_node.as_deref(), edge),
        BlameKind::PeerPod => names(&blame.name, edge.peer_pod.as_deref(), edge),
        BlameKind::External => edge.class == PeerClass::External,
        BlameKind::Node
        | BlameKind::NodePair
        | BlameKind::PathShare
        | BlameKind::ZonePair
        | BlameKind::Pod
        | BlameKind::Service
        | BlameKind::Clients
        | BlameKind::Undecided
        | BlameKind::None => true,
    }
}

/// Whether `name` is the peer's. One whose name is not known goes by its address.
fn names(name: &str, known: Option<&str>, edge: &EdgeView) -> bool {
    if known == Some(name) {
        return true;
    }
    let address = name.parse::<IpAddr>().or_else(|_| name.parse::<SocketAddr>().map(|socket| socket.ip()));
    address.is_ok_and(|address| address.to_canonical() == edge.peer.to_canonical())
}

fn is_of(edge: &EdgeView, class: Option<PeerClass>) -> bool {
    class.is_none_or(|class| class == edge.class)
}

#[cfg(test)]
mod tests;

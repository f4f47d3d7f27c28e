//! The report of `map`.

use super::{
    Colour, Report, Table, View,
    html::{self, Section},
    mermaid::{Chart, Shape},
};
use crate::plugin::model::{
    SilentAgent,
    health::{percent, seconds},
    map::{MapEdge, MapHint, MapNode, MapState, Requests, ServiceMap},
};
use crate::text::Text;
use std::collections::BTreeMap;

/// Most edges without `-o wide`.
const MAX_ROWS: usize = 40;
/// Most nodes in the list of hints without `-o wide`.
const MAX_HINTED: usize = 12;
/// Most edges in a diagram.
const MAX_DRAWN: usize = 60;

impl Report for ServiceMap {
    fn text(&self, view: &View) -> Text {
        let most = if view.wide { self.edges.len() } else { MAX_ROWS };
        let mut out = edge_table(self, view, most).render(view);
        let shown = most.min(self.edges.len());
        let all = self.edges.len() + self.more_edges;
        let mut note = |text: &str| {
            out.append(&view.paint.colour(Colour::Grey, text));
            out.end_line();
        };
        if shown > 0 {
            note(
                "P50, P95: as the callers measure, else the callees. LOSS: episodes per segment, of the worse direction",
            );
        }
        if shown < all {
            let remedy = if shown < self.edges.len() { "; -o wide shows more" } else { "" };
            note(&format!("{shown} of {all} edges, those in trouble first{remedy}"));
        }
        if !self.not_answered.is_empty() {
            note(&format!("{} agents did not answer: what they measure is missing", self.not_answered.len()));
        }
        hinted(self, view, &mut out);
        if !self.unknown.is_empty() {
            out.end_line();
            out.append(&view.paint.bold("UNKNOWN"));
            out.end_line();
            for fact in &self.unknown {
                out.push(&format!("  {}  {}", fact.what, fact.figures));
                out.end_line();
            }
        }
        out
    }

    fn table(&self, view: &View) -> Option<Table> {
        Some(edge_table(self, view, if view.wide { self.edges.len() } else { MAX_ROWS }))
    }

    fn mermaid(&self) -> Text {
        let mut chart = Chart::new("LR");
        let labels = labels(self);
        let nodes: BTreeMap<&str, &MapNode> = self.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
        let place = |chart: &mut Chart, id: &str| {
            let Some(node) = nodes.get(id) else { return chart.node(id, Shape::Round) };
            let pods = (node.pods > 0).then(|| pods(node.pods));
            let causes = node.hints.iter().filter(|hint| !hint.blamed).map(sure);
            let label = labels.get(id).cloned().into_iter().chain(pods).chain(causes).collect::<Vec<_>>().join("\n");
            chart.node(&label, if is_workload(node) { Shape::Round } else { Shape::Box })
        };
        for edge in self.edges.iter().take(MAX_DRAWN) {
            let (from, to) = (place(&mut chart, &edge.from), place(&mut chart, &edge.to));
            chart.edge(from, to, &figures(edge).join(", "));
        }
        for node in self.nodes.iter().filter(|node| !node.hints.is_empty()).take(MAX_DRAWN) {
            place(&mut chart, &node.id);
        }
        chart.text()
    }

    const HTML: bool = true;

    fn html(&self, view: &View) -> Section {
        html::map::section(self, view)
    }

    fn not_answered(&self) -> &[SilentAgent] {
        &self.not_answered
    }
}

/// Labels by `id`.
fn labels(map: &ServiceMap) -> BTreeMap<&str, String> {
    map.nodes.iter().map(|node| (node.id.as_str(), node.label(map.namespace.as_deref()))).collect()
}

/// At most so many edges.
pub(super) fn edge_table(map: &ServiceMap, view: &View, most: usize) -> Table {
    let mut head = vec!["FROM", "TO", "RATE", "P50", "P95", "LOSS", "ERRORS", "HINT"];
    if view.wide {
        head.extend(["PORTS", "NORMALLY", "AT SERVER", "PATH", "TRAFFIC"]);
    }
    let mut table = Table::new(&head, &nothing(map));
    let labels = labels(map);
    let label = |id: &String| labels.get(id.as_str()).unwrap_or(id).clone();
    for edge in map.edges.iter().take(most) {
        let mut cells = vec![(label(&edge.from), None), (label(&edge.to), state_colour(edge.state))];
        cells.extend(edge_cells(edge));
        if view.wide {
            cells.extend(wide_cells(edge));
        }
        table.coloured(cells);
    }
    table
}

/// Why there is no edge.
pub(super) fn nothing(map: &ServiceMap) -> String {
    let place = map.namespace.as_ref().map(|name| format!(" of namespace {name}")).unwrap_or_default();
    match map.not_answered.len() {
        0 => format!("No traffic{place} in the window on {} Nodes.", map.agents),
        silent => format!("No traffic{place} in the window on {} Nodes; {silent} agents did not answer.", map.agents),
    }
}

/// The nodes with hints.
fn hinted(map: &ServiceMap, view: &View, out: &mut Text) {
    let all = map.nodes.iter().filter(|node| !node.hints.is_empty()).count();
    if all == 0 {
        return;
    }
    out.end_line();
    let most = if view.wide { usize::MAX } else { MAX_HINTED };
    out.append(&hint_table(map, most).render(view));
    if all > most {
        let text = format!("{most} of {all} with hints; -o wide shows all");
        out.append(&view.paint.colour(Colour::Grey, &text));
        out.end_line();
    }
}

/// Hints about at most so many nodes.
pub(super) fn hint_table(map: &ServiceMap, most: usize) -> Table {
    let mut table = Table::new(&["WITH HINTS", "CAUSE", "SURE", "AT FAULT", "SUMMARY"], "");
    for node in map.nodes.iter().filter(|node| !node.hints.is_empty()).take(most) {
        for hint in &node.hints {
            let fault = if hint.blamed { format!("it, for {}", hint.subject) } else { hint.blame.clone() };
            table.coloured(vec![
                (node.label(map.namespace.as_deref()), None),
                (hint.cause.clone(), Some(Colour::Red)),
                (format!("{:.0}%", hint.confidence * 100.0), None),
                (fault, None),
                (hint.summary.clone(), None),
            ]);
        }
    }
    table
}

fn is_workload(node: &MapNode) -> bool {
    !matches!(node.kind.as_str(), "Address" | "Outside" | "Service" | "Node")
}

fn pods(n: usize) -> String {
    if n == 1 { "1 Pod".to_owned() } else { format!("{n} Pods") }
}

/// `2 Pods · 50/s`.
pub(super) fn summary(node: &MapNode) -> String {
    let pods = (node.pods > 0).then(|| pods(node.pods));
    let rate = node.server.as_ref().and_then(|server| server.per_second).map(rate);
    let kind = (!is_workload(node)).then(|| node.kind.to_lowercase());
    kind.into_iter().chain(pods).chain(rate).collect::<Vec<_>>().join(" · ")
}

/// `peer_slow 92 %`.
pub(super) fn sure(hint: &MapHint) -> String {
    format!("{} {:.0} %", hint.cause, hint.confidence * 100.0)
}

const fn state_colour(state: MapState) -> Option<Colour> {
    match state {
        MapState::Hint => Some(Colour::Red),
        MapState::Unusual => Some(Colour::Yellow),
        MapState::Unknown => Some(Colour::Grey),
        MapState::Well => None,
    }
}

type Cell = (String, Option<Colour>);

fn dash() -> String {
    "–".to_owned()
}

fn edge_cells(edge: &MapEdge) -> Vec<Cell> {
    let requests = edge.requests();
    let yellow = |what: &str| edge.unusual.contains(&what).then_some(Colour::Yellow);
    let time = |of: fn(&Requests) -> Option<f64>| requests.and_then(of).map_or_else(dash, seconds);
    let failures = failures(edge);
    let is_failing = ["errors", "connects", "unanswered"].iter().find_map(|what| yellow(what));
    let hints: Vec<String> = edge.hints.iter().map(sure).collect();
    vec![
        (requests.and_then(|r| r.per_second).map_or_else(dash, rate), None),
        (time(|r| r.p50_seconds), yellow("slow")),
        (time(|r| r.p95_seconds), yellow("slow")),
        (edge.loss().map_or_else(dash, percent), yellow("loss")),
        (if failures.is_empty() { dash() } else { failures.join(", ") }, is_failing),
        (if hints.is_empty() { dash() } else { hints.join(", ") }, (!hints.is_empty()).then_some(Colour::Red)),
    ]
}

fn wide_cells(edge: &MapEdge) -> Vec<Cell> {
    let ports: Vec<String> = edge.ports.iter().map(ToString::to_string).collect();
    let normally = edge.requests().and_then(|requests| requests.normal_p50_seconds);
    let at_server = edge.server.as_ref().and_then(|requests| requests.p50_seconds);
    let cells = [
        if ports.is_empty() { dash() } else { ports.join(",") },
        normally.map_or_else(dash, seconds),
        at_server.map_or_else(dash, seconds),
        edge.min_rtt_seconds.map_or_else(dash, seconds),
        edge.bytes_per_second.map_or_else(dash, bytes),
    ];
    cells.into_iter().map(|cell| (cell, None)).collect()
}

/// What failed, without what did not.
fn failures(edge: &MapEdge) -> Vec<String> {
    let mut out = Vec::new();
    let ends = [edge.client.as_ref(), edge.server.as_ref()];
    let sampled = ends.into_iter().flatten().find_map(|end| end.error_share);
    out.extend(sampled.map(|share| format!("{} of calls", percent(share))));
    if edge.failed_connects > 0 {
        let all = edge.connects.saturating_add(edge.failed_connects);
        out.push(format!("{} of {all} connects", edge.failed_connects));
    }
    let Some(requests) = edge.requests() else { return out };
    if requests.unanswered > 0 {
        out.push(format!("{} wait", requests.unanswered));
    }
    if requests.ended_unanswered > 0 {
        out.push(format!("{} unanswered", requests.ended_unanswered));
    }
    out
}

/// Everything of an edge on a diagram.
pub(super) fn figures(edge: &MapEdge) -> Vec<String> {
    let requests = edge.requests();
    let mut out: Vec<String> = Vec::new();
    out.extend(requests.and_then(|r| r.per_second).map(rate));
    out.extend(requests.and_then(|r| r.p50_seconds).map(|s| format!("p50 {}", seconds(s))));
    out.extend(edge.loss().filter(|loss| *loss > 0.0).map(|loss| format!("{} lost", percent(loss))));
    out.extend(failures(edge));
    out.extend(edge.hints.iter().map(sure));
    out
}

fn rate(per_second: f64) -> String {
    if per_second >= 10.0 { format!("{per_second:.0}/s") } else { format!("{per_second:.1}/s") }
}

/// Bytes per second with the unit that fits.
fn bytes(per_second: f64) -> String {
    match per_second {
        b if b < 1e3 => format!("{b:.0} B/s"),
        b if b < 1e6 => format!("{:.1} kB/s", b / 1e3),
        b if b < 1e9 => format!("{:.1} MB/s", b / 1e6),
        b => format!("{:.1} GB/s", b / 1e9),
    }
}

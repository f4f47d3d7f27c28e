//! The page of `map`: a graph in layers, and its edges as a list.

use super::{Section, clipped, facts, label, layers::layout, px, rect, svg};
use crate::{
    plugin::{
        model::map::{MapEdge, MapNode, MapState, ServiceMap},
        render::{View, map},
    },
    text::html::Html,
};
use std::collections::BTreeMap;

/// An edge, the places that its line passes, and whether it leads back.
type Drawn<'m> = (&'m MapEdge, Vec<(f64, f64)>, bool);

/// Most edges in the picture, those in trouble first.
const MAX_EDGES: usize = 80;
/// Most rows in the list.
const MAX_ROWS: usize = 200;
/// Up to this many edges, all have figures; else those in trouble.
const MAX_FIGURES: usize = 30;
/// Longest name, characters.
const MAX_NAME: usize = 27;
/// A node, the space between layers, and the height of a row.
const NODE: (f64, f64) = (190.0, 40.0);
const GAP: f64 = 130.0;
const ROW: f64 = 58.0;
/// Margin around the picture.
const MARGIN: f64 = 16.0;

/// The graph, nodes with hints, and edges.
pub(in crate::plugin::render) fn section(map: &ServiceMap, view: &View) -> Section {
    let mut body = Html::default();
    if map.nodes.is_empty() {
        body.element("p", &[], &map::nothing(map));
    } else {
        picture(&mut body, map);
        if map.nodes.iter().any(|node| !node.hints.is_empty()) {
            body.element("h2", &[], "Hints");
            body.append(&map::hint_table(map, MAX_ROWS).html());
        }
        body.element("h2", &[], "Who calls whom");
        body.append(&map::edge_table(map, &View { wide: true, ..*view }, MAX_ROWS).html());
        let (shown, all) = (map.edges.len().min(MAX_ROWS), map.edges.len() + map.more_edges);
        if shown < all {
            body.element("p", &[("class", "grey")], &format!("{shown} of {all} edges, those in trouble first"));
        }
    }
    facts(&mut body, "Unknown", &map.unknown);
    let place = map.namespace.as_ref().map_or_else(|| "all namespaces".to_owned(), |name| format!("namespace {name}"));
    Section { title: format!("Service map of {place}"), body }
}

/// Class of a state.
const fn class(state: MapState) -> &'static str {
    match state {
        MapState::Hint => "hint",
        MapState::Unusual => "unusual",
        MapState::Unknown => "unknown",
        MapState::Well => "well",
    }
}

fn picture(out: &mut Html, map: &ServiceMap) {
    let edges: Vec<&MapEdge> = map.edges.iter().take(MAX_EDGES).collect();
    // In the order of their names, so that the picture stays alike while figures change.
    let known: BTreeMap<&str, &MapNode> = map.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    let hinted = map.nodes.iter().filter(|node| !node.hints.is_empty()).map(|node| node.id.as_str()).take(MAX_EDGES);
    let ends = edges.iter().flat_map(|edge| [edge.from.as_str(), edge.to.as_str()]);
    let drawn: BTreeMap<&str, &MapNode> =
        ends.chain(hinted).filter_map(|id| known.get_key_value(id)).map(|(id, node)| (*id, *node)).collect();
    let number: BTreeMap<&str, usize> = drawn.keys().enumerate().map(|(number, id)| (*id, number)).collect();
    let of = |id: &str| number.get(id).copied();
    let mut edges: Vec<(&MapEdge, (usize, usize))> =
        edges.into_iter().filter_map(|edge| Some((edge, (of(&edge.from)?, of(&edge.to)?)))).collect();
    edges.sort_by_key(|(_, pair)| *pair);
    let pairs: Vec<(usize, usize)> = edges.iter().map(|(_, pair)| *pair).collect();
    let layout = layout(drawn.len(), &pairs);
    let (layers, rows) = (layout.rows.len(), layout.rows.iter().max().copied().unwrap_or(0));
    let size = (
        2.0 * MARGIN + layers as f64 * NODE.0 + layers.saturating_sub(1) as f64 * GAP,
        2.0 * MARGIN + rows as f64 * ROW,
    );
    // The middle of the left side.
    let place = |(layer, row): (usize, usize)| {
        let free = (rows - layout.rows.get(layer).copied().unwrap_or(0)) as f64 * ROW / 2.0;
        (MARGIN + layer as f64 * (NODE.0 + GAP), MARGIN + free + (row as f64 + 0.5) * ROW)
    };
    svg(out, size, "Workloads, and who calls whom", |out| {
        arrow_heads(out);
        let all = edges.len() <= MAX_FIGURES;
        let drawn_edges: Vec<Drawn<'_>> = (edges.iter().zip(&layout.edges))
            .map(|((edge, pair), path)| {
                let places = match path.as_slice() {
                    [] => vec![place(layout.nodes[pair.0])],
                    path => path.iter().map(|at| place(*at)).collect(),
                };
                let is_back = path.first().zip(path.last()).is_some_and(|(first, last)| first.0 > last.0);
                (*edge, places, is_back)
            })
            .collect();
        for (edge, places, is_back) in &drawn_edges {
            draw_edge(out, edge, places, *is_back);
        }
        // Above all lines.
        for (edge, places, is_back) in drawn_edges.iter().filter(|(edge, ..)| all || edge.state <= MapState::Unusual) {
            figures(out, edge, places, *is_back);
        }
        for (node, at) in drawn.values().zip(&layout.nodes) {
            draw_node(out, node, map.namespace.as_deref(), place(*at));
        }
    });
    let left = map.edges.len() + map.more_edges - edges.len();
    if left > 0 {
        let text = format!("{left} more edges are not drawn: those without trouble, or with less traffic");
        out.element("p", &[("class", "grey")], &text);
    }
    let legend = "Callers are left of callees. Red: a hint fires. Yellow: a figure is unusual. Dashed: nothing that \
                  tells was measured.";
    out.element("p", &[("class", "grey")], legend);
}

fn arrow_heads(out: &mut Html) {
    out.within("defs", &[], |out| {
        for state in ["hint", "unusual", "unknown", "well"] {
            let attributes = [
                ("id", state),
                ("viewBox", "0 0 8 8"),
                ("refX", "8"),
                ("refY", "4"),
                ("markerWidth", "8"),
                ("markerHeight", "8"),
                ("markerUnits", "userSpaceOnUse"),
                ("orient", "auto"),
            ];
            out.within("marker", &attributes, |out| {
                out.open("path", &[("class", &format!("head {state}")), ("d", "M0 0L8 4L0 8z")]);
                out.close("path");
                out.end_line();
            });
        }
    });
}

/// Both ends of each part of an edge: from a node's right side to the next one's left, or back.
fn parts(places: &[(f64, f64)], is_back: bool) -> Vec<((f64, f64), (f64, f64))> {
    // Two workloads that call each other have two lines.
    let aside = if is_back { 7.0 } else { 0.0 };
    let right = |(x, y): (f64, f64)| (x + NODE.0, y + aside);
    let left = |(x, y): (f64, f64)| (x, y + aside);
    let part = |pair: &[(f64, f64)]| {
        if is_back { (left(pair[0]), right(pair[1])) } else { (right(pair[0]), left(pair[1])) }
    };
    places.windows(2).map(part).collect()
}

fn draw_edge(out: &mut Html, edge: &MapEdge, places: &[(f64, f64)], is_back: bool) {
    let mut path = String::new();
    let parts = parts(places, is_back);
    let bend = if is_back { -GAP / 2.0 } else { GAP / 2.0 };
    for (number, ((x1, y1), (x2, y2))) in parts.iter().enumerate() {
        // Straight through the places that it passes.
        let begin = if number == 0 { "M" } else { "L" };
        let [a, b, c, d, e, f] = [*x1, *y1, x1 + bend, x2 - bend, *x2, *y2].map(px);
        path.push_str(&format!("{begin}{a} {b}C{c} {b} {d} {f} {e} {f}"));
    }
    if let (true, Some((x, y))) = (parts.is_empty(), places.first()) {
        let [a, b, c] = [x + NODE.0 - 50.0, x + NODE.0 - 20.0, y - NODE.1 / 2.0].map(px);
        let top = px(y - NODE.1 / 2.0 - 18.0);
        path = format!("M{a} {c}C{a} {top} {b} {top} {b} {c}");
    }
    let state = class(edge.state);
    let (class, end) = (format!("edge {state}"), format!("url(#{state})"));
    let mut attributes = vec![("class", class.as_str()), ("d", path.as_str())];
    if edge.directed {
        attributes.push(("marker-end", end.as_str()));
    }
    out.open("path", &attributes);
    out.open("title", &[]);
    out.text(&map::figures(edge).join(", "));
    out.close("title");
    out.close("path");
    out.end_line();
}

/// The figures beside the callee, where an edge is alone more often.
fn figures(out: &mut Html, edge: &MapEdge, places: &[(f64, f64)], is_back: bool) {
    let text = map::figures(edge).into_iter().take(2).collect::<Vec<_>>().join(" · ");
    let Some(((x1, y1), (x2, y2))) = parts(places, is_back).last().copied() else { return };
    let at = (x1 + (x2 - x1) * 0.5, y1 + (y2 - y1) * 0.5 - 6.0);
    label(out, at, "note mid", &clipped(&text, MAX_NAME), &[]);
}

fn draw_node(out: &mut Html, node: &MapNode, namespace: Option<&str>, (x, middle): (f64, f64)) {
    let top = middle - NODE.1 / 2.0;
    let name = node.label(namespace);
    let hints = node.hints.iter().map(|hint| format!("\n{}: {}", map::sure(hint), hint.summary));
    let hosts = if node.hosts.is_empty() { String::new() } else { format!(", on {}", node.hosts.join(", ")) };
    // One line: hidden characters are escaped, and a line break is one of them.
    let hover: String = std::iter::once(format!("{name}{hosts}")).chain(hints).collect::<String>().replace('\n', "; ");
    rect(out, (x, top), NODE, &format!("node {}", class(node.state)), &hover);
    label(out, (x + 10.0, top + 17.0), "", &clipped(&name, MAX_NAME), &[]);
    let cause = node.hints.iter().find(|hint| !hint.blamed).or(node.hints.first());
    let (tone, below) = match cause {
        Some(hint) if hint.blamed => ("red", format!("at fault: {}", map::sure(hint))),
        Some(hint) => ("red", map::sure(hint)),
        None => ("grey", map::summary(node)),
    };
    label(out, (x + 10.0, top + 33.0), tone, &clipped(&below, MAX_NAME), &[]);
}

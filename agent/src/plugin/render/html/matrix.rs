//! The page of `matrix`: a heat map.

use super::{Section, clipped, label, rect, svg};
use crate::{
    plugin::{
        model::{
            health::{percent, seconds},
            matrix::{Matrix, Pair},
        },
        render::{Table, matrix},
    },
    text::html::Html,
};

/// Most Nodes in the picture, those with most loss.
const MAX_NODES: usize = 60;
/// Up to this many Nodes, cells have figures.
const MAX_FIGURES: usize = 14;
/// Pairs in the list, those with most loss.
const MAX_PAIRS: usize = 50;
/// Longest name, characters, and its width at 12 px.
const MAX_NAME: usize = 26;
const NAME: f64 = 182.0;
/// Height of the names above the columns, which are slanted.
const HEAD: f64 = 136.0;

/// The heat map, and the worst pairs as a list.
pub(in crate::plugin::render) fn section(matrix: &Matrix) -> Section {
    let mut body = Html::default();
    if matrix.pairs.is_empty() {
        body.element("p", &[], "No traffic between Nodes in the window.");
    } else {
        heat_map(&mut body, matrix);
        worst(&mut body, matrix);
    }
    Section { title: format!("RTT and loss between {} Nodes", matrix.nodes.len()), body }
}

fn heat_map(out: &mut Html, matrix: &Matrix) {
    let nodes = &matrix.nodes[..matrix.nodes.len().min(MAX_NODES)];
    let figures = nodes.len() <= MAX_FIGURES;
    let (wide, high) = if figures { (64.0, 34.0) } else { (15.0, 15.0) };
    let count = nodes.len() as f64;
    // The last name leans beyond its column.
    let size = (NAME + wide * count + HEAD * 0.75, HEAD + high * count + 4.0);
    let median = matrix.median_min_rtt();
    svg(out, size, "Loss and lowest RTT from each Node to each other Node", |out| {
        for (at, node) in nodes.iter().enumerate() {
            let (name, at) = (clipped(node, MAX_NAME), at as f64);
            label(out, (NAME - 8.0, HEAD + high * (at + 0.5) + 4.0), "end", &name, &[]);
            let (x, y) = (NAME + wide * (at + 0.5), HEAD - 8.0);
            let turn = format!("rotate(-45 {} {})", super::px(x), super::px(y));
            label(out, (x, y), "", &name, &[("transform", &turn)]);
        }
        for (row, from) in nodes.iter().enumerate() {
            for (column, to) in nodes.iter().enumerate().filter(|(column, _)| *column != row) {
                let at = (NAME + wide * column as f64, HEAD + high * row as f64);
                cell(out, matrix.pair(from, to), median, (at, (wide, high), figures));
            }
        }
    });
    let legend = "Rows send, columns receive. Green to red: loss episodes per segment, none, below 0.05 %, 0.2 %, 1 %, \
                  and above. Frame: the lowest RTT is three times the median. Empty: no traffic.";
    out.element("p", &[("class", "grey")], legend);
    if nodes.len() < matrix.nodes.len() {
        let text = format!("{} of {} Nodes, those with most loss; -o json has all", nodes.len(), matrix.nodes.len());
        out.element("p", &[("class", "grey")], &text);
    }
}

/// Place and size of a cell, and whether it has figures.
type Cell = ((f64, f64), (f64, f64), bool);

fn cell(out: &mut Html, pair: Option<&Pair>, median: Option<f64>, (at, (wide, high), figures): Cell) {
    let inner = (wide - 1.0, high - 1.0);
    let Some(pair) = pair else { return rect(out, at, inner, "hn", "") };
    let heat = match pair.loss {
        None => "hq",
        Some(loss) if loss <= 0.0 => "h0",
        Some(loss) if loss < 0.000_5 => "h1",
        Some(loss) if loss < 0.002 => "h2",
        Some(loss) if loss < 0.01 => "h3",
        Some(_) => "h4",
    };
    let slow = if matrix::is_slow(pair, median) { " slow" } else { "" };
    let rtt = pair.min_rtt_seconds.map_or_else(|| "?".to_owned(), seconds);
    let loss = pair.loss.map_or_else(|| "?".to_owned(), percent);
    let hover = format!(
        "{} → {}: lowest RTT {rtt}, loss {loss} ({} episodes in {} segments)",
        pair.from, pair.to, pair.episodes, pair.segments
    );
    rect(out, at, inner, &format!("{heat}{slow}"), &hover);
    if figures {
        let middle = at.0 + wide / 2.0;
        label(out, (middle, at.1 + 14.0), "cell mid", &loss, &[]);
        label(out, (middle, at.1 + 27.0), "cell mid grey", &rtt, &[]);
    }
}

fn worst(out: &mut Html, matrix: &Matrix) {
    let mut pairs: Vec<&Pair> = matrix.pairs.iter().collect();
    pairs.sort_by(|a, b| b.loss.unwrap_or(-1.0).total_cmp(&a.loss.unwrap_or(-1.0)).then(b.episodes.cmp(&a.episodes)));
    let mut table = Table::new(&["FROM", "TO", "LOSS", "LOWEST RTT", "MEDIAN RTT", "SEGMENTS", "EPISODES"], "");
    let known = |value: Option<f64>, text: fn(f64) -> String| value.map_or_else(|| "?".to_owned(), text);
    let median = matrix.median_min_rtt();
    for pair in pairs.iter().take(MAX_PAIRS) {
        let (_, colour) = matrix::cell(pair, median);
        table.coloured(vec![
            (pair.from.clone(), None),
            (pair.to.clone(), None),
            (known(pair.loss, percent), colour),
            (known(pair.min_rtt_seconds, seconds), None),
            (known(pair.rtt_p50_seconds, seconds), None),
            (pair.segments.to_string(), None),
            (pair.episodes.to_string(), None),
        ]);
    }
    let shown = pairs.len().min(MAX_PAIRS);
    out.element("h2", &[], &format!("Pairs, {shown} of {}", pairs.len()));
    out.append(&table.html());
}

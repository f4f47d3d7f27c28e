//! The report of `matrix`.

use super::{
    Colour, Report, Table, View,
    html::{self, Section},
    mermaid::{Chart, Shape},
};
use crate::plugin::model::{
    SilentAgent,
    health::{percent, seconds},
    matrix::{Matrix, Pair},
};
use crate::text::Text;

/// Loss from which a cell is yellow or red, episodes per segment.
const YELLOW: f64 = 0.000_5;
const RED: f64 = 0.002;
/// Ratio to the median RTT, and difference in seconds, above which a cell is yellow.
const SLOW: f64 = 3.0;
const SLOW_FLOOR: f64 = 0.001;
/// Width of a column.
const CELL: usize = 18;
/// Most pairs in a diagram.
const MAX_PAIRS: usize = 60;

impl Report for Matrix {
    fn text(&self, view: &View) -> Text {
        if self.pairs.is_empty() {
            return Text::lines("No traffic between Nodes in the window.\n");
        }
        let fits = (view.width.saturating_sub(CELL) / CELL).max(2);
        let shown = if view.wide { self.nodes.len() } else { fits.min(self.nodes.len()) };
        let nodes = &self.nodes[..shown];
        let mut head = vec!["FROM \\ TO"];
        head.extend(nodes.iter().map(String::as_str));
        let mut table = Table::new(&head, "");
        let median = self.median_min_rtt();
        for from in nodes {
            let mut cells = vec![(from.clone(), None)];
            for to in nodes {
                cells.push(match self.pair(from, to) {
                    _ if from == to => ("·".to_owned(), Some(Colour::Grey)),
                    Some(pair) => cell(pair, median),
                    None => ("–".to_owned(), Some(Colour::Grey)),
                });
            }
            table.coloured(cells);
        }
        let mut out = table.render(view);
        out.append(
            &view
                .paint
                .colour(Colour::Grey, "lowest RTT · loss episodes per segment; –: no traffic, ?: too few segments"),
        );
        out.end_line();
        if shown < self.nodes.len() {
            let text = format!("{shown} of {} Nodes, those with most loss first; -o wide shows all", self.nodes.len());
            out.append(&view.paint.colour(Colour::Grey, &text));
            out.end_line();
        }
        out
    }

    fn table(&self, _: &View) -> Option<Table> {
        None
    }

    fn mermaid(&self) -> Text {
        let mut chart = Chart::new("LR");
        let mut pairs: Vec<&Pair> = self.pairs.iter().collect();
        pairs.sort_by_key(|pair| std::cmp::Reverse(pair.episodes));
        for pair in pairs.into_iter().take(MAX_PAIRS) {
            let (from, to) = (chart.node(&pair.from, Shape::Box), chart.node(&pair.to, Shape::Box));
            chart.edge(from, to, &cell(pair, None).0);
        }
        chart.text()
    }

    const HTML: bool = true;

    fn html(&self, _: &View) -> Section {
        html::matrix::section(self)
    }

    fn not_answered(&self) -> &[SilentAgent] {
        &self.not_answered
    }
}

/// Figures of a pair, and how normal they are.
pub(super) fn cell(pair: &Pair, median: Option<f64>) -> (String, Option<Colour>) {
    let rtt = pair.min_rtt_seconds.map_or_else(|| "?".to_owned(), seconds);
    let loss = pair.loss.map_or_else(|| "?".to_owned(), percent);
    let colour = match pair.loss {
        Some(loss) if loss >= RED => Some(Colour::Red),
        Some(loss) if loss >= YELLOW => Some(Colour::Yellow),
        _ if is_slow(pair, median) => Some(Colour::Yellow),
        Some(_) => Some(Colour::Green),
        None => None,
    };
    (format!("{rtt} · {loss}"), colour)
}

/// Whether the path is far longer than the median one.
pub(super) fn is_slow(pair: &Pair, median: Option<f64>) -> bool {
    pair.min_rtt_seconds.zip(median).is_some_and(|(rtt, median)| rtt > SLOW * median && rtt - median > SLOW_FLOOR)
}

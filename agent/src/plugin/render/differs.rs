//! The report of `diff`, and the same as a section of `why` and `nodes`.

use super::{
    Colour, Report, Table, View,
    mermaid::{Chart, Shape},
    wrap,
};
use crate::{
    plugin::model::{
        SilentAgent,
        differs::{Difference, Differs},
        health::Fact,
    },
    text::Text,
};

/// Longest value in a cell without `-o wide`, characters.
const MAX_CELL: usize = 40;
/// Most differences in a section of another report.
const MAX_ITEMS: usize = 6;

impl Report for Differs {
    fn text(&self, view: &View) -> Text {
        let mut out = view.paint.bold(&self.title());
        out.end_line();
        out.append(&self.list(view).render(view));
        for fact in &self.unknown {
            for line in wrap(&format!("unknown: {}: {}", fact.what, fact.figures), view.width.max(40)) {
                out.append(&view.paint.colour(Colour::Grey, &line));
                out.end_line();
            }
        }
        out
    }

    fn table(&self, view: &View) -> Option<Table> {
        // The second column is another Node in each context.
        self.other.is_none().then(|| self.list(view))
    }

    fn mermaid(&self) -> Text {
        let mut chart = Chart::new("LR");
        self.chart(&mut chart, usize::MAX);
        chart.text()
    }

    fn not_answered(&self) -> &[SilentAgent] {
        &self.not_answered
    }
}

impl Differs {
    fn title(&self) -> String {
        match &self.other {
            Some(other) => format!("{} and {other}, beside {} Nodes that are well", self.node, self.well),
            None => format!("{} among {} Nodes that are well", self.node, self.well),
        }
    }

    fn list(&self, view: &View) -> Table {
        let nothing = match &self.other {
            Some(_) => "No known fact differs between them.",
            None => "No known fact is odd.",
        };
        let other = self.other.as_deref().unwrap_or("OTHERS");
        let mut head = vec!["FACT", &self.node, other, "NODES LIKE IT"];
        if view.wide {
            head.extend(["KIND", "ODDNESS"]);
        }
        let mut table = Table::new(&head, nothing);
        for item in &self.items {
            let (value, usual) = item.values();
            let cut = |text: String| if view.wide { text } else { cut(&text) };
            let mut cells = vec![
                (item.name(), None),
                (cut(value), Some(Colour::Yellow)),
                (cut(usual), None),
                (format!("{} of {}", item.same, item.compared), None),
            ];
            if view.wide {
                cells.extend([(item.kind.label().to_owned(), None), (format!("{:.3}", item.oddness), None)]);
            }
            table.coloured(cells);
        }
        table
    }

    /// Adds the Node with at most so many differences to a chart.
    fn chart(&self, chart: &mut Chart, most: usize) {
        let node = chart.node(&self.node, Shape::Box);
        for item in self.items.iter().take(most) {
            let (value, usual) = item.values();
            let other = self.other.as_deref().unwrap_or("others");
            let to = chart.node(&format!("{}\n{value}\n{other}: {usual}", item.name()), Shape::Round);
            chart.edge(node, to, &format!("{} of {}", item.same, item.compared));
        }
    }

    /// Adds the Node to the chart of another report.
    pub(super) fn section_of(&self, chart: &mut Chart) {
        self.chart(chart, MAX_ITEMS);
    }

    /// The heading and the lines of a section of another report.
    pub(super) fn section(&self, is_wide: bool) -> (String, Vec<Fact>) {
        let most = if is_wide { usize::MAX } else { MAX_ITEMS };
        let mut facts: Vec<Fact> =
            self.items.iter().take(most).map(|item| Fact::new(item.name(), cut_line(&item.sentence()))).collect();
        if self.items.len() > most {
            let rest = format!("`kubectl netwhy diff node/{}` shows {} more", self.node, self.items.len() - most);
            facts.push(Fact::new("…", rest));
        }
        if self.items.is_empty() {
            facts.push(Fact::new("no odd fact", "of those that are known"));
        }
        facts.extend(self.unknown.iter().map(|fact| Fact::new(format!("unknown: {}", fact.what), &fact.figures)));
        (format!("DIFFERS: {}", self.title()), facts)
    }
}

/// Sections below a table: one per Node.
pub(super) fn sections(all: &[Differs], view: &View) -> Text {
    let mut out = Text::default();
    for differs in all {
        let (heading, facts) = differs.section(view.wide);
        out.end_line();
        out.append(&view.paint.bold(&heading));
        out.end_line();
        for fact in facts {
            out.push(&format!("  {}: {}", fact.what, fact.figures));
            out.end_line();
        }
    }
    out
}

impl Difference {
    /// The Node's value, and the other's or the usual one.
    fn values(&self) -> (String, String) {
        let usual = if self.other.is_some() { &self.other } else { &self.usual };
        (self.shown(self.value.as_deref()), self.shown(usual.as_deref()))
    }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= MAX_CELL {
        return text.to_owned();
    }
    format!("{}…", text.chars().take(MAX_CELL - 1).collect::<String>())
}

/// A sentence with values of bounded length.
fn cut_line(text: &str) -> String {
    text.split(' ').map(cut).collect::<Vec<_>>().join(" ")
}

//! The report of `changed`, and the same as a section of `why`.

use super::{
    Colour, Report, Table, View, age,
    mermaid::{Chart, Shape},
    wrap,
};
use crate::{
    plugin::model::{
        SilentAgent,
        changed::{Change, Changes, Near},
        health::Fact,
        unix_ms,
    },
    text::Text,
};

/// Most changes in a section of another report.
const MAX_ITEMS: usize = 8;

impl Report for Changes {
    fn text(&self, view: &View) -> Text {
        let mut out = view.paint.bold(&self.title());
        out.end_line();
        out.append(&self.list(view).render(view));
        let mut note = |text: &str| {
            for line in wrap(text, view.width.max(40)) {
                out.append(&view.paint.colour(Colour::Grey, &line));
                out.end_line();
            }
        };
        if self.left_off > 0 {
            note(&format!("{} more changes are left off: pass a shorter --since", self.left_off));
        }
        for fact in &self.unknown {
            note(&format!("unknown: {}: {}", fact.what, fact.figures));
        }
        out
    }

    fn table(&self, view: &View) -> Option<Table> {
        Some(self.list(view))
    }

    fn mermaid(&self) -> Text {
        let mut chart = Chart::new("LR");
        let target = chart.node(&format!("{} {}", self.kind, self.name), Shape::Round);
        for item in &self.items {
            let change = chart.node(&format!("{}\n{}", item.shown(), item.what), Shape::Box);
            chart.edge(change, target, &item.when());
        }
        chart.text()
    }

    fn not_answered(&self) -> &[SilentAgent] {
        &self.not_answered
    }
}

impl Changes {
    fn length(&self) -> String {
        let length = unix_ms(&self.until).zip(unix_ms(&self.from)).map(|(until, from)| until - from);
        length.map(age).unwrap_or_default()
    }

    fn title(&self) -> String {
        let name =
            if self.namespace.is_empty() { self.name.clone() } else { format!("{}/{}", self.namespace, self.name) };
        format!("{} {name}: changes in {} until {}", self.kind, self.length(), self.until)
    }

    fn list(&self, view: &View) -> Table {
        let nothing =
            if self.unknown.is_empty() { "No change is known." } else { "No change is known of what can be read." };
        let mut head = vec!["WHEN", "NEAR", "OBJECT", "CHANGE"];
        if view.wide {
            head.extend(["KIND", "AT"]);
        }
        let mut table = Table::new(&head, nothing);
        for item in &self.items {
            let colour = (item.near == Near::Culprit).then_some(Colour::Yellow);
            let mut cells = vec![
                (item.when(), None),
                (item.near.label().to_owned(), None),
                (item.shown(), colour),
                (item.what.clone(), None),
            ];
            if view.wide {
                cells.extend([(item.kind.label().to_owned(), None), (item.at.clone(), None)]);
            }
            table.coloured(cells);
        }
        table
    }

    /// The heading and the lines of a section of another report.
    pub(super) fn section(&self, is_wide: bool) -> (String, Vec<Fact>) {
        let most = if is_wide { usize::MAX } else { MAX_ITEMS };
        let line =
            |item: &Change| Fact::new(item.when(), format!("{} ({}) {}", item.shown(), item.near.label(), item.what));
        let mut facts: Vec<Fact> = self.items.iter().take(most).map(line).collect();
        let more = self.items.len().saturating_sub(most) + self.left_off;
        if more > 0 {
            facts.push(Fact::new("…", format!("{more} more: -o wide")));
        }
        if self.items.is_empty() {
            facts.push(Fact::new("no change", "of those that can be read"));
        }
        facts.extend(self.unknown.iter().map(|fact| Fact::new(format!("unknown: {}", fact.what), &fact.figures)));
        (format!("CHANGED BEFORE: {} until {}", self.length(), self.until), facts)
    }
}

impl Change {
    /// `4m before`
    pub(in crate::plugin) fn when(&self) -> String {
        let word = if self.seconds_before < 0 { "after" } else { "before" };
        format!("{} {word}", age(self.seconds_before.saturating_abs().saturating_mul(1000)))
    }

    /// The object with its namespace.
    pub(in crate::plugin) fn shown(&self) -> String {
        if self.namespace.is_empty() {
            return self.object.clone();
        }
        match self.object.split_once('/') {
            Some((kind, name)) => format!("{kind}/{}/{name}", self.namespace),
            None => format!("{}/{}", self.namespace, self.object),
        }
    }
}

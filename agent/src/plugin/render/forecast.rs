//! The report of `forecast`.

use super::{
    Colour, Report, Table, View, age,
    mermaid::{Chart, Shape},
    note,
};
use crate::{
    plugin::model::{
        SilentAgent,
        forecast::{AcceptQueues, Filling, Forecast, Overflow, SHARE, Summary},
        health::percent,
    },
    text::Text,
};

/// From this share of its limit on, a resource is shown in yellow though it does not fill.
const HIGH: f64 = 0.8;
/// Pods with overflows that have a line.
const MAX_PODS: usize = 3;

impl Report for Forecast {
    fn text(&self, view: &View) -> Text {
        let mut out = self.list(view).render(view);
        out.end_line();
        for summary in &self.figures {
            let is_high = summary.fullest_share.is_some_and(|share| share >= HIGH);
            let colour = if is_high { Colour::Yellow } else { Colour::Grey };
            note(&mut out, view, colour, &self.line(summary));
        }
        if let Some(queues) = &self.accept_queues {
            note(&mut out, view, Colour::Grey, &queues.line());
            for one in queues.pods.iter().take(MAX_PODS) {
                note(&mut out, view, Colour::Yellow, &one.line(self.range_seconds));
            }
        }
        let source = format!(
            "Straight lines through the last {} before {}, from {}.",
            span(self.range_seconds as f64),
            self.at,
            self.source
        );
        note(&mut out, view, Colour::Grey, &source);
        for fact in &self.unknown {
            note(&mut out, view, Colour::Grey, &format!("unknown: {}: {}", fact.what, fact.figures));
        }
        out
    }

    fn table(&self, _: &View) -> Option<Table> {
        // Each context has figures and a source of its own.
        None
    }

    fn mermaid(&self) -> Text {
        let mut chart = Chart::new("LR");
        for item in &self.items {
            let node = chart.node(&item.node, Shape::Box);
            let resource = chart.node(&format!("{}\n{}", item.resource, item.when()), Shape::Round);
            chart.edge(node, resource, &percent(item.used / item.limit));
        }
        chart.text()
    }

    fn not_answered(&self) -> &[SilentAgent] {
        &self.not_answered
    }
}

impl Forecast {
    fn list(&self, view: &View) -> Table {
        let mut head = vec!["RESOURCE", "NODE", "USED", "LIMIT", "GROWS", "FULL"];
        if view.wide {
            head.extend(["AT", "SAMPLES"]);
        }
        let nothing = format!("Nothing that is known fills up within {}.", span(self.within_seconds as f64));
        let mut table = Table::new(&head, &nothing);
        for item in &self.items {
            let mut cells = vec![
                (item.resource.clone(), None),
                (item.node.clone(), None),
                (item.in_use(), None),
                (amount(item.limit, &item.unit), None),
                (format!("{}/h", amount(item.per_hour, &item.unit)), None),
                (item.when(), Some(Colour::Red)),
            ];
            if view.wide {
                cells.extend([(item.full_at.clone(), None), (item.samples.to_string(), None)]);
            }
            table.coloured(cells);
        }
        table
    }

    fn line(&self, summary: &Summary) -> String {
        let Summary { resource, known, filling, fullest, fullest_share } = summary;
        let most = match (fullest, fullest_share) {
            (Some(name), Some(share)) => format!("; the fullest: {name}, {}", percent(*share)),
            _ => String::new(),
        };
        match (known, filling) {
            (0, _) => format!("{resource}: no samples"),
            (known, 0) => format!("{resource}: not filling, {known} known{most}"),
            (known, filling) => format!("{resource}: {filling} of {known} fill up{most}"),
        }
    }
}

impl AcceptQueues {
    fn line(&self) -> String {
        match (self.known, self.overflowed) {
            (0, _) => "accept queues: no samples".to_owned(),
            (known, 0) => format!("accept queues: no overflow, {known} Pods known"),
            (known, overflowed) => format!("accept queues: {overflowed} of {known} Pods overflowed"),
        }
    }
}

impl Overflow {
    fn line(&self, range_seconds: u64) -> String {
        let Self { namespace, pod, node, turned_away, last_hour } = self;
        let range = span(range_seconds as f64);
        format!(
            "accept queue of {namespace}/{pod} on {node}: turned {turned_away:.0} connections away in {range}, \
             {last_hour:.0} in the last hour"
        )
    }
}

impl Filling {
    fn in_use(&self) -> String {
        let share = percent(self.used / self.limit);
        if self.unit == SHARE { share } else { format!("{} ({share})", amount(self.used, &self.unit)) }
    }

    fn when(&self) -> String {
        if self.full_in_seconds <= 0.0 { "now".to_owned() } else { format!("in {}", span(self.full_in_seconds)) }
    }
}

/// A time span, s.
fn span(seconds: f64) -> String {
    age((seconds * 1e3) as i64)
}

/// A number in its unit; bytes in binary ones, shares in percent.
fn amount(value: f64, unit: &str) -> String {
    if unit == SHARE {
        return percent(value);
    }
    if unit != "bytes" {
        return if value.abs() < 10.0 { format!("{value:.1}") } else { format!("{value:.0}") };
    }
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut at) = (value, 0);
    while value.abs() >= 1024.0 && at + 1 < units.len() {
        value /= 1024.0;
        at += 1;
    }
    format!("{value:.1} {}", units[at])
}

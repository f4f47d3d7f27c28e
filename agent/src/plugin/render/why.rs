//! The report of `why` on one screen: the verdict, then its evidence.

pub(super) mod waterfall;

use super::{
    Colour, Report, Table, View, age,
    hints::one_line,
    html::{self, Section, why::verdict_colour},
    mermaid::{self, Chart},
    wrap,
};
use crate::{
    api::Evidence,
    plugin::model::{
        SilentAgent,
        health::{Fact, percent, seconds},
        unix_ms,
        why::{Explanation, PodLine, State, Verdict},
    },
    text::Text,
};

/// Left margin below a heading.
const INDENT: usize = 2;
/// Most Pods, facts and hints without `-o wide`.
const MAX_ITEMS: usize = 8;

impl Report for Explanation {
    fn text(&self, view: &View) -> Text {
        let mut out = Screen { view, text: Text::default() };
        self.title(&mut out);
        self.verdict(&mut out);
        self.evidence(&mut out);
        let ruled: Vec<Fact> = self.ruled_out.iter().map(|r| Fact::new(&r.cause, &r.because)).collect();
        out.facts("RULED OUT", &ruled, None);
        if !self.chain.is_empty() {
            out.heading("CHAIN");
            let links: Vec<String> = self.chain.iter().map(|link| format!("{} ({})", link.what, link.who)).collect();
            out.paragraph(&links.join(" → "));
        }
        out.heading("NEXT STEP");
        out.paragraph(&self.next_step);
        waterfall::section(&self.waterfall, &mut out);
        if !self.also.is_empty() {
            out.heading("ALSO");
            for hint in self.also.iter().take(out.most()) {
                out.paragraph(&one_line(hint));
            }
            out.more(self.also.len());
        }
        // Normal measurements matter to the reader only without a cause.
        if self.verdict.state != State::CauseFound || view.wide {
            out.facts("MEASURED AND NORMAL", &self.normal, Some(Colour::Green));
            out.facts("UNUSUAL, BUT NO HINT", &self.unusual, Some(Colour::Yellow));
            out.facts("NO DATA", &self.no_data, Some(Colour::Grey));
        }
        if let Some(changed) = &self.changed {
            let (heading, facts) = changed.section(view.wide);
            out.section(&heading, &facts);
        }
        if let Some(differs) = &self.differs {
            let (heading, facts) = differs.section(view.wide);
            out.facts(&heading, &facts, None);
        }
        out.facts("UNKNOWN", &self.unknown, Some(Colour::Grey));
        self.pods(&mut out);
        out.facts("RELATED", &self.related, None);
        out.facts("WARNINGS", &self.events, Some(Colour::Yellow));
        out.heading("PROMQL");
        for query in &self.promql {
            // On one line, for copy and paste.
            let mut line = Text::new(&format!("{}  ", query.query));
            line.append(&view.paint.colour(Colour::Grey, &format!("# {}", query.shows)));
            out.line(&line);
        }
        out.text
    }

    fn table(&self, _: &View) -> Option<Table> {
        None
    }

    fn mermaid(&self) -> Text {
        let mut chart = Chart::new("LR");
        let target = chart.node(&format!("{} {}", self.kind, self.name), mermaid::Shape::Round);
        let mut last = None;
        for link in &self.chain {
            let id = chart.node(&format!("{}\n{}", link.what, link.who), mermaid::Shape::Box);
            if let Some(last) = last {
                chart.edge(last, id, "");
            }
            last = Some(id);
        }
        let verdict = chart.node(&self.verdict.sentence, mermaid::Shape::Box);
        if let Some(last) = last {
            chart.edge(last, target, "affects");
        }
        chart.edge(target, verdict, &confidence(self));
        waterfall::chart(&self.waterfall, &mut chart);
        if let Some(differs) = &self.differs {
            differs.section_of(&mut chart);
        }
        chart.text()
    }

    const HTML: bool = true;

    fn html(&self, view: &View) -> Section {
        html::why::section(self, view)
    }

    fn not_answered(&self) -> &[SilentAgent] {
        &self.not_answered
    }
}

/// What the report is about.
pub(super) fn title(case: &Explanation) -> String {
    let Explanation { kind, namespace, name, workload, nodes, .. } = case;
    let name = if namespace.is_empty() { name.clone() } else { format!("{namespace}/{name}") };
    let of = if workload.is_empty() { String::new() } else { format!(" of {workload}") };
    let on = match nodes.as_slice() {
        [] if kind == "Node" || case.pods.is_empty() => String::new(),
        [] => ", on no Node yet".to_owned(),
        _ if kind == "Node" => String::new(),
        [one] => format!(" on {one}"),
        many => format!(" on {} Nodes", many.len()),
    };
    let at = case.at.as_ref().map(|at| format!(", as of {at}")).unwrap_or_default();
    format!("{kind} {name}{of}{on}{at}")
}

/// Cause, confidence, culprit and times. Empty without a cause.
pub(super) fn verdict_parts(verdict: &Verdict, now_ms: i64) -> Vec<String> {
    let Some(cause) = &verdict.cause else { return Vec::new() };
    let mut parts = vec![cause.clone()];
    parts.extend(verdict.confidence.map(|sure| format!("{:.0} % sure", sure * 100.0)));
    if let Some(blame) = &verdict.blame {
        parts.push(format!("at fault: {}", blame.text()));
    }
    let until = verdict.until.as_deref().and_then(unix_ms);
    if let Some(since) = verdict.since.as_deref().and_then(unix_ms) {
        parts.push(format!("for {}", age(until.unwrap_or(now_ms) - since)));
    }
    if let Some(until) = until {
        parts.push(format!("ended {} ago", age(now_ms - until)));
    }
    if !verdict.reported_by.is_empty() {
        parts.push(format!("reported by {}", verdict.reported_by));
    }
    parts
}

/// At most so many Pods, those with a cause first.
pub(super) fn pod_table(pods: &[PodLine], most: usize) -> Table {
    let mut table = Table::new(&["POD", "NODE", "CAUSE", "RTT", "LOSS", "THROTTLED", "STATUS"], "");
    let mut pods: Vec<_> = pods.iter().collect();
    pods.sort_by_key(|pod| (pod.cause.is_empty(), !pod.measured));
    for pod in pods.iter().take(most) {
        let or = |value: Option<String>| value.unwrap_or_else(|| if pod.measured { "–" } else { "?" }.to_owned());
        let cause = if pod.cause.is_empty() { "–".to_owned() } else { pod.cause.clone() };
        let colour = (!pod.cause.is_empty()).then_some(Colour::Red);
        table.coloured(vec![
            (indented(&pod.name), None),
            (pod.node.clone(), None),
            (cause, colour),
            (or(pod.rtt_p50_seconds.map(seconds)), None),
            (or(pod.loss.map(percent)), None),
            (or(pod.throttled.map(percent)), None),
            (pod.status.clone(), None),
        ]);
    }
    table
}

fn confidence(case: &Explanation) -> String {
    case.verdict.confidence.map(|sure| format!("{:.0} % sure", sure * 100.0)).unwrap_or_default()
}

impl Explanation {
    fn title(&self, out: &mut Screen<'_>) {
        out.text.append(&out.view.paint.bold(&title(self)));
        out.text.end_line();
    }

    fn verdict(&self, out: &mut Screen<'_>) {
        let colour = verdict_colour(self.verdict.state);
        out.text.end_line();
        for line in wrap(&self.verdict.sentence, out.width()) {
            let line = out.view.paint.colour(colour, &line);
            out.line(&line);
        }
        let parts = verdict_parts(&self.verdict, out.view.now_ms);
        if !parts.is_empty() {
            out.paragraph(&parts.join(" · "));
        }
    }

    fn evidence(&self, out: &mut Screen<'_>) {
        if self.evidence.is_empty() {
            return;
        }
        out.text.end_line();
        let mut table = Table::new(&["EVIDENCE", "NOW", "BASELINE", "WHERE"], "");
        for e in &self.evidence {
            let baseline = e.baseline.map_or_else(|| "–".to_owned(), |b| value(e, b));
            table.row(vec![indented(&e.signal), value(e, e.observed), baseline, e.place.clone()]);
        }
        out.table(&table);
    }

    fn pods(&self, out: &mut Screen<'_>) {
        let [only] = self.pods.as_slice() else {
            if self.pods.is_empty() {
                return;
            }
            out.text.end_line();
            out.table(&pod_table(&self.pods, out.most()));
            out.more(self.pods.len());
            return;
        };
        if !only.status.is_empty() {
            out.heading("POD");
            out.paragraph(&only.status);
        }
    }
}

/// A number in its unit.
pub(in crate::plugin) fn value(e: &Evidence, number: f64) -> String {
    match e.unit.as_str() {
        "ratio" | "share" => percent(number),
        "seconds" => seconds(number),
        unit if number.fract() == 0.0 => format!("{number:.0} {unit}"),
        unit => format!("{number:.2} {unit}"),
    }
}

/// A cell in the first column.
fn indented(text: &str) -> String {
    format!("{}{text}", " ".repeat(INDENT))
}

/// Builds the text.
struct Screen<'a> {
    view: &'a View,
    text: Text,
}

impl Screen<'_> {
    fn width(&self) -> usize {
        self.view.width.max(40) - INDENT
    }

    const fn most(&self) -> usize {
        if self.view.wide { usize::MAX } else { MAX_ITEMS }
    }

    fn heading(&mut self, text: &str) {
        self.text.end_line();
        self.text.append(&self.view.paint.bold(text));
        self.text.end_line();
    }

    fn line(&mut self, text: &Text) {
        self.text.push(&" ".repeat(INDENT));
        self.text.append(text);
        self.text.end_line();
    }

    fn paragraph(&mut self, text: &str) {
        for line in wrap(text, self.width()) {
            self.line(&Text::new(&line));
        }
    }

    fn table(&mut self, table: &Table) {
        self.text.append(&table.render(self.view));
    }

    fn more(&mut self, all: usize) {
        if all > self.most() {
            let text = self.view.paint.colour(Colour::Grey, &format!("… and {} more: -o wide", all - self.most()));
            self.line(&text);
        }
    }

    fn facts(&mut self, heading: &str, facts: &[Fact], colour: Option<Colour>) {
        if facts.is_empty() {
            return;
        }
        self.heading(heading);
        self.fact_lines(facts, self.most(), colour);
        self.more(facts.len());
    }

    /// Facts of another report, which has bounded them itself.
    fn section(&mut self, heading: &str, facts: &[Fact]) {
        self.heading(heading);
        self.fact_lines(facts, usize::MAX, None);
    }

    fn fact_lines(&mut self, facts: &[Fact], most: usize, colour: Option<Colour>) {
        let widest = facts.iter().map(|fact| fact.what.chars().count()).max().unwrap_or(0).min(46);
        for fact in facts.iter().take(most) {
            let pad = " ".repeat(widest.saturating_sub(fact.what.chars().count()));
            let what =
                colour.map_or_else(|| Text::new(&fact.what), |colour| self.view.paint.colour(colour, &fact.what));
            let room = self.width().saturating_sub(widest + 2).max(20);
            let lines = wrap(&fact.figures, room);
            for (number, line) in lines.iter().enumerate() {
                let mut shown = if number == 0 { what.clone() } else { Text::default() };
                shown.push(&if number == 0 { pad.clone() } else { " ".repeat(widest) });
                shown.push(&format!("  {line}"));
                self.line(&shown.trimmed());
            }
        }
    }
}

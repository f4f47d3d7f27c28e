//! The report of `incidents`.

use super::{
    Colour, Report, Section, Table, View, age, html,
    mermaid::{Chart, Shape},
    note, wrap,
};
use crate::{
    plugin::model::{
        SilentAgent,
        hints::MissingTime,
        incidents::{Chain, Fingerprint, Incident, Incidents, Recurrence},
    },
    text::Text,
};

/// Most incidents and chains without `-o wide`.
const MAX_ITEMS: usize = 30;
const MAX_CHAINS: usize = 5;

impl Report for Incidents {
    fn text(&self, view: &View) -> Text {
        let most = if view.wide { usize::MAX } else { MAX_ITEMS };
        let mut out = self.list(view.wide, most).render(view);
        if self.items.len() > most {
            note(&mut out, view, Colour::Grey, &format!("{} more: see -o wide", self.items.len() - most));
        }
        if !self.chains.is_empty() {
            out.end_line();
            out.append(&view.paint.bold("WHAT CAME FIRST"));
            out.end_line();
            let most = if view.wide { usize::MAX } else { MAX_CHAINS };
            for chain in self.chains.iter().take(most) {
                for (number, line) in wrap(&chain_line(chain), view.width.max(40) - 4).iter().enumerate() {
                    out.push(if number == 0 { "  " } else { "    " });
                    out.push(line);
                    out.end_line();
                }
            }
        }
        out.end_line();
        note(&mut out, view, Colour::Grey, &self.source());
        for fact in &self.unknown {
            note(&mut out, view, Colour::Grey, &format!("unknown: {}: {}", fact.what, fact.figures));
        }
        out
    }

    fn table(&self, _: &View) -> Option<Table> {
        // Each context has chains and sources of its own.
        None
    }

    fn mermaid(&self) -> Text {
        let mut chart = Chart::new("LR");
        for chain in &self.chains {
            let first = chart.node(&label(&chain.first), Shape::Box);
            for other in &chain.then {
                let other = chart.node(&label(other), Shape::Round);
                chart.edge(first, other, &chain.from);
            }
        }
        for item in &self.items {
            let node = chart.node(&label(&item.fingerprint), Shape::Round);
            let culprit = chart.node(&item.culprit(), Shape::Box);
            chart.edge(culprit, node, &format!("{} times", item.times));
        }
        chart.text()
    }

    const HTML: bool = true;

    fn html(&self, _: &View) -> Section {
        html::incidents::section(self)
    }

    fn not_answered(&self) -> &[SilentAgent] {
        &self.not_answered
    }

    fn missing(&self) -> &[MissingTime] {
        &self.missing
    }
}

impl Incidents {
    /// The newest figures of so many incidents; wide with more columns.
    pub(super) fn list(&self, wide: bool, most: usize) -> Table {
        let mut head = vec!["NAMESPACE", "WORKLOAD", "CAUSE", "BLAME", "TIMES", "FIRED", "LAST", "RECURS", "FIRST IN"];
        if wide {
            head.extend(["LONGEST", "SINCE", "SUBJECTS", "NODES", "SURE"]);
        }
        let mut table = Table::new(&head, self.nothing());
        for item in self.items.iter().take(most) {
            let colour = if item.lasts { Colour::Red } else { Colour::Grey };
            let mut cells = vec![
                (item.fingerprint.namespace.clone(), None),
                (item.fingerprint.workload.clone(), None),
                (item.fingerprint.cause.clone(), Some(colour)),
                (item.culprit(), None),
                (item.times.to_string(), None),
                (time(item.seconds), None),
                (if item.lasts { format!("{}, lasts", clock(&item.last)) } else { clock(&item.last) }, None),
                (item.recurs.as_ref().map_or_else(|| "–".to_owned(), recurs), Some(Colour::Yellow)),
                (if item.chains == 0 { "–".to_owned() } else { format!("{} of {}", item.first_in, item.chains) }, None),
            ];
            if wide {
                let sure = item.confidence.map_or_else(|| "–".to_owned(), |sure| format!("{:.0}%", sure * 100.0));
                cells.extend([
                    (time(item.longest_seconds), None),
                    (clock(&item.first), None),
                    (item.subjects.to_string(), None),
                    (item.nodes.join(","), None),
                    (sure, None),
                ]);
            }
            table.coloured(cells);
        }
        table
    }

    fn nothing(&self) -> &'static str {
        if self.missing.is_empty() && self.unknown.is_empty() && self.not_answered.is_empty() {
            "Nothing fired in that time."
        } else {
            "Nothing that is recorded fired in that time; some of it is not recorded."
        }
    }

    /// Where the report is from.
    pub(super) fn source(&self) -> String {
        let [from, to] = &self.between;
        let also = self.prometheus.as_ref().map(|name| format!(" and Prometheus {name}")).unwrap_or_default();
        let nodes = if self.agents == 1 { "1 Node".to_owned() } else { format!("{} Nodes", self.agents) };
        format!("From {from} to {to}, of the flight recorders of {nodes}{also}.")
    }
}

impl Incident {
    fn culprit(&self) -> String {
        let Fingerprint { blame_kind, blame, .. } = &self.fingerprint;
        match (blame.as_str(), self.culprits.as_slice()) {
            ("", _) if blame_kind == "pod" => "itself".to_owned(),
            ("", _) => blame_kind.clone(),
            ("~address", [only]) => only.clone(),
            ("~address", []) => format!("{blame_kind} ~address"),
            ("~address", many) => format!("{} of kind {blame_kind}", many.len()),
            (name, _) => format!("{blame_kind} {name}"),
        }
    }
}

/// A chain in one line.
pub(super) fn chain_line(chain: &Chain) -> String {
    let mut line = format!("{}  {}", clock(&chain.from), label(&chain.first));
    for other in &chain.then {
        line.push_str(&format!(" → {}", label(other)));
    }
    let more = chain.incidents.saturating_sub(chain.then.len() + 1);
    if more > 0 {
        line.push_str(&format!(" and {more} more"));
    }
    line
}

/// Name of an incident.
pub(super) fn label(fingerprint: &Fingerprint) -> String {
    let Fingerprint { namespace, workload, cause, .. } = fingerprint;
    if namespace.is_empty() { format!("{cause} ({workload})") } else { format!("{cause} ({namespace}/{workload})") }
}

fn recurs(rule: &Recurrence) -> String {
    match rule {
        Recurrence::Daily { about, days, of_days } => format!("daily about {about}, {days} of {of_days} days"),
        Recurrence::Interval { seconds, times } => format!("every {}, {times} times", time(*seconds as f64)),
    }
}

/// A time span, s.
pub(super) fn time(seconds: f64) -> String {
    age((seconds * 1e3) as i64)
}

/// Day and time of day of an RFC 3339 time, UTC.
pub(super) fn clock(stamp: &str) -> String {
    stamp.get(5..16).map_or_else(|| stamp.to_owned(), |time| format!("{}Z", time.replace('T', " ")))
}

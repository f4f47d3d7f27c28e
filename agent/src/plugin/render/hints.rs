//! The report of `hints`.

use super::{
    Colour, Report, Table, View, age,
    mermaid::{Chart, Shape},
};
use crate::{
    api::{Hint, HintState},
    plugin::model::{
        SilentAgent,
        hints::{Hints, MissingTime},
        unix_ms,
    },
    text::Text,
};

impl Report for Hints {
    fn text(&self, view: &View) -> Text {
        self.list(view).render(view)
    }

    fn table(&self, view: &View) -> Option<Table> {
        Some(self.list(view))
    }

    fn mermaid(&self) -> Text {
        let mut chart = Chart::new("LR");
        for hint in &self.items {
            let subject = chart.node(&subject(hint), Shape::Round);
            let blamed = chart.node(&blame(hint), Shape::Box);
            chart.edge(blamed, subject, &hint.cause);
        }
        chart.text()
    }

    fn not_answered(&self) -> &[SilentAgent] {
        &self.not_answered
    }

    fn missing(&self) -> &[MissingTime] {
        &self.missing
    }
}

impl Hints {
    fn list(&self, view: &View) -> Table {
        let nothing = match (self.agents, self.not_answered.len()) {
            (agents, _) if self.between.is_some() => match self.missing.len() {
                0 => format!("No hints fired on {agents} Nodes in that time."),
                _ => format!("No recorded hints on {agents} Nodes in that time; some of it is not recorded."),
            },
            (agents, 0) => format!("No hints on {agents} Nodes."),
            (agents, silent) => {
                format!("No hints on {agents} Nodes; {silent} agents did not answer, so their Nodes are unknown.")
            }
        };
        let mut head = vec!["NAMESPACE", "SUBJECT", "NODE", "CAUSE", "BLAME", "SURE", "FOR", "SUMMARY"];
        if self.between.is_some() {
            head[6] = "WHEN";
        }
        if view.wide {
            head.insert(7, "SYMPTOM");
            head.push("ACTION");
        }
        let mut table = Table::new(&head, &nothing);
        for hint in &self.items {
            let resolved = hint.state == HintState::Resolved;
            let colour = if resolved { Colour::Grey } else { Colour::Red };
            let mut cells = vec![
                (hint.subject.namespace.clone(), None),
                (hint.subject.name.clone(), None),
                (hint.subject.node.clone(), None),
                (hint.cause.clone(), Some(colour)),
                (blame(hint), None),
                (format!("{:.0}%", hint.confidence * 100.0), None),
                (if self.between.is_some() { when(hint) } else { duration(hint, view.now_ms) }, None),
                (hint.summary.clone(), None),
            ];
            if view.wide {
                cells.insert(7, (hint.symptom.clone(), None));
                cells.push((hint.action.clone(), None));
            }
            table.coloured(cells);
        }
        table
    }
}

/// Duration of a firing hint, or the end of a resolved one.
fn duration(hint: &Hint, now_ms: i64) -> String {
    let since = |stamp: &str| unix_ms(stamp).map(|at| age(now_ms - at));
    match hint.state {
        HintState::Firing => since(&hint.first_seen).unwrap_or_default(),
        HintState::Resolved => since(&hint.last_seen).map(|age| format!("ended {age} ago")).unwrap_or_default(),
    }
}

/// Begin and end, UTC, of a hint of the past.
fn when(hint: &Hint) -> String {
    let clock = |stamp: &str| stamp.get(5..19).map_or_else(|| stamp.to_owned(), |time| time.replace('T', " "));
    match hint.state {
        HintState::Firing => format!("{}Z, lasts", clock(&hint.first_seen)),
        HintState::Resolved => format!("{}Z for {}", clock(&hint.first_seen), length(hint)),
    }
}

fn length(hint: &Hint) -> String {
    let [first, last] = [&hint.first_seen, &hint.last_seen].map(|stamp| unix_ms(stamp));
    first.zip(last).map(|(first, last)| age(last - first)).unwrap_or_default()
}

fn subject(hint: &Hint) -> String {
    if hint.subject.namespace.is_empty() {
        hint.subject.name.clone()
    } else {
        format!("{}/{}", hint.subject.namespace, hint.subject.name)
    }
}

fn blame(hint: &Hint) -> String {
    let kind = hint.blame.kind.label();
    match hint.blame.name.as_str() {
        "" => hint.blame.text(),
        name => format!("{kind} {name}"),
    }
}

/// A hint in one sentence with its subject.
pub fn one_line(hint: &Hint) -> String {
    format!("{} ({}, {:.0} % sure): {}", subject(hint), hint.cause, hint.confidence * 100.0, hint.summary)
}

/// A line of `hints -w`: time, state, hint.
pub fn change_line(hint: &Hint, view: &View) -> Text {
    let (mark, colour, stamp) = match hint.state {
        HintState::Firing => ("FIRING", Colour::Red, &hint.first_seen),
        HintState::Resolved => ("ENDED", Colour::Green, &hint.last_seen),
    };
    let mut out = Text::new(&format!("{}  ", stamp.get(11..19).unwrap_or(stamp)));
    out.append(&view.paint.colour(colour, &format!("{mark:<6}")));
    out.push(&format!("  {}", one_line(hint)));
    out
}

//! `top` as a report of one moment, for programs, files and pipes.

use super::{
    poll::ask_agents,
    state::{Column, Row},
};
use crate::{
    plugin::{
        Failure,
        fetch::Session,
        model::SilentAgent,
        render::{Chart, Colour, Report, Shape, Table, View},
    },
    text::Text,
};
use serde::Serialize;

/// Pods of all agents.
#[derive(Debug, Serialize)]
pub(in crate::plugin) struct List {
    /// Those with hints first, the surest ahead.
    items: Vec<Row>,
    /// Agents that answered.
    agents: usize,
    /// Agents that did not: the list is partial.
    not_answered: Vec<SilentAgent>,
}

/// Asks all agents once.
///
/// # Errors
/// When no agent answers.
pub(in crate::plugin) async fn list(session: &Session) -> Result<List, Failure> {
    // The report names its context itself.
    let session = Session { context: None, ..session.clone() };
    let answers = ask_agents(&session).await?;
    let agents = answers.got.len();
    let rows = answers.got.into_iter().flat_map(|(_, rows)| rows).collect();
    Ok(List::new(rows, agents, answers.silent))
}

impl List {
    fn new(mut items: Vec<Row>, agents: usize, not_answered: Vec<SilentAgent>) -> Self {
        items.sort_by(|a, b| {
            let by_name = || (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name));
            b.confidence.total_cmp(&a.confidence).then_with(by_name)
        });
        Self { items, agents, not_answered }
    }

    /// All columns, so that the lists of several contexts have the same ones.
    fn columns(&self) -> Table {
        let mut table =
            Table::new(&Column::ALL.map(|(_, name)| name), "No Pods in this namespace; -A shows all namespaces.");
        for row in &self.items {
            let colour = (!row.cause.is_empty()).then_some(Colour::Red);
            let of = |column: Column| colour.filter(|_| column == Column::Hint);
            let cells = row.cells().into_iter().zip(Column::ALL).map(|(cell, (column, _))| (cell, of(column)));
            table.coloured(cells.collect());
        }
        table
    }
}

impl Report for List {
    fn text(&self, view: &View) -> Text {
        self.columns().render(view)
    }

    fn table(&self, _: &View) -> Option<Table> {
        Some(self.columns())
    }

    fn mermaid(&self) -> Text {
        let mut chart = Chart::new("LR");
        for row in self.items.iter().filter(|row| !row.cause.is_empty()) {
            let on = chart.node(&row.node, Shape::Box);
            let pod = chart.node(&format!("{}/{}", row.namespace, row.name), Shape::Round);
            chart.edge(on, pod, &row.cause);
        }
        chart.text()
    }

    fn not_answered(&self) -> &[SilentAgent] {
        &self.not_answered
    }
}

#[cfg(test)]
mod tests;

//! Grafana dashboards, built from the metric table: a panel can't name a metric that doesn't exist.
//!
//! ```text
//! query → panel → row → board      overview · node · pod · agent: one dashboard each
//! PromQL  drawing  layout  JSON
//! ```
//! `cargo xtask docs` writes them to `charts/netwhy/dashboards`. They need no recording rule, so they also work without
//! the chart's PrometheusRule.
//!
//! Each dashboard begins with "is something wrong" and shows at most 16 panels. Details are in collapsed rows.

mod agent;
mod node;
mod overview;
mod panel;
mod pod;
mod query;
mod row;
mod standard;
#[cfg(test)]
mod tests;

pub use query::Error;

use panel::{Panel, Unit, datasource, link};
use query::{Scope, label_values};
use row::Row;
use serde_json::{Value, json};

/// The tag that all dashboards share, so that each links to the others.
const TAG: &str = "netwhy";

/// One dashboard.
struct Board {
    uid: &'static str,
    title: &'static str,
    description: &'static str,
    /// The labels that the reader can choose.
    scope: Scope,
    rows: Vec<Row>,
}

/// Path and text of every dashboard.
///
/// # Errors
/// When a query names something that the metric table doesn't have.
pub fn files() -> Result<Vec<(String, String)>, Error> {
    let boards = [overview::board()?, node::board()?, pod::board()?, agent::board()?];
    boards.iter().map(|board| Ok((format!("charts/netwhy/dashboards/{}.json", board.uid), text(board)?))).collect()
}

fn text(board: &Board) -> Result<String, Error> {
    // The alternate form prints one field per line.
    Ok(format!("{:#}\n", json(board)?))
}

fn json(board: &Board) -> Result<Value, Error> {
    Ok(json!({
        "uid": board.uid,
        "title": board.title,
        "description": board.description,
        "tags": [TAG],
        "schemaVersion": 39,
        "version": 1,
        "editable": true,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": { "from": "now-1h", "to": "now" },
        "timezone": "browser",
        "links": links(),
        "templating": { "list": variables(board.scope)? },
        "annotations": { "list": [annotation(board.scope)?] },
        "panels": row::layout(&board.rows),
    }))
}

/// Links to the other dashboards, with the same variables and time range, and to the documentation.
fn links() -> Value {
    json!([
        {
            "title": "netwhy", "type": "dashboards", "tags": [TAG], "icon": "external link", "tooltip": "",
            "asDropdown": false, "targetBlank": false, "includeVars": true, "keepTime": true,
        },
        link("Causes", "docs/hints.md"),
        link("Runbooks", "docs/runbooks/"),
    ])
}

fn variables(scope: Scope) -> Result<Value, Error> {
    let mut list = vec![json!({
        "name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "hide": 0,
        "includeAll": false, "multi": false, "options": [], "refresh": 1, "regex": "", "skipUrlSync": false,
    })];
    for (index, label) in scope.0.iter().enumerate() {
        // The choices of each variable are narrowed by the variables before it.
        let metric = if ["cluster", "node"].contains(label) {
            "netwhy_agent_build_info"
        } else {
            "netwhy_tcp_segments_sent_total"
        };
        let query = label_values(Scope(&scope.0[..index]), metric, label)?;
        list.push(json!({
            "name": label, "label": label, "type": "query", "datasource": datasource(), "hide": 0,
            "query": { "query": query, "refId": "A" }, "definition": query,
            // `.*` also matches series without the label: many scrapes add no `cluster`.
            "includeAll": true, "allValue": ".*", "multi": true, "current": { "text": ["All"], "value": ["$__all"] },
            "options": [], "refresh": 2, "regex": "", "sort": 1, "skipUrlSync": false,
        }));
    }
    Ok(list.into())
}

/// Firing hints, marked on the time axis.
fn annotation(scope: Scope) -> Result<Value, Error> {
    let hints =
        scope.of("netwhy_hint", &[])?.value("max", &["node", "namespace", "pod", "cause", "blame_kind", "blame"])?;
    Ok(json!({
        "name": "Hints", "enable": true, "hide": false, "iconColor": "orange", "datasource": datasource(),
        "expr": hints, "step": "30s", "titleFormat": "{{cause}}",
        "textFormat": "{{namespace}}/{{pod}} on {{node}}; to blame: {{blame_kind}} {{blame}}",
        "tagKeys": "cause,node", "useValueForTime": false,
    }))
}

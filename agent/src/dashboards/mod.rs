//! Grafana's dashboards, made from the metric table: no panel can name a metric that doesn't exist.
//!
//! ```text
//! query  PromQL out of the table    panel  what is drawn of it
//! overview · node · pod · agent     one dashboard each
//! ```
//! `cargo xtask docs` writes them to `charts/netwhy/dashboards`. They need no recording rule, so that they also work where
//! the chart's PrometheusRule is not installed.

mod agent;
mod node;
mod overview;
mod panel;
mod pod;
mod query;
#[cfg(test)]
mod tests;

pub use query::Error;

use panel::{Panel, Unit, datasource, link};
use query::{Scope, label_values};
use serde_json::{Value, json};

/// Panels stand on a grid of so many columns.
const COLUMNS: u64 = 24;
/// Shared by all, so that each links to the others.
const TAG: &str = "netwhy";

/// One dashboard.
struct Board {
    uid: &'static str,
    title: &'static str,
    about: &'static str,
    /// Labels that can be chosen.
    scope: Scope,
    /// Groups of panels with their headings.
    rows: Vec<(&'static str, Vec<Panel>)>,
}

/// Path and text of every dashboard.
///
/// # Errors
/// When a query asks for what the metric table doesn't have.
pub fn files() -> Result<Vec<(String, String)>, Error> {
    let boards = [overview::board()?, node::board()?, pod::board()?, agent::board()?];
    boards.iter().map(|board| Ok((format!("charts/netwhy/dashboards/{}.json", board.uid), text(board)?))).collect()
}

fn text(board: &Board) -> Result<String, Error> {
    // With the alternate form a value is printed in lines.
    Ok(format!("{:#}\n", json(board)?))
}

fn json(board: &Board) -> Result<Value, Error> {
    Ok(json!({
        "uid": board.uid,
        "title": board.title,
        "description": board.about,
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
        "panels": panels(&board.rows),
    }))
}

/// To the other dashboards, with what is chosen here; and to the pages that say what to do.
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
        // Each offers what is left by those before it.
        let metric = if ["cluster", "node"].contains(label) {
            "netwhy_agent_build_info"
        } else {
            "netwhy_tcp_segments_sent_total"
        };
        let query = label_values(Scope(&scope.0[..index]), metric, label)?;
        list.push(json!({
            "name": label, "label": label, "type": "query", "datasource": datasource(), "hide": 0,
            "query": { "query": query, "refId": "A" }, "definition": query,
            // All is everything, also where a label is missing: many clusters have no `cluster`.
            "includeAll": true, "allValue": ".*", "multi": true, "current": { "text": ["All"], "value": ["$__all"] },
            "options": [], "refresh": 2, "regex": "", "sort": 1, "skipUrlSync": false,
        }));
    }
    Ok(list.into())
}

/// Firing hints over the time axis.
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

fn panels(rows: &[(&str, Vec<Panel>)]) -> Value {
    let mut out = Vec::new();
    let (mut id, mut y) = (1, 0);
    for (heading, row) in rows {
        out.push(json!({
            "id": id, "type": "row", "title": heading, "collapsed": false, "panels": [],
            "gridPos": { "x": 0, "y": y, "w": COLUMNS, "h": 1 },
        }));
        id += 1;
        y += 1;
        let (mut x, mut height) = (0, 0);
        for panel in row {
            if x + panel.width > COLUMNS {
                y += height;
                (x, height) = (0, 0);
            }
            out.push(panel.json(id, (x, y)));
            id += 1;
            x += panel.width;
            height = height.max(panel.height);
        }
        y += height;
    }
    out.into()
}

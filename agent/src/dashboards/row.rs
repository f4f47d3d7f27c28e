//! Rows of panels, and their places on Grafana's grid.

use super::panel::Panel;
use serde_json::{Value, json};

/// Grafana's grid has this many columns.
pub(super) const COLUMNS: u64 = 24;

/// Panels below one heading.
pub(super) struct Row {
    title: &'static str,
    /// Collapsed rows hold their panels inside, hidden until the reader opens the row.
    collapsed: bool,
    panels: Vec<Panel>,
}

impl Row {
    /// A row whose panels are visible.
    pub(super) const fn open(title: &'static str, panels: Vec<Panel>) -> Self {
        Self { title, collapsed: false, panels }
    }

    /// A row that the reader opens for details.
    pub(super) const fn collapsed(title: &'static str, panels: Vec<Panel>) -> Self {
        Self { title, collapsed: true, panels }
    }
}

/// All rows from top to bottom, as Grafana stores them.
pub(super) fn layout(rows: &[Row]) -> Value {
    let mut out = Vec::new();
    let (mut id, mut y) = (1, 0);
    for row in rows {
        let (panels, bottom) = place(&row.panels, id + 1, y + 1);
        let (inside, after) = if row.collapsed { (panels, Vec::new()) } else { (Vec::new(), panels) };
        out.push(json!({
            "id": id, "type": "row", "title": row.title, "collapsed": row.collapsed, "panels": inside,
            "gridPos": { "x": 0, "y": y, "w": COLUMNS, "h": 1 },
        }));
        out.extend(after);
        id += 1 + row.panels.len() as u64;
        // Grafana moves the rows below down when the reader opens a collapsed row.
        y = if row.collapsed { y + 1 } else { bottom };
    }
    out.into()
}

/// Panels from left to right in as many lines as they need, and the first free grid line below them.
fn place(panels: &[Panel], first_id: u64, top: u64) -> (Vec<Value>, u64) {
    let (mut x, mut y, mut height) = (0, top, 0);
    let mut out = Vec::new();
    for (id, panel) in (first_id..).zip(panels) {
        if x + panel.width > COLUMNS {
            y += height;
            (x, height) = (0, 0);
        }
        out.push(panel.json(id, (x, y)));
        x += panel.width;
        height = height.max(panel.height);
    }
    (out, y + height)
}

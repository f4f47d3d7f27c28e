//! Panels: queries and how Grafana draws them.

use serde_json::{Value, json};

/// Units of Grafana.
#[derive(Clone, Copy, Debug)]
pub(super) enum Unit {
    Seconds,
    Bytes,
    BytesPerSecond,
    /// 0 … 1, shown in percent.
    Share,
    PerSecond,
    Count,
    Date,
}

impl Unit {
    const fn grafana(self) -> &'static str {
        match self {
            Self::Seconds => "s",
            Self::Bytes => "bytes",
            Self::BytesPerSecond => "Bps",
            Self::Share => "percentunit",
            Self::PerSecond => "cps",
            Self::Count => "short",
            Self::Date => "dateTimeFromNow",
        }
    }
}

/// One panel.
#[derive(Clone, Debug)]
pub(super) struct Panel {
    title: String,
    description: String,
    kind: Kind,
    unit: Unit,
    /// Expression and legend.
    targets: Vec<(String, String)>,
    /// Values from which the panel turns yellow, and red.
    thresholds: Option<(f64, f64)>,
    runbook: Option<&'static str>,
    /// Table columns with a link: column, title of the link, URL.
    column_links: Vec<(&'static str, &'static str, &'static str)>,
    /// Table columns whose unit differs from the panel's.
    column_units: Vec<(String, Unit)>,
    pub(super) width: u64,
    pub(super) height: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    TimeSeries,
    /// Series on top of each other: parts of a whole.
    Stacked,
    Stat,
    Table,
    /// A table of rows by columns, colored by value.
    Matrix {
        row: &'static str,
        column: &'static str,
    },
    /// Buckets over time.
    HeatMap,
}

impl Panel {
    fn new(kind: Kind, title: &str, unit: Unit, (width, height): (u64, u64)) -> Self {
        Self {
            title: title.to_owned(),
            description: String::new(),
            kind,
            unit,
            targets: Vec::new(),
            thresholds: None,
            runbook: None,
            column_links: Vec::new(),
            column_units: Vec::new(),
            width,
            height,
        }
    }

    pub(super) fn lines(title: &str, unit: Unit) -> Self {
        Self::new(Kind::TimeSeries, title, unit, (12, 8))
    }

    pub(super) fn stacked(title: &str, unit: Unit) -> Self {
        Self::new(Kind::Stacked, title, unit, (12, 8))
    }

    pub(super) fn stat(title: &str, unit: Unit) -> Self {
        Self::new(Kind::Stat, title, unit, (6, 4))
    }

    pub(super) fn table(title: &str, unit: Unit) -> Self {
        Self::new(Kind::Table, title, unit, (12, 10))
    }

    pub(super) fn matrix(title: &str, unit: Unit, row: &'static str, column: &'static str) -> Self {
        Self::new(Kind::Matrix { row, column }, title, unit, (12, 12))
    }

    pub(super) fn heat_map(title: &str) -> Self {
        Self::new(Kind::HeatMap, title, Unit::Seconds, (12, 8))
    }

    /// Adds a query; `legend` names its series, or its column in a table.
    pub(super) fn query(mut self, expression: String, legend: &str) -> Self {
        self.targets.push((expression, legend.to_owned()));
        self
    }

    pub(super) fn description(mut self, text: &str) -> Self {
        text.clone_into(&mut self.description);
        self
    }

    pub(super) const fn thresholds(mut self, yellow: f64, red: f64) -> Self {
        self.thresholds = Some((yellow, red));
        self
    }

    /// Links to the runbook of an alert.
    pub(super) const fn runbook(mut self, alert: &'static str) -> Self {
        self.runbook = Some(alert);
        self
    }

    pub(super) fn column_link(mut self, column: &'static str, title: &'static str, url: &'static str) -> Self {
        self.column_links.push((column, title, url));
        self
    }

    /// Sets the unit of one table column, named by the legend of its query.
    pub(super) fn column_unit(mut self, legend: &str, unit: Unit) -> Self {
        self.column_units.push((legend.to_owned(), unit));
        self
    }

    pub(super) const fn wide(mut self) -> Self {
        self.width = 24;
        self
    }

    /// The panel as Grafana stores it.
    pub(super) fn json(&self, id: u64, (x, y): (u64, u64)) -> Value {
        let steps = match self.thresholds {
            Some((yellow, red)) => json!([
                { "color": "green", "value": null },
                { "color": "yellow", "value": yellow },
                { "color": "red", "value": red },
            ]),
            None => json!([{ "color": "green", "value": null }]),
        };
        let mut panel = json!({
            "id": id,
            "title": self.title,
            "type": self.kind.grafana(),
            "gridPos": { "x": x, "y": y, "w": self.width, "h": self.height },
            "datasource": datasource(),
            "targets": self.targets(),
            "fieldConfig": {
                "defaults": {
                    "unit": self.unit.grafana(),
                    "thresholds": { "mode": "absolute", "steps": steps },
                    "color": { "mode": if self.colored() { "thresholds" } else { "palette-classic" } },
                    "custom": self.custom(),
                },
                "overrides": self.overrides(),
            },
            "options": self.options(),
            "transformations": self.transformations(),
        });
        if !self.description.is_empty() {
            panel["description"] = self.description.clone().into();
        }
        if let Some(alert) = self.runbook {
            panel["links"] = json!([link(&format!("Runbook: {alert}"), &format!("docs/runbooks/{alert}.md"))]);
        }
        panel
    }

    const fn colored(&self) -> bool {
        !matches!(self.kind, Kind::TimeSeries | Kind::Stacked)
    }

    fn targets(&self) -> Value {
        let tabular = matches!(self.kind, Kind::Table | Kind::Matrix { .. });
        let instant = tabular || self.kind == Kind::Stat;
        let format = match self.kind {
            Kind::Table | Kind::Matrix { .. } => "table",
            Kind::HeatMap => "heatmap",
            Kind::TimeSeries | Kind::Stacked | Kind::Stat => "time_series",
        };
        let one = |(index, (expression, legend)): (usize, &(String, String))| {
            json!({
                "refId": ref_id(index),
                "datasource": datasource(),
                "expr": expression,
                "legendFormat": if tabular { "__auto" } else { legend.as_str() },
                "format": format,
                "instant": instant,
                "range": !instant,
            })
        };
        self.targets.iter().enumerate().map(one).collect()
    }

    fn custom(&self) -> Value {
        match self.kind {
            Kind::TimeSeries => json!({
                "drawStyle": "line", "lineWidth": 1, "fillOpacity": 10, "showPoints": "never", "spanNulls": false,
                "thresholdsStyle": { "mode": if self.thresholds.is_some() { "dashed" } else { "off" } },
            }),
            Kind::Stacked => json!({
                "drawStyle": "line", "lineWidth": 0, "fillOpacity": 70, "showPoints": "never", "spanNulls": false,
                "stacking": { "mode": "normal", "group": "A" }, "thresholdsStyle": { "mode": "off" },
            }),
            Kind::Matrix { .. } => json!({ "cellOptions": { "type": "color-background", "mode": "basic" } }),
            Kind::Table => json!({ "filterable": true }),
            Kind::Stat | Kind::HeatMap => json!({}),
        }
    }

    fn options(&self) -> Value {
        match self.kind {
            Kind::TimeSeries | Kind::Stacked => json!({
                "legend": {
                    "displayMode": "table", "placement": "bottom", "showLegend": true, "calcs": ["lastNotNull", "max"],
                },
                "tooltip": { "mode": "multi", "sort": "desc" },
            }),
            Kind::Stat => json!({
                "reduceOptions": { "calcs": ["lastNotNull"], "fields": "", "values": false },
                "colorMode": "background", "graphMode": "none", "justifyMode": "auto",
                "orientation": "auto", "textMode": "auto", "wideLayout": true,
            }),
            Kind::Table | Kind::Matrix { .. } => json!({ "showHeader": true, "cellHeight": "sm" }),
            Kind::HeatMap => json!({
                "calculate": false,
                "color": { "mode": "scheme", "scheme": "Turbo", "steps": 64, "scale": "exponential", "exponent": 0.5,
                           "fill": "dark-orange", "reverse": false },
                "yAxis": { "unit": "s", "axisPlacement": "left" },
                "cellGap": 1,
                "tooltip": { "mode": "single", "showColorScale": true, "yHistogram": true },
                "legend": { "show": true },
                "rowsFrame": { "layout": "auto" },
                "exemplars": { "color": "orange" },
                "filterValues": { "le": 1e-9 },
            }),
        }
    }

    /// Units and links of a table's columns.
    fn overrides(&self) -> Value {
        let links = self.column_links.iter().map(|(column, title, url)| {
            let links = json!([{ "title": title, "url": url, "targetBlank": false }]);
            column_override(column, "links", links)
        });
        let units =
            self.column_units.iter().map(|(column, unit)| column_override(column, "unit", unit.grafana().into()));
        links.chain(units).collect()
    }

    fn transformations(&self) -> Value {
        match self.kind {
            Kind::Matrix { row, column } => json!([{
                "id": "groupingToMatrix",
                "options": { "rowField": row, "columnField": column, "valueField": "Value", "emptyValue": "null" },
            }]),
            Kind::Table => {
                // One query has its values in `Value`, several have them in `Value #A` and so on.
                let several = self.targets.len() > 1;
                let column = |index: usize| {
                    if several { format!("Value #{}", ref_id(index)) } else { "Value".to_owned() }
                };
                let names: serde_json::Map<String, Value> = (self.targets.iter().enumerate())
                    .map(|(i, (_, legend))| (column(i), legend.clone().into()))
                    .collect();
                json!([
                    { "id": "merge", "options": {} },
                    {
                        "id": "organize",
                        "options": { "excludeByName": { "Time": true }, "indexByName": {}, "renameByName": names },
                    },
                ])
            }
            Kind::TimeSeries | Kind::Stacked | Kind::Stat | Kind::HeatMap => json!([]),
        }
    }
}

impl Kind {
    const fn grafana(self) -> &'static str {
        match self {
            Self::TimeSeries | Self::Stacked => "timeseries",
            Self::Stat => "stat",
            Self::Table | Self::Matrix { .. } => "table",
            Self::HeatMap => "heatmap",
        }
    }
}

/// Sets one property of the column with this name.
fn column_override(column: &str, property: &str, value: Value) -> Value {
    json!({
        "matcher": { "id": "byName", "options": column },
        "properties": [{ "id": property, "value": value }],
    })
}

/// The data source that the reader chose in the dashboard.
pub(super) fn datasource() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

/// A link to a documentation page.
pub(super) fn link(title: &str, url: &str) -> Value {
    json!({
        "title": title, "url": url, "type": "link", "icon": "doc", "tooltip": "", "tags": [],
        "asDropdown": false, "targetBlank": true, "includeVars": false, "keepTime": false,
    })
}

/// `A`, `B`, …
fn ref_id(index: usize) -> char {
    u8::try_from(index).map_or('Z', |index| char::from(b'A' + index.min(25)))
}

//! The standard panel of one metric: one line per Node and label value, with the unit that the metric table declares.

use super::{Error, Panel, Scope, Unit};
use crate::metrics::{BaseUnit, Kind, MetricDef};

impl Scope {
    /// A panel of one metric with all its labels: the rate of a counter, the value of a gauge, the p99 of a histogram.
    pub(super) fn panel(self, title: &str, name: &str) -> Result<Panel, Error> {
        let series = self.of(name, &[])?;
        let by = labels(series.metric());
        let panel = Panel::lines(title, unit(series.metric()));
        Ok(match series.metric().kind {
            Kind::Counter => panel.query(series.rate(&by)?, &legend(&by)),
            Kind::Gauge => panel.query(series.value("max", &by)?, &legend(&by)),
            Kind::Histogram => panel.query(series.quantile(0.99, &by)?, &format!("p99 {}", legend(&by))),
        })
    }

    /// A table of a gauge that is always 1: its labels are the content.
    pub(super) fn info_table(self, title: &str, name: &str, column: &str) -> Result<Panel, Error> {
        let series = self.of(name, &[])?;
        let by = labels(series.metric());
        Ok(Panel::table(title, Unit::Count).query(series.value("max", &by)?, column))
    }
}

/// `{{a}} {{b}}`: the values of these labels.
pub(super) fn legend(by: &[&str]) -> String {
    by.iter().map(|label| format!("{{{{{label}}}}}")).collect::<Vec<_>>().join(" ")
}

fn labels(metric: &MetricDef) -> Vec<&'static str> {
    ["node"].into_iter().chain(metric.labels.iter().map(|label| label.name)).collect()
}

const fn unit(metric: &MetricDef) -> Unit {
    match (metric.kind, metric.unit) {
        (Kind::Counter, None) => Unit::PerSecond,
        (Kind::Counter, Some(BaseUnit::Seconds)) => Unit::Share,
        (Kind::Counter, Some(BaseUnit::Bytes)) => Unit::BytesPerSecond,
        (_, None) => Unit::Count,
        (_, Some(BaseUnit::Seconds)) => Unit::Seconds,
        (_, Some(BaseUnit::Bytes)) => Unit::Bytes,
    }
}

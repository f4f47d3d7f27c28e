//! Exposition formats, and the choice by `Accept`.

/// Media type of protobuf.
const PROTOBUF: &str = "application/vnd.google.protobuf";
/// Media type of OpenMetrics.
const OPENMETRICS: &str = "application/openmetrics-text";
/// Message that a protobuf exposition consists of.
const MESSAGE: &str = "io.prometheus.client.MetricFamily";

/// Exposition formats; those that hold more come later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// Prometheus text 0.0.4.
    Prometheus,
    /// OpenMetrics text 1.0.0.
    OpenMetrics,
    /// Delimited protobuf messages `io.prometheus.client.MetricFamily`, with native histograms.
    Protobuf,
}

impl Format {
    /// The format that an `Accept` header prefers. Of equal ones the one that holds most. Prometheus text when the
    /// header names no format of these.
    pub fn from_accept(accept: Option<&str>) -> Self {
        let ranges = accept.unwrap_or_default().split(',').filter_map(media_range);
        ranges.max().map_or(Self::Prometheus, |(_, format)| format)
    }

    /// Value of the `Content-Type` header.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Protobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            }
        }
    }
}

/// Quality in thousandths, and format, of one media range. `None`: refused, or no format of these.
fn media_range(range: &str) -> Option<(u16, Format)> {
    let mut parts = range.split(';').map(str::trim);
    let media = parts.next()?.to_ascii_lowercase();
    let pairs = parts.filter_map(|part| part.split_once('='));
    let parameters: Vec<(String, &str)> =
        pairs.map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().trim_matches('"'))).collect();
    let parameter = |name: &str| parameters.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
    let format = match media.as_str() {
        // Protobuf says little without its message; other encodings of it are not for scrapes.
        PROTOBUF if (parameter("proto"), parameter("encoding")) == (Some(MESSAGE), Some("delimited")) => {
            Format::Protobuf
        }
        OPENMETRICS => Format::OpenMetrics,
        "text/plain" | "text/*" | "*/*" => Format::Prometheus,
        _ => return None,
    };
    let quality: f32 = parameter("q").map_or(Some(1.0), |q| q.parse().ok())?;
    let thousandths = (quality.clamp(0.0, 1.0) * 1000.0).round() as u16;
    (thousandths > 0).then_some((thousandths, format))
}

#[cfg(test)]
mod tests;

//! Reads the answer of a Prometheus within bounds, whatever it sends.

use crate::plugin::Failure;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Body;
use serde::{Deserialize, Deserializer, de::Error as _};
use std::{borrow::Cow, fmt::Display};

/// Longest accepted answer, bytes.
const MAX_BYTES: usize = 8 << 20;
/// Most series in an answer. Each may have one object of labels beside it, and the answer has some of its own.
const MAX_SERIES: usize = 10_000;
/// Longest label that is kept, characters. Longer ones are cut: no name of Kubernetes is as long.
const MAX_LABEL: usize = 512;

/// What an answer must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// A sample per series.
    Vector,
    /// Samples of a range.
    Matrix,
}

/// One series.
#[derive(Debug, PartialEq)]
pub(crate) struct Series {
    /// Its labels.
    pub(crate) labels: Labels,
    /// Seconds since the Unix epoch, and value, in the order of the answer.
    pub(crate) samples: Vec<(f64, f64)>,
}

/// The labels that are of use here. A missing one is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(default)]
pub(crate) struct Labels {
    #[serde(deserialize_with = "label")]
    pub(crate) cluster: String,
    #[serde(deserialize_with = "label")]
    pub(crate) node: String,
    #[serde(deserialize_with = "label")]
    pub(crate) instance: String,
    #[serde(deserialize_with = "label")]
    pub(crate) namespace: String,
    #[serde(deserialize_with = "label")]
    pub(crate) pod: String,
    #[serde(deserialize_with = "label")]
    pub(crate) workload: String,
    #[serde(deserialize_with = "label")]
    pub(crate) cause: String,
    #[serde(deserialize_with = "label")]
    pub(crate) blame_kind: String,
    #[serde(deserialize_with = "label")]
    pub(crate) blame: String,
    #[serde(deserialize_with = "label")]
    pub(crate) map: String,
}

impl Labels {
    /// The Node, else the scraped address.
    pub(crate) fn place(&self) -> &str {
        if self.node.is_empty() { &self.instance } else { &self.node }
    }
}

#[derive(Deserialize)]
struct Reply {
    status: String,
    #[serde(default)]
    error: String,
    data: Option<Data>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: String,
    #[serde(default)]
    result: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    metric: Labels,
    #[serde(default)]
    values: Vec<Sample>,
    value: Option<Sample>,
}

#[derive(Deserialize)]
struct Sample(f64, #[serde(deserialize_with = "number")] f64);

/// Reads the whole answer.
///
/// # Errors
/// When it is too large, incomplete, or no answer of a Prometheus.
pub(super) async fn read<B>(body: B, wanted: Wanted) -> Result<Vec<Series>, Failure>
where
    B: Body<Data = Bytes>,
    B::Error: Display,
{
    let mut bytes: Vec<u8> = Vec::new();
    let mut body = std::pin::pin!(body);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Failure::new(format!("the answer is incomplete: {error}"), "try again"))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > MAX_BYTES {
            return Err(too_large(&format!("{} MiB", MAX_BYTES >> 20)));
        }
        bytes.extend_from_slice(&data);
    }
    parse(&bytes, wanted)
}

fn too_large(limit: &str) -> Failure {
    Failure::new(format!("the answer is longer than {limit}"), "name a namespace with -n, or ask for a shorter time")
}

/// The series of an answer.
///
/// # Errors
/// As [`read`].
pub(super) fn parse(bytes: &[u8], wanted: Wanted) -> Result<Vec<Series>, Failure> {
    // A series takes more memory than its text.
    let objects = bytes.iter().filter(|byte| **byte == b'{').count();
    if objects > 2 * MAX_SERIES + 2 {
        return Err(too_large(&format!("{MAX_SERIES} series")));
    }
    let remedy = "check that --prometheus is the URL of a Prometheus";
    let reply: Reply = serde_json::from_slice(bytes)
        .map_err(|error| Failure::new(format!("no answer of a Prometheus: {error}"), remedy))?;
    let data = match (reply.status.as_str(), reply.data) {
        ("success", Some(data)) => data,
        _ => {
            let why: String = reply.error.chars().take(300).collect();
            return Err(Failure::new(format!("it refuses the query: {why}"), ""));
        }
    };
    let kind = match wanted {
        Wanted::Vector => "vector",
        Wanted::Matrix => "matrix",
    };
    if data.result_type != kind {
        return Err(Failure::new(format!("no answer of a Prometheus: not a {kind}"), remedy));
    }
    let series = data.result.into_iter().map(|Row { metric, values, value }| Series {
        labels: metric,
        samples: values.into_iter().chain(value).map(|Sample(at, value)| (at, value)).collect(),
    });
    Ok(series.collect())
}

/// A sample's value, which JSON has as a text: `NaN` and `+Inf` are some too.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let text = Cow::<'de, str>::deserialize(deserializer)?;
    text.parse().map_err(|_| D::Error::custom("a sample is no number"))
}

fn label<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.len() <= MAX_LABEL {
        return Ok(text);
    }
    Ok(text.chars().take(MAX_LABEL).collect())
}

#[cfg(test)]
mod tests;

//! Annotates alerts of an Alertmanager.
//!
//! Alertmanager has no request that changes an alert. It takes an alert with known labels as a newer version of the
//! same alert, whose annotations replace the older one's. So this sends the present version back with one annotation
//! more. Without an end in it, the alert ends no earlier than before, and at most `resolve_timeout` from now on.
//! Prometheus' next version, after its `--rules.alert.resend-delay`, replaces all of it again.

use super::webhook::Labels;
use crate::plugin::connect::{Asked, Web};
use hyper::Method;
use serde::Deserialize;
use serde_json::json;
use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

/// Time for one request.
const LIMIT: Duration = Duration::from_secs(5);
/// Name of the annotation.
const ANNOTATION: &str = "netwhy";
const ALERTS: &str = "/api/v2/alerts";
const JSON: &str = "application/json";

/// One Alertmanager.
#[derive(Clone)]
pub(super) struct Alertmanager {
    web: Web,
    /// Begin of its paths (`--web.route-prefix`).
    prefix: String,
}

/// An alert as Alertmanager has it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Known {
    labels: Labels,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    starts_at: String,
    #[serde(default, rename = "generatorURL")]
    generator_url: String,
}

impl Alertmanager {
    pub(super) fn new(web: Web) -> Self {
        let prefix = web.path().split('?').next().unwrap_or_default().trim_end_matches('/').to_owned();
        Self { web, prefix }
    }

    /// Host and port.
    pub(super) fn place(&self) -> &str {
        self.web.place()
    }

    /// Adds the annotation to the alert with these labels. False: it does not fire any more.
    ///
    /// # Errors
    /// The reason on one line.
    pub(super) async fn annotate(&self, labels: &Labels, text: &str) -> Result<bool, String> {
        let Some(known) = self.known(labels).await? else { return Ok(false) };
        let mut annotations = known.annotations;
        annotations.insert(ANNOTATION.to_owned(), text.to_owned());
        let mut alert = json!({"labels": labels, "annotations": annotations, "startsAt": known.starts_at});
        // An empty text is no URL to Alertmanager.
        if !known.generator_url.is_empty() {
            alert["generatorURL"] = known.generator_url.into();
        }
        let path = format!("{}{ALERTS}", self.prefix);
        let asked = Asked { method: Method::POST, path: &path, kind: JSON, body: json!([alert]).to_string() };
        let reply = self.web.ask(asked, LIMIT).await?;
        if reply.status.is_success() { Ok(true) } else { Err(reply.refusal(self.place())) }
    }

    /// The present version. `None`: the alert is over.
    async fn known(&self, labels: &Labels) -> Result<Option<Known>, String> {
        let path = format!("{}{ALERTS}{}", self.prefix, query(labels));
        let asked = Asked { method: Method::GET, path: &path, kind: JSON, body: String::new() };
        let reply = self.web.ask(asked, LIMIT).await?;
        if !reply.status.is_success() {
            return Err(reply.refusal(self.place()));
        }
        let all: Vec<Known> = serde_json::from_slice(&reply.body)
            .map_err(|error| format!("{}: not a list of alerts: {error}", self.place()))?;
        Ok(all.into_iter().find(|known| known.labels == *labels))
    }
}

/// Matchers of all labels with classic names. Others would need a newer syntax, and the caller compares all labels.
fn query(labels: &Labels) -> String {
    let is_classic = |name: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        !name.starts_with(|c: char| c.is_ascii_digit()) && !name.is_empty() && name.chars().all(plain)
    };
    let mut out = String::new();
    for (name, value) in labels.iter().filter(|(name, _)| is_classic(name)) {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        out.push(if out.is_empty() { '?' } else { '&' });
        out.push_str("filter=");
        out.push_str(&encoded(&format!("{name}=\"{value}\"")));
    }
    out
}

/// Percent-encoded, for a query.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            // Writing to a String can't fail.
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests;

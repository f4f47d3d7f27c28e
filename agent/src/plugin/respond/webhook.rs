//! What Alertmanager sends: version 4 of its webhook. All of it is foreign text.

use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// The version of the format.
const VERSION: &str = "4";
/// Longest labels of an alert that is looked up, bytes.
pub(super) const MAX_LABELS: usize = 4096;

/// Labels of an alert.
pub(super) type Labels = BTreeMap<String, String>;

/// One request: the alerts of a group.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Delivery {
    version: String,
    /// Identifies the group and its route.
    #[serde(default)]
    pub(super) group_key: String,
    #[serde(default)]
    pub(super) alerts: Vec<Alert>,
    /// Alerts that Alertmanager left out: `max_alerts` of its configuration.
    #[serde(default)]
    pub(super) truncated_alerts: u64,
}

/// One alert.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Alert {
    #[serde(default)]
    status: String,
    #[serde(default)]
    pub(super) labels: Labels,
    /// RFC 3339.
    #[serde(default)]
    starts_at: String,
    /// Of the labels.
    #[serde(default)]
    fingerprint: String,
}

/// Identity of an alert within its group.
pub(super) type Key = [u8; 32];

/// Reads a request's body.
///
/// # Errors
/// Text that is something else, or another version.
pub(super) fn read(body: &[u8]) -> Result<Delivery, String> {
    let delivery: Delivery =
        serde_json::from_slice(body).map_err(|error| format!("not a webhook of Alertmanager: {error}"))?;
    if delivery.version == VERSION {
        return Ok(delivery);
    }
    let version: String = delivery.version.chars().take(20).collect();
    Err(format!("webhook of version {version:?}: only version {VERSION} is known"))
}

impl Alert {
    /// False: it is over.
    pub(super) fn fires(&self) -> bool {
        self.status != "resolved"
    }

    /// False: its labels are too long to be kept.
    pub(super) fn is_bounded(&self) -> bool {
        self.labels.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() <= MAX_LABELS
    }

    /// Its identity. An Alertmanager that sends no fingerprint is known by the labels.
    pub(super) fn key(&self, group: &str) -> Key {
        let mut hash = Sha256::new();
        let mut add = |text: &str| {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        };
        add(group);
        add(&self.fingerprint);
        if self.fingerprint.is_empty() {
            self.labels.iter().flat_map(|(name, value)| [name, value]).for_each(|text| add(text));
        }
        hash.finalize().into()
    }

    /// Identity of this firing: an alert that comes back began later.
    pub(super) fn begin(&self) -> Key {
        Sha256::digest(&self.starts_at).into()
    }

    /// Its name and severity.
    pub(super) fn title(&self) -> String {
        let label = |name: &str| self.labels.get(name).map_or("", String::as_str);
        match (label("alertname"), label("severity")) {
            ("", _) => "an alert without a name".to_owned(),
            (name, "") => name.to_owned(),
            (name, severity) => format!("{name} ({severity})"),
        }
    }
}

#[cfg(test)]
pub(super) mod tests;

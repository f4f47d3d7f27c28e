//! Status of a watch of the API server.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Status of one watch. Counters are cumulative since the agent's start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WatchStatus {
    /// Resource: `pods`, `nodes`, `endpointslices` or `events`.
    pub name: String,
    /// True once a whole list was received.
    pub complete: bool,
    /// Objects known.
    pub objects: u64,
    /// Changes received.
    pub changes: u64,
    /// Lists received in full.
    pub lists: u64,
    /// Failures by kind, such as `forbidden` or `unreachable`.
    pub errors: BTreeMap<String, u64>,
    /// The newest failure and its remedy. `None`: a request has succeeded since.
    #[serde(rename = "trouble")]
    pub last_error: Option<String>,
    /// Time since the last response of the API server, s. `None`: there was none.
    pub age_seconds: Option<f64>,
}

//! A Service with its EndpointSlices, Pods and Nodes, their owners, and finalizers that block a deletion.

use super::SilentAgent;
use serde::Serialize;

/// The report of `topology`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Topology {
    /// All objects, depth first, beginning with the Service.
    pub steps: Vec<Step>,
    /// Objects that could not be read.
    pub unknown: Vec<String>,
    /// Agents that did not answer.
    pub not_answered: Vec<SilentAgent>,
}

/// One object.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Step {
    /// 0 for the Service, 1 for its slices …
    pub depth: usize,
    /// `EndpointSlice`
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Health.
    pub health: StepHealth,
    /// Status in one line.
    #[serde(rename = "says")]
    pub summary: String,
    /// Owners, nearest first, such as `ReplicaSet/payment-7c9`.
    pub owners: Vec<String>,
    /// Finalizers that block its deletion; empty if it is not being deleted.
    #[serde(rename = "held_by")]
    pub finalizers: Vec<String>,
}

/// Health of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepHealth {
    /// All members are healthy.
    Well,
    /// Unknown.
    #[default]
    Unknown,
    /// Some members are healthy.
    Degraded,
    /// No member is healthy.
    Broken,
}

impl StepHealth {
    /// One word.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Well => "ok",
            Self::Unknown => "unknown",
            Self::Degraded => "degraded",
            Self::Broken => "broken",
        }
    }
}

/// Health of a group from the number of healthy members.
pub fn share(healthy: usize, all: usize) -> StepHealth {
    match (healthy, all) {
        (_, 0) => StepHealth::Broken,
        (healthy, all) if healthy == all => StepHealth::Well,
        (0, _) => StepHealth::Broken,
        _ => StepHealth::Degraded,
    }
}

#[cfg(test)]
pub(crate) mod tests;

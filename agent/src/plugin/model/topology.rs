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
pub(crate) mod tests {
    use super::*;

    pub(crate) fn topology() -> Topology {
        let step = |depth, kind: &str, name: &str, health, summary: &str| Step {
            depth,
            kind: kind.into(),
            name: name.into(),
            health,
            summary: summary.into(),
            ..Step::default()
        };
        let mut pod = step(2, "Pod", "payment-1", StepHealth::Well, "Running, 1 of 1 containers ready, 0 restarts");
        pod.owners = vec!["ReplicaSet/payment-7c9".into(), "Deployment/payment".into()];
        let mut deleted = step(2, "Pod", "payment-2", StepHealth::Broken, "path_loss: payment-2 loses packets");
        deleted.finalizers = vec!["example.com/backup".into()];
        Topology {
            steps: vec![
                step(0, "Service", "payment", StepHealth::Degraded, "ClusterIP 10.96.0.7, port 80/TCP → 8080"),
                step(1, "EndpointSlice", "payment-x2x", StepHealth::Degraded, "1 of 2 endpoints ready, 1 terminating"),
                pod,
                step(3, "Node", "node-a", StepHealth::Well, "Ready"),
                deleted,
                step(3, "Node", "node-b", StepHealth::Broken, "NotReady: kubelet stopped posting node status"),
            ],
            unknown: vec!["agents: not asked".into()],
            not_answered: vec![],
        }
    }

    #[test]
    fn the_health_of_a_group_comes_from_its_members() {
        assert_eq!(
            [share(0, 0), share(2, 2), share(1, 2), share(0, 2)],
            [StepHealth::Broken, StepHealth::Well, StepHealth::Degraded, StepHealth::Broken]
        );
    }
}

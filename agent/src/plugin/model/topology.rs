//! Service → EndpointSlice → Pod → Node, owners upwards, and what holds a deletion.

use super::Silent;
use serde::Serialize;

/// What `topology` shows.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Topology {
    /// The Service first, then in depth-first order.
    pub steps: Vec<Step>,
    /// What could not be read.
    pub unknown: Vec<String>,
    /// Agents that did not answer.
    pub not_answered: Vec<Silent>,
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
    /// How it is.
    pub health: StepHealth,
    /// One line.
    pub says: String,
    /// Controllers, from the nearest up, such as `ReplicaSet/payment-7c9`.
    pub owners: Vec<String>,
    /// Finalizers that keep it although it was deleted; empty when it was not.
    pub held_by: Vec<String>,
}

/// Health of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepHealth {
    /// As it should be.
    Well,
    /// Not known.
    #[default]
    Unknown,
    /// In part.
    Degraded,
    /// Not at all.
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

/// Health of a group from its members: all well, none well, or between.
pub fn share(well: usize, all: usize) -> StepHealth {
    match (well, all) {
        (_, 0) => StepHealth::Broken,
        (well, all) if well == all => StepHealth::Well,
        (0, _) => StepHealth::Broken,
        _ => StepHealth::Degraded,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn topology() -> Topology {
        let step = |depth, kind: &str, name: &str, health, says: &str| Step {
            depth,
            kind: kind.into(),
            name: name.into(),
            health,
            says: says.into(),
            ..Step::default()
        };
        let mut pod = step(2, "Pod", "payment-1", StepHealth::Well, "Running, 1 of 1 containers ready, 0 restarts");
        pod.owners = vec!["ReplicaSet/payment-7c9".into(), "Deployment/payment".into()];
        let mut going = step(2, "Pod", "payment-2", StepHealth::Broken, "path_loss: payment-2 loses packets");
        going.held_by = vec!["example.com/backup".into()];
        Topology {
            steps: vec![
                step(0, "Service", "payment", StepHealth::Degraded, "ClusterIP 10.96.0.7, port 80/TCP → 8080"),
                step(1, "EndpointSlice", "payment-x2x", StepHealth::Degraded, "1 of 2 endpoints ready, 1 terminating"),
                pod,
                step(3, "Node", "node-a", StepHealth::Well, "Ready"),
                going,
                step(3, "Node", "node-b", StepHealth::Broken, "NotReady: kubelet stopped posting node status"),
            ],
            unknown: vec!["agents: not asked".into()],
            not_answered: vec![],
        }
    }

    #[test]
    fn a_group_is_as_well_as_its_members() {
        assert_eq!(
            [share(0, 0), share(2, 2), share(1, 2), share(0, 2)],
            [StepHealth::Broken, StepHealth::Well, StepHealth::Degraded, StepHealth::Broken]
        );
    }
}

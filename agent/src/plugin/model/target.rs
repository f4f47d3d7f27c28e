//! The target of a command.

use serde::Serialize;
use std::{fmt, str::FromStr};

/// Kinds of targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Kind {
    /// One Pod; without Kubernetes a container or unit.
    Pod,
    /// All Pods of a Deployment.
    Deployment,
    /// All Pods of a StatefulSet.
    StatefulSet,
    /// All Pods of a DaemonSet.
    DaemonSet,
    /// All Pods of a Job.
    Job,
    /// All Pods behind a Service.
    Service,
    /// A Node and its Pods.
    Node,
}

/// Names of kinds as in kubectl: singular, plural, short.
const NAMES: [(Kind, &[&str]); 7] = [
    (Kind::Pod, &["pod", "pods", "po"]),
    (Kind::Deployment, &["deployment", "deployments", "deploy"]),
    (Kind::StatefulSet, &["statefulset", "statefulsets", "sts"]),
    (Kind::DaemonSet, &["daemonset", "daemonsets", "ds"]),
    (Kind::Job, &["job", "jobs"]),
    (Kind::Service, &["service", "services", "svc"]),
    (Kind::Node, &["node", "nodes", "no"]),
];

impl Kind {
    /// Name in the API.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Pod => "Pod",
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
            Self::Job => "Job",
            Self::Service => "Service",
            Self::Node => "Node",
        }
    }

    /// Name of its collection in the API, and the API group with its version.
    pub const fn api(self) -> (&'static str, &'static str) {
        match self {
            Self::Pod => ("pods", "v1"),
            Self::Service => ("services", "v1"),
            Self::Node => ("nodes", "v1"),
            Self::Deployment => ("deployments", "apps/v1"),
            Self::StatefulSet => ("statefulsets", "apps/v1"),
            Self::DaemonSet => ("daemonsets", "apps/v1"),
            Self::Job => ("jobs", "batch/v1"),
        }
    }
}

/// A target: `pod/NAME`, or only a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// `None`: a Pod of that name, else a Deployment, a Service, a Node.
    pub kind: Option<Kind>,
    /// Name.
    pub name: String,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, name) = match text.split_once('/') {
            None => (None, text),
            Some((kind, name)) => {
                let wanted = kind.to_ascii_lowercase();
                let found = NAMES.iter().find(|(_, names)| names.contains(&wanted.as_str()));
                let Some((found, _)) = found else {
                    return Err(format!("unknown kind {kind:?}: write one of pod, deploy, sts, ds, job, svc, node"));
                };
                (Some(*found), name)
            }
        };
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "-._@:".contains(c));
        if name.is_empty() || !plain {
            return Err("write pod/NAME, deploy/NAME, svc/NAME, node/NAME, or NAME".to_owned());
        }
        Ok(Self { kind, name: name.to_owned() })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Some(kind) => write!(f, "{}/{}", kind.label(), self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// A DNS label, as names of namespaces are: it becomes a part of request paths.
pub fn is_namespace(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty() && text.len() <= 63 && text.chars().all(allowed)
}

#[cfg(test)]
mod tests;

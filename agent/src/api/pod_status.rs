//! The status of a Pod in `/api/v1/pods`: its identity, and details that `kubectl get pods` hides.

use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// One Pod of this Node. Times are the API server's wall clock, ms since the Unix epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodInfo {
    /// `metadata.uid`.
    pub uid: String,
    /// `kubernetes.io/config.hash` of a static Pod: the hash in its cgroup's name. `None`: not static.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub static_hash: Option<String>,
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// Owner, such as `Deployment/payment`; `Pod/<name>` without one.
    pub workload: String,
    /// True when it shares the Node's network.
    pub host_network: bool,
    /// `status.podIPs`; empty until the Pod has a sandbox.
    pub addresses: Vec<IpAddr>,
    /// `status.phase`: `Pending`, `Running`, `Succeeded`, `Failed`, `Unknown`; empty when the API has none.
    pub phase: String,
    /// `status.reason` and `status.message`, such as `Evicted`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<Why>,
    /// `metadata.creationTimestamp`.
    pub created_ms: i64,
    /// Request of the annotation `netwhy.dev/sample`. `None`: there is none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub close_up: Option<CloseUpRequest>,
    /// `metadata.deletionTimestamp`. `None`: it is not being deleted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub deleting_ms: Option<i64>,
    /// Conditions that are not `True`, such as `Ready` and `PodScheduled`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub unmet: Vec<Condition>,
    /// All containers: init, sidecars, main, ephemeral.
    pub containers: Vec<ContainerInfo>,
    /// Warnings about it, newest first, at most [`PodInfo::MAX_EVENTS`]. They are requested only while it is in
    /// trouble.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub events: Vec<PodEvent>,
}

/// A request for a close-up: the Pod is exempt from sampling for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseUpRequest {
    /// Until this time.
    Until {
        /// Wall clock of whoever asked.
        unix_ms: i64,
    },
    /// The annotation is no time of RFC 3339.
    Unreadable,
}

/// A reason and its message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// One word, such as `CrashLoopBackOff`.
    pub reason: String,
    /// Free text, cut after 512 bytes. May be empty.
    pub message: String,
}

/// A condition that is not met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// `type`, such as `Ready`.
    pub kind: String,
    /// Why.
    pub why: Why,
    /// Time of its last change. `None`: unknown.
    pub since_ms: Option<i64>,
}

/// One container of a Pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerInfo {
    /// Name.
    pub name: String,
    /// Kind.
    pub kind: ContainerKind,
    /// Container ID without the runtime's name, lower-case hex. `None`: not created yet.
    pub id: Option<String>,
    /// Passes its readiness probe.
    pub ready: bool,
    /// Passed its startup probe. `None`: unknown.
    pub started: Option<bool>,
    /// Restarts so far.
    pub restarts: u32,
    /// Present state.
    pub state: ContainerState,
    /// How the previous run ended. `None`: this is the first.
    pub last: Option<Ended>,
    /// `resources.limits.memory`, as written. `None`: unlimited.
    pub memory_limit: Option<String>,
    /// Probes that it has, such as `readiness`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub probes: Vec<ProbeKind>,
    /// Time that its startup probe gives it to start, ms. 0: it has none.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub startup_ms: i64,
    /// Time after which its readiness probe calls it unready, ms. 0: it has none.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub readiness_ms: i64,
}

fn is_zero(ms: &i64) -> bool {
    *ms == 0
}

/// Kinds of probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeKind {
    /// Fails: no traffic from Services.
    Readiness,
    /// Fails: restart.
    Liveness,
    /// Not passed: the others wait.
    Startup,
}

/// Kinds of container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContainerKind {
    /// Runs before the main ones.
    Init,
    /// An init container that stays (`restartPolicy: Always`).
    Sidecar,
    /// One of `spec.containers`.
    Main,
    /// Added for debugging.
    Ephemeral,
}

/// State of a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContainerState {
    /// Not running, to be started.
    Waiting(Why),
    /// Running.
    Running {
        /// Start time. `None`: unknown.
        since_ms: Option<i64>,
    },
    /// Ended.
    Ended(Ended),
    /// Not reported by the kubelet yet.
    Unknown,
}

/// How a run ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Reason, such as `OOMKilled`, `Error`, `Completed`, and the message.
    pub why: Why,
    /// Exit code: 0 … 255; 128 + n after signal n.
    pub exit_code: i32,
    /// Signal. `None`: unknown, or none.
    pub signal: Option<i32>,
    /// Time of the end. `None`: unknown.
    pub at_ms: Option<i64>,
}

/// A warning about a Pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodEvent {
    /// Reason, such as `Unhealthy`, and the message.
    pub why: Why,
    /// Occurrences.
    pub count: u32,
    /// Newest occurrence. `None`: unknown.
    pub at_ms: Option<i64>,
}

impl PodInfo {
    /// Events kept of one Pod.
    pub const MAX_EVENTS: usize = 5;

    /// Containers that should run as long as the Pod.
    pub fn lasting(&self) -> impl Iterator<Item = &ContainerInfo> {
        self.containers.iter().filter(|c| matches!(c.kind, ContainerKind::Main | ContainerKind::Sidecar))
    }

    /// Whether it ended and will not be restarted.
    pub fn is_over(&self) -> bool {
        matches!(self.phase.as_str(), "Succeeded" | "Failed")
    }

    /// Whether its status needs attention: a container is not running, not ready, or was restarted. A Pod that is being
    /// deleted is not in trouble.
    pub fn is_troubled(&self) -> bool {
        self.deleting_ms.is_none()
            && self.phase != "Succeeded"
            && (self.phase == "Failed"
                || !self.unmet.is_empty()
                || self.containers.iter().any(|c| c.restarts > 0 || matches!(c.state, ContainerState::Waiting(_))))
    }
}

impl Ended {
    /// Whether the OOM killer ended it.
    pub fn is_oom(&self) -> bool {
        self.why.reason == "OOMKilled"
    }

    /// Meaning of the exit code by shell convention. `None`: the program defines it.
    pub fn exit_meaning(&self) -> Option<&'static str> {
        Some(match self.exit_code {
            0 => "it ended by itself without an error",
            126 => "its command is not executable",
            127 => "its command was not found",
            134 => "it aborted (SIGABRT)",
            137 if self.is_oom() => "killed for using more memory than its limit",
            137 => "killed (SIGKILL): by a failed liveness probe's grace period, by an operator, or for memory",
            139 => "it crashed (SIGSEGV)",
            143 => "it was asked to stop (SIGTERM)",
            _ => return None,
        })
    }
}

//! Close-ups: Pods that are exempt from sampling for a while.

use serde::{Deserialize, Serialize};

/// The close-ups of this Node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloseUps {
    /// Pods under a close-up.
    pub pods: Vec<CloseUp>,
    /// Pods whose request waits: `sampling.close_ups` others are under one, or the memory limit is near.
    pub waiting: u64,
    /// Pods whose annotation can't be read.
    pub unreadable: u64,
}

/// A Pod under a close-up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloseUp {
    /// Namespace of the Pod.
    pub namespace: String,
    /// Name of the Pod.
    pub pod: String,
    /// Time until it ends, s.
    pub seconds_left: u64,
}

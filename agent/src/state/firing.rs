//! Time for which hints fired.

use crate::api::BlameKind;
use std::{sync::Arc, time::Duration};

/// Namespace and Pod of hints without a place of their own. No Kubernetes name begins with a tilde.
const OTHER: &str = "~other";

/// Facts that tell hints apart in metrics.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FiringKey {
    /// Namespace of the subject. Empty: the subject is this Node.
    pub namespace: String,
    /// Pod, unit or container. Empty: the subject is this Node.
    pub pod: String,
    /// Identifier from the rule table.
    pub cause: String,
    /// Kind of the culprit, as in [`BlameKind::label`].
    pub blame_kind: &'static str,
    /// Name of the culprit without addresses. Empty: none is named.
    pub blame: String,
}

impl FiringKey {
    /// The sum of hints of this cause without a place of their own.
    pub fn other(cause: &str) -> Self {
        Self {
            namespace: OTHER.into(),
            pod: OTHER.into(),
            cause: cause.into(),
            blame_kind: BlameKind::None.label(),
            blame: String::new(),
        }
    }

    /// Whether it is such a sum.
    pub fn is_other(&self) -> bool {
        self.namespace == OTHER
    }
}

/// Time for which the hints of one key fired since the key was new. It never falls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FiringTime {
    /// The hints.
    pub key: Arc<FiringKey>,
    /// Owner of the Pod, as the newest hint said. Empty: it has none.
    pub workload: Arc<str>,
    /// Time with at least one of them firing.
    pub fired: Duration,
}

//! The Pods that a verdict blames.

use crate::api::{BlameKind, Hint};
use std::fmt;

/// Most candidates of an undecided blame.
const MAX_CANDIDATES: usize = 3;

/// Namespace and name of a Pod.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PodName {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl fmt::Display for PodName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// The blamed Pod, or the Pods among the candidates while the culprit is undecided. Empty: no Pod is blamed, or only
/// its address is known.
pub(super) fn culprits(root: &Hint) -> Vec<PodName> {
    let pod = |kind: BlameKind, name: &str| match kind {
        BlameKind::Pod if root.subject.kind == "Pod" => {
            Some(PodName { namespace: root.subject.namespace.clone(), name: root.subject.name.clone() })
        }
        BlameKind::PeerPod => {
            let (namespace, name) = name.split_once('/')?;
            let is_name =
                |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c));
            (is_name(namespace) && is_name(name))
                .then(|| PodName { namespace: namespace.to_owned(), name: name.to_owned() })
        }
        _ => None,
    };
    let blame = &root.blame;
    match blame.kind {
        BlameKind::Undecided => {
            let all = blame.alternatives.iter().filter_map(|other| pod(other.kind, &other.name));
            let mut out: Vec<PodName> = all.take(MAX_CANDIDATES).collect();
            out.dedup();
            out
        }
        kind => pod(kind, &blame.name).into_iter().collect(),
    }
}

#[cfg(test)]
mod tests;

//! Subjects that lost their own series early, because too many were gone.

use super::SubjectView;
use std::{
    collections::{VecDeque, hash_map::DefaultHasher},
    hash::{Hash as _, Hasher as _},
};

/// Names that are remembered, 8 bytes each.
const MAX_NAMES: usize = 16_384;

/// Sums and names of subjects that lost their own series early.
#[derive(Clone, Debug, Default)]
pub struct Folded {
    /// Their sums since the agent started. They never fall.
    pub sums: SubjectView,
    /// Their number.
    pub subjects: u64,
    /// Hashes of the newest ones' namespaces and names.
    names: VecDeque<u64>,
}

impl Folded {
    /// Takes in one more.
    pub fn add(&mut self, subject: &SubjectView) {
        self.sums.absorb(subject);
        self.subjects += 1;
        if self.names.len() == MAX_NAMES {
            self.names.pop_front();
        }
        self.names.push_back(hash(&subject.id.namespace, &subject.id.name));
    }

    /// Whether a subject of this name is among the newest ones.
    pub fn contains(&self, namespace: &str, name: &str) -> bool {
        self.names.contains(&hash(namespace, name))
    }
}

fn hash(namespace: &str, name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (namespace, name).hash(&mut hasher);
    hasher.finish()
}

//! Keys of subjects and edges: stable hashes, so that ids outlive a restart.

use crate::state::{EdgeView, Endpoint, SubjectId};
use netwhy_abi::EdgeKey;

/// Names an edge within one run; a clash of two edges (odds 1e-11 at 20,000 edges) would share a baseline, no more.
pub(crate) fn edge_key(edge: &EdgeView) -> u64 {
    let address = subject_hash(&edge.subject).field(&edge.peer.octets());
    let Endpoint { peer: _, port, role, redirected, netns } = edge.endpoint();
    if (port, role, redirected, netns) == (0, None, false, 0) {
        return address.finish();
    }
    let ends = [EdgeKey::role_number(role), u8::from(redirected)];
    address.field(&port.to_le_bytes()).field(&ends).field(&netns.to_le_bytes()).finish()
}

/// Names a hint: the same for the same subject and cause.
pub(crate) fn hint_key(subject: &SubjectId, cause: &str) -> u64 {
    subject_hash(subject).field(cause.as_bytes()).finish()
}

/// The subject in a key.
pub(crate) fn subject_hash(id: &SubjectId) -> Fnv {
    Fnv::new().field(&[id.kind as u8]).field(id.namespace.as_bytes()).field(id.name.as_bytes())
}

/// FNV-1a, 64 bit: the same in every build, so ids outlive a restart.
#[derive(Clone, Copy)]
pub(crate) struct Fnv(u64);

impl Fnv {
    pub(crate) const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// Adds one field. A separator that no name contains keeps fields apart.
    pub(crate) fn field(mut self, bytes: &[u8]) -> Self {
        for byte in bytes.iter().chain(&[0xff]) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        self
    }

    pub(crate) const fn finish(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests;

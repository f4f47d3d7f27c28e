//! All edges of one tick.

use super::{Edge, EdgeIx};

/// The edges, in the order of the view. A tick has no time to look through all of them for each of them: tests count
/// how often it is done.
pub(super) struct Edges<'a>(Vec<Edge<'a>>);

impl<'a> Edges<'a> {
    pub(super) const fn new(edges: Vec<Edge<'a>>) -> Self {
        Self(edges)
    }

    pub(super) fn all(&self) -> &[Edge<'a>] {
        #[cfg(test)]
        super::scans::add();
        &self.0
    }

    pub(super) fn one(&self, ix: EdgeIx) -> &Edge<'a> {
        &self.0[ix.get()]
    }

    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }
}

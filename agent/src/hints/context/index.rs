//! Positions of edges and subjects within one tick.

/// Position of an edge, the same as in the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct EdgeIx(usize);

/// Position of a subject, the same as in the view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SubjectIx(usize);

impl EdgeIx {
    pub(crate) const fn new(position: usize) -> Self {
        Self(position)
    }

    pub(crate) const fn get(self) -> usize {
        self.0
    }
}

impl SubjectIx {
    pub(crate) const fn new(position: usize) -> Self {
        Self(position)
    }

    pub(crate) const fn get(self) -> usize {
        self.0
    }
}

//! Who is to blame. Judges hand over the edges that they tested; these functions answer with a culprit.

pub(crate) mod victims;
pub(crate) mod this_node;
pub(crate) mod loss;

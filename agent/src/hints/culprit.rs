//! Who is to blame.
//!
//! Judges find that something is wrong and hand over the edges that they tested. The functions here answer with a
//! culprit, and with the alternatives that explain the edges almost as well.

pub(crate) mod victims;
pub(crate) mod suspects;
pub(crate) mod loss;
pub(crate) mod latency;
pub(crate) mod mtu;
pub(crate) mod reordering;
pub(crate) mod unreachable;
pub(crate) mod answers;
pub(crate) mod handshakes;
pub(crate) mod neighbour;
pub(crate) mod dns;

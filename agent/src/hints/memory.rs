//! What is normal: learned from windows without a finding.

pub(crate) mod path;
pub(crate) mod mean;
pub(crate) mod edge;
pub(crate) mod edges;
pub(crate) mod host;
pub(crate) mod dns;

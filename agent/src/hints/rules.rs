//! One file per rule, or per few rules that one test decides: text, limits, PromQL and judge. One judge per family.

pub mod queries;
mod stages;
pub(crate) mod status;
pub(crate) mod host;
pub(crate) mod connect;
pub(crate) mod loss;
pub(crate) mod latency;
pub(crate) mod limited;
pub(crate) mod unanswered;
pub(crate) mod cpu;
pub(crate) mod pressure;
pub(crate) mod dns;
pub(crate) mod waiting;
pub(crate) mod errors;

//! Requests to API servers, and to agents through the API server's Pod proxy or directly.

mod agent;
mod agent_client;
mod agents;
mod errors;
mod fan_out;
mod objects;
mod session;
mod topology;
mod why;

pub use agent::Agent;
pub use agent_client::AgentClient;
pub use fan_out::{Answers, Progress};
pub use session::{Connection, Session, sessions};
pub use topology::topology;
pub use why::why;

pub(crate) use objects::pods;

#[cfg(any(test, feature = "fuzz"))]
pub(crate) use agent_client::message;

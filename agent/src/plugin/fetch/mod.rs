//! Requests to API servers, and to agents: by port-forward or Pod proxy through the API server, or directly.
//!
//! ```text
//! agents ─► genuine        which Pods are agents
//!        └► agent_client ─► way ─► tunnel     how one is reached
//!                            └──► answer ─► room   how much of its answer is kept
//! ```

mod agent;
mod agent_client;
mod agents;
mod callees;
mod answer;
mod close_up;
mod errors;
mod fan_out;
mod genuine;
mod node_facts;
mod objects;
mod past;
mod room;
mod session;
mod topology;
mod tunnel;
mod way;
mod why;
mod witnesses;

pub use agent::Agent;
pub use agent_client::AgentClient;
pub use close_up::close_up;
pub use fan_out::{Answers, Progress};
pub use node_facts::{Profiles, Scope, profiles};
pub use session::{Connection, Session, sessions};
pub use topology::topology;
pub use why::why;
pub use witnesses::witnesses;

pub(crate) use objects::pods;

#[cfg(any(test, feature = "fuzz"))]
pub(crate) use agent_client::message;

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
mod changed;
mod answer;
mod close_up;
mod errors;
mod fan_out;
mod genuine;
mod holder;
mod logs;
mod map;
mod node_facts;
mod objects;
mod past;
mod past_series;
mod prometheus;
mod recorded_figures;
mod room;
mod session;
mod shell;
mod topology;
mod tunnel;
mod way;
mod why;
mod witnesses;

pub use agent::Agent;
pub use agent_client::AgentClient;
pub use changed::{Kept, changed, changed_before};
pub use close_up::close_up;
pub use fan_out::{Answers, Progress};
pub use holder::holder;
pub use logs::{Event, Range, log_pod, log_pods, read_log};
pub use map::map;
pub use node_facts::{Profiles, Scope, profiles};
pub use prometheus::{Fired, Prometheus, find as prometheus};
pub use recorded_figures::recorded_figures;
pub use session::{Connection, Session, sessions};
pub use shell::{Place, Rules, Streams, announce, exec, exec_with_end, may_end_input, place, rules, user};
pub use topology::topology;
pub use why::why;
pub use witnesses::witnesses;

pub(crate) use objects::pods;

#[cfg(any(test, feature = "fuzz"))]
pub(crate) use agent_client::message;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) use prometheus::firings;

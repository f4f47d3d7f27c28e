//! Asking: API servers, and agents through the API server's Pod proxy or directly.

mod agents;
mod door;
mod errors;
mod fan;
mod objects;
mod session;
mod topology;
mod why;

pub use agents::Agent;
pub use door::Door;
pub use fan::{Answers, Progress};
pub use session::{Reach, Session, sessions};
pub use topology::topology;
pub use why::why;

pub(crate) use objects::pods;

//! One agent of a cluster, or one given by URL.

use super::agent_client::AgentClient;
use crate::plugin::{Failure, model::SilentAgent};

/// One agent.
#[derive(Clone)]
pub struct Agent {
    /// Its Node; empty for an agent given by URL.
    pub node: String,
    /// The HTTP client for it.
    pub client: AgentClient,
}

impl Agent {
    /// The agent as one that did not answer.
    pub fn silent(&self, failure: &Failure) -> SilentAgent {
        SilentAgent::new(&self.node, self.client.name(), failure)
    }
}

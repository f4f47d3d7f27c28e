//! Connections to the clusters or the agent that the flags name.

use super::{
    super::{Failure, cli::Global, connect},
    agent_client::AgentClient,
    changed::Kept,
};
use crate::text::complain;
use futures::future::join_all;
use jiff::Timestamp;
use kube::{Client, config::Kubeconfig};
use std::{io::IsTerminal as _, sync::Arc};

/// One cluster, or one agent.
#[derive(Clone)]
pub struct Session {
    /// Name of the context, if there are several. `None`: the only one.
    pub context: Option<String>,
    /// Namespace of the user's choice. `None`: all.
    pub namespace: Option<String>,
    /// The connection.
    pub connection: Connection,
    /// The flags.
    pub global: Arc<Global>,
    /// The moment that agents are asked about. `None`: now.
    pub at: Option<Timestamp>,
    /// The newest answer about changes.
    pub changes: Kept,
}

/// Kinds of connections.
#[derive(Clone)]
pub enum Connection {
    /// One agent, no cluster.
    Direct(AgentClient),
    /// All agents of a cluster.
    Cluster(Client),
}

/// A session per context that the flags name. A broken context among several gets a line on stderr.
///
/// # Errors
/// When no context can be used. No request was sent yet.
pub async fn sessions(global: &Global) -> Result<Vec<Session>, Failure> {
    let shared = Arc::new(global.clone());
    if let Some(url) = &global.agent {
        let client = AgentClient::direct(url, global.request_timeout, global.room_bytes())?;
        return Ok(vec![Session {
            context: None,
            namespace: wanted_namespace(global, None),
            connection: Connection::Direct(client),
            global: shared,
            at: None,
            changes: Kept::default(),
        }]);
    }
    let variable = std::env::var_os("KUBECONFIG");
    let kubeconfig = connect::read(global.kubeconfig.as_deref(), variable.as_deref(), std::env::home_dir())?;
    let contexts: Vec<Option<&str>> = match &kubeconfig {
        _ if !global.contexts.is_empty() => global.contexts.iter().map(|name| Some(name.as_str())).collect(),
        Some(file) if global.all_contexts => file.contexts.iter().map(|context| Some(context.name.as_str())).collect(),
        _ => vec![global.context.as_deref()],
    };
    let several = contexts.len() > 1;
    let opened = contexts.iter().map(|context| session(&shared, kubeconfig.as_ref(), *context, several));
    let mut out = Vec::new();
    let mut failures = Vec::new();
    for (context, result) in contexts.iter().zip(join_all(opened).await) {
        match result {
            Ok(session) => out.push(session),
            Err(failure) if several => failures.push(failure.at(context.unwrap_or_default())),
            Err(failure) => return Err(failure),
        }
    }
    match (out.is_empty(), failures.first()) {
        (true, Some(first)) => Err(Failure::new(format!("no context can be used; {}", first.what), &first.remedy)),
        (true, None) => Err(Failure::new("the kubeconfig has no context", "pass --kubeconfig FILE")),
        _ => {
            for failure in &failures {
                complain(&format!("warning: {failure}"));
            }
            Ok(out)
        }
    }
}

async fn session(
    global: &Arc<Global>,
    kubeconfig: Option<&Kubeconfig>,
    context: Option<&str>,
    several: bool,
) -> Result<Session, Failure> {
    let choice = match (kubeconfig, context) {
        (Some(file), _) => connect::choose(file, context, &global.kubectl)?,
        (None, None) => connect::in_cluster(&global.kubectl)?,
        (None, Some(context)) => {
            let what = format!("context {context:?}: no kubeconfig found");
            return Err(Failure::new(what, "pass --kubeconfig FILE or set KUBECONFIG"));
        }
    };
    let namespace = wanted_namespace(global, Some(&choice.namespace));
    let client = connect::client(choice, |name| std::env::var(name).ok(), std::io::stdin().is_terminal()).await?;
    let context = context.filter(|_| several).map(str::to_owned);
    let connection = Connection::Cluster(client);
    Ok(Session { context, namespace, connection, global: Arc::clone(global), at: None, changes: Kept::default() })
}

/// The namespace of the flags, else the context's. `None`: all.
fn wanted_namespace(global: &Global, default: Option<&str>) -> Option<String> {
    match (&global.namespace, global.all_namespaces) {
        (_, true) => None,
        (Some(name), _) => Some(name.clone()),
        (None, _) => default.map(str::to_owned),
    }
}

impl Session {
    /// The same session, with agents asked about this moment.
    #[must_use]
    pub fn about(&self, at: Timestamp) -> Self {
        Self { at: Some(at), ..self.clone() }
    }

    /// Prefix of messages about this cluster on stderr; empty for a single cluster.
    pub fn prefix(&self) -> String {
        self.context.as_ref().map(|context| format!("{context}: ")).unwrap_or_default()
    }
}

//! Connections to the clusters or the agent that the flags name.

use super::{
    super::{Failure, cli::Global},
    agent_client::AgentClient,
    errors,
};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use std::{sync::Arc, time::Duration};

/// A connection attempt fails after this long, whatever the request's own limit.
const CONNECT: Duration = Duration::from_secs(10);

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
}

/// Kinds of connections.
#[derive(Clone)]
pub enum Connection {
    /// One agent, no cluster.
    Direct(AgentClient),
    /// All agents of a cluster.
    Cluster(Client),
}

/// A session per context that the flags name.
///
/// # Errors
/// When a context or its configuration is invalid. No request was sent yet.
pub async fn sessions(global: &Global) -> Result<Vec<Session>, Failure> {
    let shared = Arc::new(global.clone());
    let wanted = |default: Option<&str>| match (&global.namespace, global.all_namespaces) {
        (_, true) => None,
        (Some(name), _) => Some(name.clone()),
        (None, _) => default.map(str::to_owned),
    };
    if let Some(url) = &global.agent {
        let client = AgentClient::direct(url, global.request_timeout, global.room_bytes())?;
        return Ok(vec![Session {
            context: None,
            namespace: wanted(None),
            connection: Connection::Direct(client),
            global: shared,
        }]);
    }
    let kubeconfig = kubeconfig(global)?;
    let contexts: Vec<Option<String>> = match &kubeconfig {
        _ if !global.contexts.is_empty() => global.contexts.iter().cloned().map(Some).collect(),
        Some(file) if global.all_contexts => file.contexts.iter().map(|c| Some(c.name.clone())).collect(),
        _ => vec![global.context.clone()],
    };
    let several = contexts.len() > 1;
    let mut out = Vec::new();
    for context in contexts {
        let mut config = config(kubeconfig.as_ref(), context.as_deref()).await?;
        config.connect_timeout = Some(CONNECT);
        config.read_timeout = None;
        let namespace = wanted(Some(&config.default_namespace));
        let client = Client::try_from(config).map_err(|error| errors::bad_kubeconfig(&error))?;
        let context = context.filter(|_| several);
        out.push(Session { context, namespace, connection: Connection::Cluster(client), global: Arc::clone(&shared) });
    }
    Ok(out)
}

/// The user's kubeconfig. `None`: no such file.
fn kubeconfig(global: &Global) -> Result<Option<Kubeconfig>, Failure> {
    if let Some(file) = &global.kubeconfig {
        let read = Kubeconfig::read_from(file);
        return read.map(Some).map_err(|error| errors::bad_kubeconfig(&error).at(file.display().to_string()));
    }
    let named = std::env::var_os("KUBECONFIG").is_some_and(|value| !value.is_empty());
    let default = std::env::home_dir().map(|home| home.join(".kube/config"));
    if !named && !default.is_some_and(|file| file.exists()) {
        return Ok(None);
    }
    Kubeconfig::read().map(Some).map_err(|error| errors::bad_kubeconfig(&error))
}

async fn config(kubeconfig: Option<&Kubeconfig>, context: Option<&str>) -> Result<Config, Failure> {
    let Some(kubeconfig) = kubeconfig else {
        if let Some(context) = context {
            let what = format!("context {context:?}: no kubeconfig found");
            return Err(Failure::new(what, "pass --kubeconfig FILE or set KUBECONFIG"));
        }
        return Config::incluster().map_err(|_| {
            let remedy = "pass --kubeconfig FILE, set KUBECONFIG, or ask one agent with --agent URL";
            Failure::new("no cluster found: no kubeconfig, and not in a Pod with a service account", remedy)
        });
    };
    if let Some(context) = context
        && !kubeconfig.contexts.iter().any(|known| known.name == context)
    {
        let known: Vec<&str> = kubeconfig.contexts.iter().map(|c| c.name.as_str()).collect();
        let remedy =
            format!("contexts of the kubeconfig: {}", if known.is_empty() { "none".into() } else { known.join(", ") });
        return Err(Failure::new(format!("no context is named {context:?}"), remedy));
    }
    let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
    Config::from_custom_kubeconfig(kubeconfig.clone(), &options).await.map_err(|error| errors::bad_kubeconfig(&error))
}

impl Session {
    /// Prefix of messages about this cluster on stderr; empty for a single cluster.
    pub fn prefix(&self) -> String {
        self.context.as_ref().map(|context| format!("{context}: ")).unwrap_or_default()
    }
}

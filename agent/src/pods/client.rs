//! The connection to the API server, and where its configuration comes from.

use super::{
    ear::{Ear, Heard},
    patience::Patience,
};
use kube::{
    Client, Config,
    client::ClientBuilder,
    config::{KubeConfigOptions, Kubeconfig},
};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// The watcher itself gives a watch up 5 s after its time.
const SLACK: Duration = Duration::from_secs(10);
/// Where a Pod finds its credentials; without them the environment says nothing.
const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// Kubernetes was asked for, or its configuration was found, and can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Neither in a cluster nor with a kubeconfig.
    #[error(
        "found no Kubernetes: not inside a Pod with a service account, and no kubeconfig; pass --kubeconfig FILE, or --kube \
         off to name cgroups by unit, container and path"
    )]
    Absent,
    /// A kubeconfig that can't be used.
    #[error("kubeconfig {}: {why}; mend the file, name another with --kubeconfig, or pass --kube off", file.display())]
    Kubeconfig {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The service account's files.
    #[error("the Pod's service account can't be used: {0}; check automountServiceAccountToken")]
    InCluster(String),
    /// The configuration makes no client, for example because of its certificates.
    #[error("the Kubernetes configuration can't be used: {0}")]
    Client(String),
}

/// A client, what was heard through it, and its time limits.
#[derive(Clone)]
pub struct Cluster {
    pub(crate) client: Client,
    pub(crate) heard: Heard,
    pub(crate) patience: Patience,
}

/// Where a configuration is to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A kubeconfig file.
    File(PathBuf),
    /// The service account of this Pod.
    InCluster,
}

/// Finds a configuration: the file that was named, this Pod's service account, or the user's own kubeconfig. `None`:
/// there is none.
pub fn find(named: Option<&Path>, env: impl Fn(&str) -> Option<String>) -> Option<Place> {
    if let Some(file) = named {
        return Some(Place::File(file.to_owned()));
    }
    let host = env("KUBERNETES_SERVICE_HOST").filter(|host| !host.is_empty());
    if host.is_some() && Path::new(TOKEN).exists() {
        return Some(Place::InCluster);
    }
    let own = Path::new(&env("HOME")?).join(".kube/config");
    own.is_file().then_some(Place::File(own))
}

impl Cluster {
    /// Reads the configuration and makes a client; asks the API server nothing yet. `clock` is monotonic.
    ///
    /// # Errors
    /// [`ConnectError`]; an API server that can't be reached is no error here.
    pub async fn connect(place: &Place, clock: fn() -> Duration, patience: Patience) -> Result<Self, ConnectError> {
        let mut config = match place {
            Place::File(file) => {
                let wrong = |error: &(dyn std::error::Error + 'static)| ConnectError::Kubeconfig {
                    file: file.clone(),
                    why: one_line(error),
                };
                let kubeconfig = Kubeconfig::read_from(file).map_err(|error| wrong(&error))?;
                Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
                    .await
                    .map_err(|error| wrong(&error))?
            }
            Place::InCluster => Config::incluster().map_err(|error| ConnectError::InCluster(one_line(&error)))?,
        };
        config.connect_timeout = Some(patience.connect);
        // The longest silence inside a request: longer than a watch lasts, because a watch may well be silent for as long.
        config.read_timeout = Some(Duration::from_secs(u64::from(patience.watch_seconds)) + SLACK.max(patience.list));
        // Refusals are counted and waited out here; retries below would hide them.
        config.default_retry = false;
        // Else the time that a pooled connection was idle would count as silence.
        config.reset_reader_on_write = true;
        let heard = Heard::new(clock, patience);
        let builder = ClientBuilder::try_from(config).map_err(|error| ConnectError::Client(one_line(&error)))?;
        let client = builder.with_layer(&Ear(heard.clone())).build();
        Ok(Self { client, heard, patience })
    }
}

/// An error and its causes on one line; of an API server's refusal what it says, without the object that it says it in.
pub(crate) fn one_line(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(kube::Error::Api(status)) = cause.downcast_ref() {
            let code = status.code;
            return join(text, format!("{code} {}: {}", status.reason, status.message)).replace('\n', " ");
        }
        text = join(text, cause.to_string());
        next = cause.source();
    }
    text.replace('\n', " ")
}

fn join(text: String, more: String) -> String {
    if text.is_empty() {
        more
    } else if text.contains(&more) {
        text
    } else {
        format!("{text}: {more}")
    }
}

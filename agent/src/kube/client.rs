//! The client, and where its configuration comes from.

use super::{
    activity::{Activity, ActivityLayer},
    failure::one_line,
    timeouts::Timeouts,
    token::{Token, TokenLayer, TokenRenewal, take_file},
};
use crate::system;
use ::kube::{
    Client, Config,
    client::ClientBuilder,
    config::{KubeConfigOptions, Kubeconfig},
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// kube's watcher gives up a watch 5 s after its time; this waits longer.
const WATCH_MARGIN: Duration = Duration::from_secs(10);
/// Token of a Pod's service account. Without it the Pod's environment is of no use.
const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// Kubernetes is required, or its configuration was found, and it can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Neither in a cluster nor with a kubeconfig.
    #[error(
        "found no Kubernetes: not in a Pod with a service account, and no kubeconfig; pass --kubeconfig FILE, or \
         --kube off to name cgroups by unit, container and path"
    )]
    Absent,
    /// A kubeconfig that can't be used.
    #[error(
        "kubeconfig {}: {why}; correct the file, name another with --kubeconfig, or pass --kube off", file.display()
    )]
    Kubeconfig {
        /// The file.
        file: PathBuf,
        /// Why.
        why: String,
    },
    /// The service account's files.
    #[error("can't use the Pod's service account: {0}; check automountServiceAccountToken")]
    InCluster(String),
    /// A token's file that has none.
    #[error(
        "can't use the token {}: {source}; check automountServiceAccountToken, or the kubeconfig's tokenFile",
        file.display()
    )]
    NoToken {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A token that is renewed in its file, which the process may not read any more.
    #[error(
        "user {user} can't read the token {}: {source}: let its group {user} read it; in a Pod set fsGroup: {user} as the \
         chart does", file.display()
    )]
    Token {
        /// The file.
        file: PathBuf,
        /// User and group of the process, by number.
        user: String,
        /// The kernel's refusal.
        source: std::io::Error,
    },
    /// A client can't be made of the configuration, for example because of its certificates.
    #[error("can't use the Kubernetes configuration: {0}; check its certificates and URLs")]
    Client(String),
}

/// A client, the activity on it, and its time limits.
#[derive(Clone)]
pub struct Cluster {
    pub(crate) client: Client,
    pub(crate) activity: Activity,
    pub(crate) timeouts: Timeouts,
    /// `None`: the client has no token from a file.
    token: Option<Arc<Token>>,
}

/// Source of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigSource {
    /// A kubeconfig file.
    File(PathBuf),
    /// The service account of this Pod.
    InCluster,
}

/// Finds a configuration: the given file, else this Pod's service account, else the user's kubeconfig. `None`: there is
/// none.
pub fn find_config(file: Option<&Path>, env: impl Fn(&str) -> Option<String>) -> Option<ConfigSource> {
    if let Some(file) = file {
        return Some(ConfigSource::File(file.to_owned()));
    }
    let host = env("KUBERNETES_SERVICE_HOST").filter(|host| !host.is_empty());
    if host.is_some() && Path::new(TOKEN).exists() {
        return Some(ConfigSource::InCluster);
    }
    let default = Path::new(&env("HOME")?).join(".kube/config");
    default.is_file().then_some(ConfigSource::File(default))
}

impl Cluster {
    /// Reads the configuration and makes a client. It sends no request yet. `clock` is monotonic. A token from a file
    /// is renewed while [`Self::token_renewal`] runs.
    ///
    /// # Errors
    /// [`ConnectError`]. An unreachable API server is no error here.
    pub async fn connect(
        source: &ConfigSource,
        clock: fn() -> Duration,
        timeouts: Timeouts,
    ) -> Result<Self, ConnectError> {
        Ok(Self::prepare(source, clock, timeouts).await?.start())
    }

    /// The same in two steps. The first reads the files, with the rights that the process has at its start.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn prepare(
        source: &ConfigSource,
        clock: fn() -> Duration,
        timeouts: Timeouts,
    ) -> Result<Prepared, ConnectError> {
        let mut config = read_config(source).await?;
        let token = take_file(&mut config.auth_info).map(load).transpose()?;
        config.connect_timeout = Some(timeouts.connect);
        // Longer than a watch lasts: a watch may be silent for all of its time.
        let watch = Duration::from_secs(u64::from(timeouts.watch_seconds));
        config.read_timeout = Some(watch + WATCH_MARGIN.max(timeouts.list));
        // The watch stream counts failures and backs off. Retries below it would hide them.
        config.default_retry = false;
        // Without it, the idle time of a pooled connection would count against the read timeout.
        config.reset_reader_on_write = true;
        let activity = Activity::new(clock, timeouts);
        let builder = ClientBuilder::try_from(config).map_err(|error| ConnectError::Client(one_line(&error)))?;
        let builder = builder.with_layer(&TokenLayer(token.clone())).with_layer(&ActivityLayer(activity.clone()));
        let shared = token.clone();
        let start = move || Self { client: builder.build(), activity, timeouts, token: shared };
        Ok(Prepared { token, start: Box::new(start) })
    }

    /// The renewal of the client's token. `None`: it has none from a file.
    pub fn token_renewal(&self) -> Option<TokenRenewal> {
        self.token.clone().map(TokenRenewal::new)
    }
}

/// A client that has read its configuration.
pub struct Prepared {
    /// A token that is renewed in its file. `None`: the client has no such token.
    token: Option<Arc<Token>>,
    start: Box<dyn FnOnce() -> Cluster + Send>,
}

impl Prepared {
    /// Tests whether the process may read a renewed token. An old token expires after an hour.
    ///
    /// # Errors
    /// [`ConnectError::Token`].
    pub fn check_renewal(&self) -> Result<(), ConnectError> {
        let Some(token) = &self.token else { return Ok(()) };
        let unreadable = |source| ConnectError::Token { file: token.file().to_owned(), user: system::user(), source };
        token.check().map_err(unreadable)
    }

    /// Starts the client, in a runtime. It sends no request yet.
    pub fn start(self) -> Cluster {
        (self.start)()
    }
}

fn load(file: PathBuf) -> Result<Arc<Token>, ConnectError> {
    Token::load(file.clone()).map(Arc::new).map_err(|source| ConnectError::NoToken { file, source })
}

async fn read_config(source: &ConfigSource) -> Result<Config, ConnectError> {
    let file = match source {
        ConfigSource::InCluster => {
            return Config::incluster().map_err(|error| ConnectError::InCluster(one_line(&error)));
        }
        ConfigSource::File(file) => file,
    };
    let wrong = |error: &(dyn std::error::Error + 'static)| ConnectError::Kubeconfig {
        file: file.clone(),
        why: one_line(error),
    };
    let kubeconfig = Kubeconfig::read_from(file).map_err(|error| wrong(&error))?;
    let options = KubeConfigOptions::default();
    Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| wrong(&error))
}

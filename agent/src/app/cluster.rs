//! The API server: finding it, watching it, and publishing hints to it.

use super::Failure;
use crate::{
    config::{self, Config, Switch},
    http::Authorization,
    kernel,
    kube::{Cluster, ConfigSource, ConnectError, Prepared, Reviews, Timeouts, find_config},
    peers, pods,
    publish::{self, Publish},
    state::NodeView,
    tasks::{Stopped, Tasks},
    tick,
};
use std::{fs::File, sync::Arc};
use tokio::sync::watch as channel;

/// Finds the API server's configuration. `None`: there is none, or Kubernetes is switched off.
pub(super) fn find(config: &Config) -> Result<Option<ConfigSource>, Failure> {
    let kube = &config.kube;
    let is_needed = config.http.authorization() == config::Authorization::Kubernetes;
    if kube.mode() == Switch::Off {
        let needed = || anyhow::anyhow!("http.authorization asks the API server: set it to none, or omit --kube off");
        return if is_needed { Err(Failure::usage(needed())) } else { Ok(None) };
    }
    let source = find_config(kube.kubeconfig(), |name| std::env::var(name).ok());
    if source.is_none() {
        if kube.mode() == Switch::On || is_needed {
            return Err(Failure::usage(ConnectError::Absent));
        }
        tracing::info!("found no Kubernetes: cgroups are named by systemd unit, container and path");
    }
    Ok(source)
}

/// Reads the configuration, with the rights of the start. This thread alone does it: a thread that starts now would keep
/// them.
pub(super) fn prepare(source: &ConfigSource) -> Result<Prepared, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let prepared = Cluster::prepare(source, kernel::monotonic, Timeouts::default());
    let prepared = runtime.block_on(prepared).map_err(Failure::usage)?;
    tracing::info!(?source, "watching this Node's Pods");
    Ok(prepared)
}

/// Authorization by the API server. `None`: it is off.
pub(super) fn authorization(config: &Config, cluster: &Cluster) -> Option<Authorization> {
    match config.http.authorization() {
        config::Authorization::None => None,
        config::Authorization::Kubernetes => Some(Authorization::new(Reviews::new(cluster))),
    }
}

/// Values that the tasks below share.
pub(super) struct Watches<'a> {
    pub(super) tasks: &'a mut Tasks,
    pub(super) stopped: &'a Stopped,
    pub(super) cluster: &'a Cluster,
    pub(super) node: &'a str,
    pub(super) config: &'a Config,
}

impl Watches<'_> {
    /// Starts to publish hints, where the configuration wants it.
    pub(super) fn publish(&mut self, view: &channel::Receiver<Arc<NodeView>>) {
        let kube = &self.config.kube;
        let what = Publish { events: kube.publish_events(), conditions: kube.publish_conditions() };
        if what != Publish::default() {
            let stop = self.stopped.clone().wait();
            self.tasks.spawn("publish", publish::publish(self.cluster.clone(), what, view.clone(), stop));
        }
    }

    /// Starts the watches, and the renewal of their token. `conntrack` is the open connection tracking table, where it is wanted and there is one.
    pub(super) fn start(&mut self, conntrack: Option<File>) -> tick::Cluster {
        let kube = &self.config.kube;
        let (cluster, node) = (self.cluster, self.node.to_owned());
        if let Some(renewal) = cluster.token_renewal() {
            self.tasks.spawn("token", renewal.run(self.stopped.clone().wait()));
        }
        let (sender, pods) = channel::channel(Arc::default());
        let stop = self.stopped.clone().wait();
        self.tasks.spawn("pods", pods::watch_pods(cluster.clone(), node.clone(), kube.events(), sender, stop));
        let peers = kube.nodes().then(|| {
            let (sender, peers) = channel::channel(Arc::default());
            let stop = self.stopped.clone().wait();
            let watch = peers::watch_peers(cluster.clone(), node, kube.endpoint_slices(), sender, stop);
            self.tasks.spawn("peers", watch);
            peers
        });
        let translations = conntrack.map(|table| {
            let (sender, translations) = channel::channel(Arc::default());
            let stop = self.stopped.clone().wait();
            self.tasks.spawn("conntrack", peers::watch_conntrack(table, sender, stop));
            translations
        });
        tick::Cluster { pods, peers, translations }
    }
}

//! The API server's part: where it is, what is watched there, and what it is told.

use super::Failure;
use crate::{
    config::{Config, Kube, Switch},
    kernel, peers, pods,
    publish::{self, Publish},
    state::NodeView,
    tasks::{Stopped, Tasks},
    tick,
};
use std::{path::PathBuf, sync::Arc};
use tokio::sync::watch as channel;

/// Where the API server is to be found. `None`: nowhere, or it is not wanted.
pub(super) fn place(config: &Config) -> Result<Option<pods::Place>, Failure> {
    let kube = &config.kube;
    if kube.mode == Switch::Off {
        return Ok(None);
    }
    let place = pods::find(kube.kubeconfig.as_deref(), |name| std::env::var(name).ok());
    if place.is_none() {
        if kube.mode == Switch::On {
            return Err(Failure::usage(pods::ConnectError::Absent));
        }
        tracing::info!("no Kubernetes found: naming cgroups by systemd unit, container and path");
    }
    Ok(place)
}

/// Makes ready to ask the API server. Whether it answers is not asked here.
pub(super) async fn connect(node: &str, place: &pods::Place) -> Result<pods::Cluster, Failure> {
    let cluster =
        pods::Cluster::connect(place, kernel::monotonic, pods::Patience::default()).await.map_err(Failure::usage)?;
    tracing::info!(?place, node, "watching this Node's Pods");
    Ok(cluster)
}

/// Starts telling the API server of hints, where that was asked for.
pub(super) fn tell(
    tasks: &mut Tasks,
    stopped: &Stopped,
    cluster: &pods::Cluster,
    config: &Kube,
    view: &channel::Receiver<Arc<NodeView>>,
) {
    let what = Publish { events: config.publish_events, conditions: config.publish_conditions };
    if what != Publish::default() {
        let stop = stopped.clone().wait();
        tasks.spawn("publish", publish::publish(cluster.clone(), what, view.clone(), stop));
    }
}

/// Starts the watches.
pub(super) fn watch(
    tasks: &mut Tasks,
    stopped: &Stopped,
    cluster: pods::Cluster,
    node: &str,
    config: &Kube,
    conntrack: Option<PathBuf>,
) -> tick::Cluster {
    let (sender, pods) = channel::channel(Arc::default());
    let stop = stopped.clone().wait();
    tasks.spawn("pods", pods::watch_pods(cluster.clone(), node.to_owned(), config.events, sender, stop));
    let peers = config.nodes.then(|| {
        let (sender, peers) = channel::channel(Arc::default());
        let stop = stopped.clone().wait();
        tasks.spawn("peers", peers::watch_peers(cluster, node.to_owned(), config.endpoint_slices, sender, stop));
        peers
    });
    let translations = conntrack.map(|procfs| {
        let (sender, translations) = channel::channel(Arc::default());
        tasks.spawn("conntrack", peers::watch_conntrack(procfs, sender, stopped.clone().wait()));
        translations
    });
    tick::Cluster { pods, peers, translations }
}

//! Watches of Pods and Nodes against two API servers: a stand-in that misbehaves, and a real one.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic, as tests may")]

mod authorization;
mod faults;
mod folder;
mod objects;
mod publish;
mod real;
mod server;
mod slices;

use folder::Folder;
use netwhy_agent::{
    kube::{Cluster, ConfigSource, Timeouts},
    peers::{Peers, watch_peers},
    pods::{Pods, watch_pods},
};
use std::{
    path::Path,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};
use tokio::sync::{oneshot, watch};

/// The Node whose Pods are watched.
const NODE: &str = "node-a";

/// Time since the first call.
fn clock() -> Duration {
    static BEGUN: OnceLock<Instant> = OnceLock::new();
    // Never zero: zero is "never heard".
    BEGUN.get_or_init(Instant::now).elapsed() + Duration::from_secs(1)
}

/// Short, so that tests are, and long enough for a server on a busy machine.
fn short_timeouts() -> Timeouts {
    Timeouts {
        connect: Duration::from_secs(3),
        list: Duration::from_secs(3),
        watch_seconds: 1,
        min_watch: Duration::from_millis(300),
        first_backoff: Duration::from_millis(50),
        max_backoff: Duration::from_millis(400),
    }
}

async fn connect(kubeconfig: &Path, timeouts: Timeouts) -> Cluster {
    Cluster::connect(&ConfigSource::File(kubeconfig.to_owned()), clock, timeouts).await.unwrap()
}

/// A running watch of [`NODE`]'s Pods; ends when dropped.
struct Watching {
    pods: watch::Receiver<Arc<Pods>>,
    _stop: oneshot::Sender<()>,
    _folder: Folder,
}

impl Watching {
    async fn begin(kubeconfig: &str, timeouts: Timeouts) -> Self {
        let folder = Folder::new();
        let cluster = connect(&folder.file("kubeconfig", kubeconfig), timeouts).await;
        let (sender, pods) = watch::channel(Arc::default());
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(watch_pods(cluster, NODE.to_owned(), false, sender, async {
            let _ = stopped.await;
        }));
        Self { pods, _stop: stop, _folder: folder }
    }

    fn now(&self) -> Arc<Pods> {
        self.pods.borrow().clone()
    }

    /// Names of the Pods that exist.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.now().index.live().map(|pod| pod.name.clone()).collect();
        names.sort_unstable();
        names
    }

    fn errors(&self, kind: &str) -> u64 {
        self.now().status.errors.get(kind).copied().unwrap_or(0)
    }

    /// Waits until the view is so.
    async fn until(&mut self, limit: Duration, what: &str, mut holds: impl FnMut(&Self) -> bool) -> Duration {
        let begun = Instant::now();
        while !holds(self) {
            let now = self.now();
            assert!(begun.elapsed() < limit, "not within {limit:?}: {what}: {:?} {:?}", now.status, self.names());
            // The view is published every second at least; between, nothing changes.
            let _ = tokio::time::timeout(Duration::from_millis(100), self.pods.changed()).await;
        }
        begun.elapsed()
    }
}

/// A running watch of Nodes; ends when dropped.
struct WatchingNodes {
    peers: watch::Receiver<Arc<Peers>>,
    _stop: oneshot::Sender<()>,
    _folder: Folder,
}

impl WatchingNodes {
    async fn begin(kubeconfig: &str, own: &str, slices: bool, timeouts: Timeouts) -> Self {
        let folder = Folder::new();
        let cluster = connect(&folder.file("kubeconfig", kubeconfig), timeouts).await;
        let (sender, peers) = watch::channel(Arc::default());
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(watch_peers(cluster, own.to_owned(), slices, sender, async {
            let _ = stopped.await;
        }));
        Self { peers, _stop: stop, _folder: folder }
    }

    async fn until(&mut self, limit: Duration, what: &str, holds: impl Fn(&Peers) -> bool) -> Duration {
        let begun = Instant::now();
        loop {
            let now = self.peers.borrow().clone();
            if holds(&now) {
                return begun.elapsed();
            }
            assert!(
                begun.elapsed() < limit,
                "not within {limit:?}: {what}: {:?}, {} Nodes",
                now.watches,
                now.nodes.len()
            );
            let _ = tokio::time::timeout(Duration::from_millis(100), self.peers.changed()).await;
        }
    }
}

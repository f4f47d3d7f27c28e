//! The task that keeps [`Nodes`] current, cheaply: Nodes change their status every few minutes, but the fields that
//! matter here almost never. So only metadata is watched, and a Node is read when it is new, relabelled, or was not
//! complete yet.

use super::{
    lite::{Named, Reader, zone},
    nodes::{Endpoint, Nodes},
    slices::Slices,
};
use crate::pods::{
    Cluster, WatchStatus,
    client::one_line,
    follow::{Follow, Step, client_kind},
};
use k8s_openapi::api::{core::v1::Node, discovery::v1::EndpointSlice};
use kube::{
    Api,
    core::PartialObjectMeta,
    runtime::watcher::{self, Event},
};
use std::{collections::BTreeMap, future::Future, net::Ipv6Addr, sync::Arc, time::Duration};
use tokio::sync::{mpsc, watch};

/// Objects per page: a page of Nodes is some 2.5 MB while it is read.
const PAGE: u32 = 250;
/// From so many unknown Nodes on, all are listed; below, each is asked for.
const LIST_FROM: usize = 20;
/// A Node without addresses or range is looked at again after this long, then twice as long, until [`LATER`].
const SOON: Duration = Duration::from_secs(5);
const LATER: Duration = Duration::from_secs(600);
/// All Nodes are read again after this long, in case an address changed without anything else.
const REFRESH: Duration = Duration::from_secs(3600);
/// Distance between two publications while things change.
const PUBLISH: Duration = Duration::from_secs(1);
/// An answer must come within this long.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is known of the cluster's Nodes, and how.
#[derive(Clone, Debug, Default)]
pub struct Peers {
    /// All Nodes.
    pub nodes: Arc<Nodes>,
    /// Addresses behind Services; empty unless switched on.
    pub endpoints: Arc<BTreeMap<Ipv6Addr, Endpoint>>,
    /// Whether the cluster has this agent's Node. `None`: not known yet.
    pub own_node_exists: Option<bool>,
    /// Grows with every change of `nodes` and `endpoints`.
    pub version: u64,
    /// How the watches fare.
    pub watches: Vec<WatchStatus>,
}

/// What is known of one Node.
struct Known {
    uid: String,
    zone: Option<Arc<str>>,
    /// When to read it (again), and how long to wait after that. `None`: it is known in full.
    due: Option<(Duration, Duration)>,
}

enum Read {
    Nodes(Vec<Named>),
    Done,
    Failed(kube::Error),
}

struct Table {
    own: String,
    known: BTreeMap<Arc<str>, Known>,
    listed: Option<BTreeMap<Arc<str>, Known>>,
    nodes: Nodes,
    changed: bool,
}

/// Watches all Nodes, and EndpointSlices when `slices` is set, until `stopped`.
///
/// # Errors
/// None: an API server that is away is a state, not an end.
pub async fn watch_peers(
    cluster: Cluster,
    own: String,
    slices: bool,
    published: watch::Sender<Arc<Peers>>,
    stopped: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let config = watcher::Config::default().timeout(cluster.patience.watch_seconds).page_size(PAGE);
    let mut nodes = {
        let (api, config) = (Api::<PartialObjectMeta<Node>>::all(cluster.client.clone()), config.clone());
        Follow::new("nodes", &cluster, move || watcher::watcher(api.clone(), config.clone()))
    };
    let mut slice_watch = slices.then(|| {
        let (api, config) = (Api::<EndpointSlice>::all(cluster.client.clone()), config.clone());
        Follow::new("endpointslices", &cluster, move || watcher::watcher(api.clone(), config.clone()))
    });
    let reader = Reader::new(&cluster.client);
    let (sender, mut reads) = mpsc::channel(4);
    let mut table = Table { own, known: BTreeMap::new(), listed: None, nodes: Nodes::new(), changed: false };
    let mut known_slices = Slices::default();
    let (mut reading, mut read_trouble, mut refreshed) = (false, None::<String>, cluster.heard.clock());
    let (mut read_after, mut read_wait) = (Duration::ZERO, SOON);
    let (mut version, mut slices_changed) = (0, false);
    let mut tick = tokio::time::interval(PUBLISH);
    let mut endpoints = Arc::default();
    let mut stopped = std::pin::pin!(stopped);
    loop {
        tokio::select! {
            () = &mut stopped => return Ok(()),
            step = nodes.next() => if let Step::Event(event) = step {
                table.apply(event, cluster.heard.clock());
            },
            step = next(&mut slice_watch) => if let Step::Event(event) = step {
                slices_changed |= known_slices.apply(event);
            },
            read = reads.recv() => match read {
                Some(Read::Nodes(found)) => table.learn(found, cluster.heard.clock()),
                Some(Read::Failed(error)) => {
                    let (label, remedy) = client_kind(&error);
                    let text = format!("reading nodes: {}: {remedy}", one_line(&error));
                    if read_trouble.is_none() {
                        tracing::warn!(kind = label, "{text}");
                    }
                    read_trouble = Some(text);
                    reading = false;
                    read_after = cluster.heard.clock() + read_wait;
                    read_wait = (read_wait * 2).min(LATER);
                }
                Some(Read::Done) | None => {
                    read_trouble = None;
                    reading = false;
                    read_wait = SOON;
                }
            },
            _ = tick.tick() => {
                let now = cluster.heard.clock();
                let status = nodes.status(table.known.len());
                if status.complete && !reading && now >= read_after {
                    if now.saturating_sub(refreshed) >= REFRESH {
                        refreshed = now;
                        table.expect_all(now);
                    }
                    let due = table.due(now);
                    if !due.is_empty() {
                        reading = true;
                        tokio::spawn(read(reader.clone(), due, sender.clone()));
                    }
                }
                if std::mem::take(&mut slices_changed) {
                    endpoints = Arc::new(known_slices.endpoints());
                    table.changed = true;
                }
                version += u64::from(std::mem::take(&mut table.changed));
                let before = published.borrow().clone();
                let own_node_exists = status.complete.then(|| table.known.contains_key(table.own.as_str()));
                let trouble = status.trouble.clone().or_else(|| read_trouble.clone());
                let mut watches = vec![WatchStatus { trouble, ..status }];
                watches.extend(slice_watch.as_ref().map(|watch| watch.status(known_slices.len())));
                let same = before.version == version;
                published.send_replace(Arc::new(Peers {
                    nodes: if same { before.nodes.clone() } else { Arc::new(table.nodes.clone()) },
                    endpoints: Arc::clone(&endpoints),
                    own_node_exists,
                    version,
                    watches,
                }));
            }
        }
    }
}

async fn next<K: Send + 'static>(watch: &mut Option<Follow<K>>) -> Step<K> {
    match watch {
        Some(watch) => watch.next().await,
        None => std::future::pending().await,
    }
}

/// Reads Nodes: one by one, or all when many are wanted.
async fn read(reader: Reader, due: Vec<Arc<str>>, answers: mpsc::Sender<Read>) {
    let patient = |result: Result<_, tokio::time::error::Elapsed>| {
        result.unwrap_or_else(|elapsed| Err(kube::Error::Service(Box::new(elapsed))))
    };
    let end = async {
        if due.len() < LIST_FROM {
            for name in due {
                let found = patient(
                    tokio::time::timeout(PATIENCE, async {
                        Ok((reader.one(&name).await?.into_iter().collect(), None))
                    })
                    .await,
                )?;
                let (found, _): (Vec<Named>, Option<String>) = found;
                if answers.send(Read::Nodes(found)).await.is_err() {
                    break;
                }
            }
            return Ok(());
        }
        let mut from = None;
        loop {
            let (found, next) = patient(tokio::time::timeout(PATIENCE, reader.page(PAGE, from.as_deref())).await)?;
            if answers.send(Read::Nodes(found)).await.is_err() {
                return Ok(());
            }
            match next {
                Some(next) => from = Some(next),
                None => return Ok(()),
            }
        }
    };
    let end = match end.await {
        Ok(()) => Read::Done,
        Err(error) => Read::Failed(error),
    };
    // Nobody waits for it any more when the agent stops.
    let _ = answers.send(end).await;
}

impl Table {
    fn apply(&mut self, event: Event<PartialObjectMeta<Node>>, now: Duration) {
        match event {
            Event::Init => self.listed = Some(BTreeMap::new()),
            Event::InitApply(meta) => {
                if let Some((name, known)) = self.judge(&meta, now) {
                    self.listed.get_or_insert_default().insert(name, known);
                }
            }
            Event::InitDone => {
                self.known = self.listed.take().unwrap_or_default();
                let before = self.nodes.len();
                self.nodes.retain(|name, _| self.known.contains_key(name));
                self.changed |= self.nodes.len() != before;
            }
            Event::Apply(meta) => {
                if let Some((name, known)) = self.judge(&meta, now) {
                    self.known.insert(name, known);
                }
            }
            Event::Delete(meta) => {
                let name = meta.metadata.name.unwrap_or_default();
                self.known.remove(name.as_str());
                self.changed |= self.nodes.remove(name.as_str()).is_some();
            }
        }
    }

    /// Whether a Node must be read: it is new, another one of the same name, or in another zone.
    fn judge(&self, meta: &PartialObjectMeta<Node>, now: Duration) -> Option<(Arc<str>, Known)> {
        let name: Arc<str> = meta.metadata.name.as_deref()?.into();
        let uid = meta.metadata.uid.clone().unwrap_or_default();
        let zone = zone(meta.metadata.labels.as_ref());
        let due = match self.known.get(&name).filter(|known| known.uid == uid && known.zone == zone) {
            Some(known) => known.due,
            None => Some((now, SOON)),
        };
        Some((name, Known { uid, zone, due }))
    }

    fn learn(&mut self, found: Vec<Named>, now: Duration) {
        for (name, facts) in found {
            let Some(known) = self.known.get_mut(&name) else { continue };
            // A new Node has no addresses until its kubelet reports, and no range until the controller hands one out.
            let whole = !facts.addresses.is_empty() && !facts.pod_ranges.is_empty();
            known.due = match (whole, known.due) {
                (true, _) => None,
                (false, Some((_, wait))) if wait < LATER => Some((now + wait, wait * 2)),
                // Some CNIs use no ranges: then there will never be one.
                (false, _) => None,
            };
            if self.nodes.get(&name) != Some(&facts) {
                self.nodes.insert(name, facts);
                self.changed = true;
            }
        }
    }

    fn due(&self, now: Duration) -> Vec<Arc<str>> {
        let due = self.known.iter().filter(|(_, known)| known.due.is_some_and(|(at, _)| at <= now));
        due.map(|(name, _)| name.clone()).collect()
    }

    fn expect_all(&mut self, now: Duration) {
        for known in self.known.values_mut() {
            known.due.get_or_insert((now, SOON));
        }
    }
}

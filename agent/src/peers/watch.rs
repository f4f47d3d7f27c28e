//! The task that keeps [`Nodes`] current at low cost. Nodes change their status every few minutes, but hardly ever the
//! fields that matter here. So only metadata is watched, and a Node is read when it is new, relabelled or incomplete.

use super::{
    known_nodes::{FIRST_RETRY, KnownNodes, MAX_RETRY},
    lite::{NamedNode, Reader},
    nodes::{Endpoint, Nodes},
    slices::Slices,
};
use crate::{
    api::WatchStatus,
    kube::{Cluster, FailureKind, PageSize, Step, WatchStream, is_too_large, one_line},
};
use ::kube::{Api, core::PartialObjectMeta, runtime::watcher};
use k8s_openapi::api::{core::v1::Node, discovery::v1::EndpointSlice};
use std::{collections::BTreeMap, future::Future, net::Ipv6Addr, sync::Arc, time::Duration};
use tokio::sync::{mpsc, watch};

/// Objects per page. A page of Nodes takes some 2.5 MB while it is read.
const PAGE: u32 = 250;
/// From this many unknown Nodes on, all are listed. Below it, each is read by name.
const LIST_FROM: usize = 20;
/// All Nodes are read again after this long, in case an address changed and nothing else.
const REFRESH: Duration = Duration::from_secs(3600);
/// Time between two publications.
const PUBLISH: Duration = Duration::from_secs(1);
/// Longest request.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The cluster's Nodes, and the status of the watches.
#[derive(Clone, Debug, Default)]
pub struct Peers {
    /// All Nodes.
    pub nodes: Arc<Nodes>,
    /// Addresses behind Services. Empty unless switched on.
    pub endpoints: Arc<BTreeMap<Ipv6Addr, Endpoint>>,
    /// Whether the cluster has this agent's Node. `None`: unknown yet.
    pub own_node_exists: Option<bool>,
    /// Grows with every change of `nodes` and `endpoints`.
    pub version: u64,
    /// Status of the watches.
    pub watches: Vec<WatchStatus>,
}

/// Watches all Nodes until `stopped`, and with `slices` the EndpointSlices too. `own_node` is this Node's name.
///
/// # Errors
/// None: an unreachable API server is a state, not an end.
pub async fn watch_peers(
    cluster: Cluster,
    own_node: String,
    slices: bool,
    published: watch::Sender<Arc<Peers>>,
    stopped: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let (sender, mut answers) = mpsc::channel(4);
    let mut watcher = Watcher::new(cluster, own_node, slices, sender);
    let mut tick = tokio::time::interval(PUBLISH);
    let mut stopped = std::pin::pin!(stopped);
    loop {
        tokio::select! {
            () = &mut stopped => return Ok(()),
            step = watcher.node_stream.next() => if let Step::Event(event) = step {
                let now = watcher.cluster.activity.now();
                watcher.known.apply(event, now);
            },
            step = next(&mut watcher.slice_stream) => if let Step::Event(event) = step {
                watcher.slices_changed |= watcher.slices.apply(event);
            },
            Some(answer) = answers.recv() => watcher.answered(answer),
            _ = tick.tick() => {
                watcher.read_due_nodes();
                watcher.publish(&published);
            }
        }
    }
}

async fn next<K: Send + 'static>(stream: &mut Option<WatchStream<K>>) -> Step<K> {
    match stream {
        Some(stream) => stream.next().await,
        None => std::future::pending().await,
    }
}

/// State of the task.
struct Watcher {
    cluster: Cluster,
    own_node: String,
    node_stream: WatchStream<PartialObjectMeta<Node>>,
    /// `None`: EndpointSlices are not watched.
    slice_stream: Option<WatchStream<EndpointSlice>>,
    known: KnownNodes,
    slices: Slices,
    slices_changed: bool,
    endpoints: Arc<BTreeMap<Ipv6Addr, Endpoint>>,
    version: u64,
    reads: Reads,
}

/// State of the requests for Nodes.
struct Reads {
    reader: Reader,
    answers: mpsc::Sender<Answer>,
    pending: bool,
    last_error: Option<String>,
    not_before: Duration,
    backoff: Duration,
    refreshed_at: Duration,
}

/// Result of reading Nodes.
enum Answer {
    /// Some of them.
    Nodes(Vec<NamedNode>),
    /// The request ended.
    End(Result<(), ::kube::Error>),
}

impl Watcher {
    fn new(cluster: Cluster, own_node: String, slices: bool, answers: mpsc::Sender<Answer>) -> Self {
        let config = watcher::Config::default().timeout(cluster.timeouts.watch_seconds);
        let node_stream = {
            let (api, config) = (Api::<PartialObjectMeta<Node>>::all(cluster.client.clone()), config.clone());
            let begin = move |page| watcher::watcher(api.clone(), config.clone().page_size(page));
            WatchStream::new("nodes", &cluster, PAGE, begin)
        };
        let slice_stream = slices.then(|| {
            let api = Api::<EndpointSlice>::all(cluster.client.clone());
            let begin = move |page| watcher::watcher(api.clone(), config.clone().page_size(page));
            WatchStream::new("endpointslices", &cluster, PAGE, begin)
        });
        let reads = Reads {
            reader: Reader::new(&cluster.client),
            answers,
            pending: false,
            last_error: None,
            not_before: Duration::ZERO,
            backoff: FIRST_RETRY,
            refreshed_at: cluster.activity.now(),
        };
        Self {
            cluster,
            own_node,
            node_stream,
            slice_stream,
            known: KnownNodes::default(),
            slices: Slices::default(),
            slices_changed: false,
            endpoints: Arc::default(),
            version: 0,
            reads,
        }
    }

    fn answered(&mut self, answer: Answer) {
        let now = self.cluster.activity.now();
        match answer {
            Answer::Nodes(found) => self.known.insert(found, now),
            Answer::End(result) => self.reads.ended(result, now),
        }
    }

    /// Starts a request for the Nodes that are due, one request at a time.
    fn read_due_nodes(&mut self) {
        let now = self.cluster.activity.now();
        let is_listed = self.node_stream.status(0).complete;
        if !is_listed || self.reads.pending || now < self.reads.not_before {
            return;
        }
        if now.saturating_sub(self.reads.refreshed_at) >= REFRESH {
            self.reads.refreshed_at = now;
            self.known.refresh(now);
        }
        let due = self.known.due(now);
        if !due.is_empty() {
            self.reads.pending = true;
            tokio::spawn(read(self.reads.reader.clone(), due, self.reads.answers.clone()));
        }
    }

    fn publish(&mut self, published: &watch::Sender<Arc<Peers>>) {
        if std::mem::take(&mut self.slices_changed) {
            self.endpoints = Arc::new(self.slices.endpoints());
            self.known.changed = true;
        }
        self.version += u64::from(std::mem::take(&mut self.known.changed));
        let before = published.borrow().clone();
        let is_same = before.version == self.version;
        let status = self.node_stream.status(self.known.len());
        let last_error = status.last_error.clone().or_else(|| self.reads.last_error.clone());
        let own_node_exists = status.complete.then(|| self.known.contains(&self.own_node));
        let slice_status = self.slice_stream.as_ref().map(|stream| stream.status(self.slices.len()));
        published.send_replace(Arc::new(Peers {
            nodes: if is_same { before.nodes.clone() } else { Arc::new(self.known.nodes.clone()) },
            endpoints: Arc::clone(&self.endpoints),
            own_node_exists,
            version: self.version,
            watches: [WatchStatus { last_error, ..status }].into_iter().chain(slice_status).collect(),
        }));
    }
}

impl Reads {
    fn ended(&mut self, result: Result<(), ::kube::Error>, now: Duration) {
        self.pending = false;
        let Err(error) = result else {
            self.last_error = None;
            self.backoff = FIRST_RETRY;
            return;
        };
        let FailureKind { label, remedy } = FailureKind::of_request(&error);
        let text = format!("reading nodes: {}: {remedy}", one_line(&error));
        if self.last_error.is_none() {
            tracing::warn!(kind = label, "{text}");
        }
        self.last_error = Some(text);
        self.not_before = now + self.backoff;
        self.backoff = (self.backoff * 2).min(MAX_RETRY);
    }
}

/// Reads Nodes: one by one, or all of them when many are due.
async fn read(reader: Reader, due: Vec<Arc<str>>, answers: mpsc::Sender<Answer>) {
    let result =
        if due.len() < LIST_FROM { read_each(&reader, due, &answers).await } else { read_all(&reader, &answers).await };
    // The receiver is gone when the agent stops.
    let _ = answers.send(Answer::End(result)).await;
}

async fn read_each(reader: &Reader, due: Vec<Arc<str>>, answers: &mpsc::Sender<Answer>) -> Result<(), ::kube::Error> {
    for name in due {
        let found = in_time(reader.one(&name)).await?;
        if answers.send(Answer::Nodes(found.into_iter().collect())).await.is_err() {
            break;
        }
    }
    Ok(())
}

async fn read_all(reader: &Reader, answers: &mpsc::Sender<Answer>) -> Result<(), ::kube::Error> {
    let (page, mut continue_token) = (PageSize::new(PAGE), None);
    loop {
        let (found, next) = match in_time(reader.page(page.get(), continue_token.as_deref())).await {
            // The same page again, with fewer objects.
            Err(error) if is_too_large(&error) && page.shrink() => continue,
            read => read?,
        };
        let is_last = next.is_none();
        if answers.send(Answer::Nodes(found)).await.is_err() || is_last {
            return Ok(());
        }
        continue_token = next;
    }
}

async fn in_time<T>(request: impl Future<Output = Result<T, ::kube::Error>>) -> Result<T, ::kube::Error> {
    tokio::time::timeout(TIMEOUT, request)
        .await
        .unwrap_or_else(|elapsed| Err(::kube::Error::Service(Box::new(elapsed))))
}

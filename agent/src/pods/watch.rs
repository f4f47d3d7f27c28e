//! The task that keeps the [`PodIndex`] current: a watch of this Node's Pods and nothing else.

use super::{
    client::Cluster,
    convert::pod_info,
    events::{Answer, Warnings},
    follow::{Follow, Step, WatchStatus},
    index::{Change, PodIndex},
};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api,
    runtime::watcher::{self, Event},
};
use std::{future::Future, sync::Arc, time::Duration};
use tokio::sync::watch;

/// Objects per page of a list.
const PAGE: u32 = 250;
/// How often the figures are published when nothing changes: the view's age grows by it at most.
const PUBLISH: Duration = Duration::from_secs(1);

/// What is known of this Node's Pods, and how.
#[derive(Clone, Debug, Default)]
pub struct Pods {
    /// The Pods.
    pub index: Arc<PodIndex>,
    /// How the watch fares.
    pub status: WatchStatus,
    /// How the requests for warnings fare. `None`: switched off.
    pub events: Option<WatchStatus>,
}

/// Watches the Pods of `node` until `stopped`, and publishes every change. Asks for warnings of Pods in trouble when
/// `warnings` is set. Failures are counted, logged and waited out: this never gives up.
///
/// # Errors
/// None: an API server that is away is a state, not an end.
pub async fn watch_pods(
    cluster: Cluster,
    node: String,
    warnings: bool,
    published: watch::Sender<Arc<Pods>>,
    stopped: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let api: Api<Pod> = Api::all(cluster.client.clone());
    // The field selector keeps the API server from sending, and this agent from knowing, other Nodes' Pods.
    let config = watcher::Config::default()
        .fields(&format!("spec.nodeName={node}"))
        .timeout(cluster.patience.watch_seconds)
        .page_size(PAGE);
    let mut follow = Follow::new("pods", &cluster, move || watcher::watcher(api.clone(), config.clone()));
    let mut asking = warnings.then(|| Warnings::new(&cluster));
    let mut index = PodIndex::default();
    let mut tick = tokio::time::interval(PUBLISH);
    let mut stopped = std::pin::pin!(stopped);
    loop {
        let changed = tokio::select! {
            () = &mut stopped => return Ok(()),
            step = follow.next() => match step {
                Step::Event(event) => {
                    let publish = !matches!(event, Event::Init | Event::InitApply(_));
                    if let Some(change) = change(event) {
                        index.apply(change, cluster.heard.clock());
                    }
                    publish
                }
                Step::Trouble => true,
            },
            answer = next_answer(&mut asking) => {
                if let Answer::Warnings { uid, events } = answer {
                    index.set_events(&uid, events);
                }
                true
            }
            _ = tick.tick() => {
                if let Some(asking) = &mut asking {
                    asking.ask(index.live(), cluster.heard.clock());
                }
                true
            }
        };
        if changed {
            let status = follow.status(index.len());
            let events = asking.as_ref().map(|asking| asking.status());
            let same = Arc::new(index.clone());
            published.send_replace(Arc::new(Pods { index: same, status, events }));
        }
    }
}

async fn next_answer(asking: &mut Option<Warnings>) -> Answer {
    match asking {
        Some(asking) => asking.next().await,
        None => std::future::pending().await,
    }
}

fn change(event: Event<Pod>) -> Option<Change> {
    Some(match event {
        Event::Init => Change::Init,
        Event::InitApply(pod) => Change::Listed(pod_info(&pod)?),
        Event::InitDone => Change::InitDone,
        Event::Apply(pod) => Change::Applied(pod_info(&pod)?),
        Event::Delete(pod) => Change::Deleted(pod.metadata.uid?),
    })
}

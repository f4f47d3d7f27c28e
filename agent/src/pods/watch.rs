//! The task that keeps the [`PodIndex`] current: a watch of this Node's Pods and nothing else.

use super::{
    convert::pod_info,
    events::{Answer, PodWarnings},
    index::{Change, PodIndex},
};
use crate::{
    api::WatchStatus,
    kube::{Cluster, Step, WatchStream},
};
use ::kube::{
    Api,
    runtime::watcher::{self, Event},
};
use k8s_openapi::api::core::v1::Pod;
use std::{future::Future, sync::Arc, time::Duration};
use tokio::sync::watch;

/// Objects per page of a list at most. A page is bounded in bytes too.
const PAGE: u32 = 250;
/// Time between two publications without a change. The published age is at most this much too low.
const PUBLISH: Duration = Duration::from_secs(1);

/// This Node's Pods, and the status of the requests for them.
#[derive(Clone, Debug, Default)]
pub struct Pods {
    /// The Pods.
    pub index: Arc<PodIndex>,
    /// Status of the watch.
    pub status: WatchStatus,
    /// Status of the requests for warnings. `None`: switched off.
    pub events: Option<WatchStatus>,
}

/// Watches the Pods of `node` until `stopped`, and publishes every change. With `warnings`, it also requests the
/// warnings about Pods in trouble. Failures are counted, logged and retried with backoff.
///
/// # Errors
/// None: an unreachable API server is a state, not an end.
pub async fn watch_pods(
    cluster: Cluster,
    node: String,
    warnings: bool,
    published: watch::Sender<Arc<Pods>>,
    stopped: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let mut stream = pod_stream(&cluster, &node);
    let mut warnings = warnings.then(|| PodWarnings::new(&cluster));
    let mut index = PodIndex::default();
    let mut tick = tokio::time::interval(PUBLISH);
    let mut stopped = std::pin::pin!(stopped);
    loop {
        let changed = tokio::select! {
            () = &mut stopped => return Ok(()),
            step = stream.next() => match step {
                Step::Event(event) => {
                    let publish = !matches!(event, Event::Init | Event::InitApply(_));
                    if let Some(change) = change(event) {
                        index.apply(change, cluster.activity.now());
                    }
                    publish
                }
                Step::Failed => true,
            },
            answer = next_answer(&mut warnings) => {
                if let Answer::Warnings { uid, events } = answer {
                    index.set_events(&uid, events);
                }
                true
            }
            _ = tick.tick() => {
                if let Some(warnings) = &mut warnings {
                    warnings.request(index.live(), cluster.activity.now());
                }
                true
            }
        };
        if changed {
            let status = stream.status(index.len());
            let events = warnings.as_ref().map(PodWarnings::status);
            published.send_replace(Arc::new(Pods { index: Arc::new(index.clone()), status, events }));
        }
    }
}

/// The field selector keeps the API server from sending other Nodes' Pods to this agent.
fn pod_stream(cluster: &Cluster, node: &str) -> WatchStream<Pod> {
    let api: Api<Pod> = Api::all(cluster.client.clone());
    let config =
        watcher::Config::default().fields(&format!("spec.nodeName={node}")).timeout(cluster.timeouts.watch_seconds);
    WatchStream::new("pods", cluster, PAGE, move |page| watcher::watcher(api.clone(), config.clone().page_size(page)))
}

async fn next_answer(warnings: &mut Option<PodWarnings>) -> Answer {
    match warnings {
        Some(warnings) => warnings.next().await,
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

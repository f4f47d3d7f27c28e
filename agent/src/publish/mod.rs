//! Hints where Kubernetes' own tools show them: Events on Pods, a condition on this Node. Off unless asked for.
//!
//! ```text
//! NodeView.hints ─► Bulletin (what was said, what is due) ─► Act ─► objects (JSON) ─► PATCH, one a second at most
//!                   pure                                            pure
//! ```
//! Only this file speaks to the API server. It applies objects by name (server-side apply), so that what is said twice, or
//! again after a restart, changes what is there instead of adding to it.

mod bulletin;
mod objects;

use crate::{
    pods::{Cluster, client::one_line, follow::client_kind},
    state::NodeView,
};
use bulletin::{Act, Bulletin};
use k8s_openapi::api::core::v1::{Event, Node};
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use std::{future::Future, sync::Arc, time::Duration};
use tokio::sync::watch;

/// Requests are so far apart at least.
const APART: Duration = Duration::from_secs(1);
/// An answer must come within this long.
const PATIENCE: Duration = Duration::from_secs(20);
/// Who applies, for the API server.
const MANAGER: &str = "netwhy-agent";

/// What is published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Publish {
    /// Events on Pods.
    pub events: bool,
    /// The condition on the Node.
    pub conditions: bool,
}

/// Tells the API server of firing hints until `stopped`.
///
/// # Errors
/// None: an API server that is away, or refuses, is waited out.
pub async fn publish(
    cluster: Cluster,
    what: Publish,
    view: watch::Receiver<Arc<NodeView>>,
    stopped: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let mut bulletin = Bulletin::new(what);
    let mut tick = tokio::time::interval(APART);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut stopped = std::pin::pin!(stopped);
    let mut trouble = false;
    loop {
        tokio::select! {
            () = &mut stopped => return Ok(()),
            _ = tick.tick() => {}
        }
        let now = view.borrow().clone();
        let Some(act) = bulletin.next(&now, cluster.heard.clock()) else { continue };
        let said = tokio::select! {
            () = &mut stopped => return Ok(()),
            said = tokio::time::timeout(PATIENCE, perform(&cluster, &act)) => said,
        };
        let (refused, text) = match said {
            Ok(Ok(())) => {
                bulletin.done(&act, cluster.heard.clock());
                trouble = false;
                continue;
            }
            Ok(Err(error)) => {
                let (_, remedy) = client_kind(&error);
                (is_refusal(&error), format!("{}: {remedy}", one_line(&error)))
            }
            Err(_) => (false, format!("no answer within {} s", PATIENCE.as_secs())),
        };
        bulletin.failed(&act, refused, cluster.heard.clock());
        if !trouble {
            tracing::warn!("hints can't be published: {text}");
        }
        trouble = true;
    }
}

async fn perform(cluster: &Cluster, act: &Act) -> Result<(), kube::Error> {
    let params = PatchParams::apply(MANAGER).force();
    match act {
        Act::Event(event) => {
            let api: Api<Event> = Api::namespaced(cluster.client.clone(), &event.namespace);
            api.patch(&event.name(), &params, &Patch::Apply(objects::event(event))).await.map(drop)
        }
        Act::Condition(condition) => {
            let api: Api<Node> = Api::all(cluster.client.clone());
            api.patch_status(&condition.node, &params, &Patch::Apply(objects::condition(condition))).await.map(drop)
        }
    }
}

/// Asking again soon would be refused again.
fn is_refusal(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if matches!(status.code, 401 | 403 | 404 | 422))
}

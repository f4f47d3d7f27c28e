//! Publishes hints where Kubernetes' own tools show them: Events on Pods, and a condition on this Node. Off by default.
//!
//! ```text
//! NodeView.hints ─► Schedule (what is published, what is due) ─► Action ─► objects (JSON) ─► PATCH, one a second at
//! most
//!                   pure                                                  pure
//! ```
//! Only this file speaks to the API server. It uses server-side apply by name. So a repeated Action, also after a
//! restart, changes the existing object instead of adding one.

mod objects;
mod schedule;

use crate::{
    kube::{Cluster, FailureKind, one_line},
    state::NodeView,
};
use ::kube::{
    Api,
    api::{Patch, PatchParams},
};
use k8s_openapi::api::core::v1::{Event, Node};
use schedule::{Action, Schedule};
use std::{future::Future, sync::Arc, time::Duration};
use tokio::sync::watch;

/// Shortest time between two requests.
const MIN_INTERVAL: Duration = Duration::from_secs(1);
/// Longest request.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Field manager of server-side apply.
const MANAGER: &str = "netwhy-agent";

/// Kinds of objects that are published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Publish {
    /// Events on Pods.
    pub events: bool,
    /// The condition on the Node.
    pub conditions: bool,
}

/// Publishes firing hints until `stopped`.
///
/// # Errors
/// None: after a failure or a refusal it retries later.
pub async fn publish(
    cluster: Cluster,
    what: Publish,
    view: watch::Receiver<Arc<NodeView>>,
    stopped: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let mut schedule = Schedule::new(what);
    let mut tick = tokio::time::interval(MIN_INTERVAL);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut stopped = std::pin::pin!(stopped);
    let mut is_failing = false;
    loop {
        tokio::select! {
            () = &mut stopped => return Ok(()),
            _ = tick.tick() => {}
        }
        let view = view.borrow().clone();
        let Some(action) = schedule.next(&view, cluster.activity.now()) else { continue };
        let result = tokio::select! {
            () = &mut stopped => return Ok(()),
            result = perform(&cluster, &action) => result,
        };
        let now = cluster.activity.now();
        match result {
            Ok(()) => schedule.succeeded(&action, now),
            Err(Failure { is_refusal, ref text }) => {
                schedule.failed(&action, is_refusal, now);
                // The first of a series.
                if !is_failing {
                    tracing::warn!("failed to publish a hint: {text}");
                }
            }
        }
        is_failing = result.is_err();
    }
}

/// A request that failed.
struct Failure {
    /// The API server refuses the request, and would refuse it again soon.
    is_refusal: bool,
    text: String,
}

async fn perform(cluster: &Cluster, action: &Action) -> Result<(), Failure> {
    match tokio::time::timeout(TIMEOUT, patch(cluster, action)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => {
            let text = format!("{}: {}", one_line(&error), FailureKind::of_request(&error).remedy);
            Err(Failure { is_refusal: is_refusal(&error), text })
        }
        Err(_) => {
            let text = format!("no response within {} s; the agent retries", TIMEOUT.as_secs());
            Err(Failure { is_refusal: false, text })
        }
    }
}

async fn patch(cluster: &Cluster, action: &Action) -> Result<(), ::kube::Error> {
    let params = PatchParams::apply(MANAGER).force();
    match action {
        Action::Event(event) => {
            let api: Api<Event> = Api::namespaced(cluster.client.clone(), &event.namespace);
            api.patch(&event.name(), &params, &Patch::Apply(objects::event(event))).await.map(drop)
        }
        Action::Condition(condition) => {
            let api: Api<Node> = Api::all(cluster.client.clone());
            api.patch_status(&condition.node, &params, &Patch::Apply(objects::condition(condition))).await.map(drop)
        }
    }
}

fn is_refusal(error: &::kube::Error) -> bool {
    matches!(error, ::kube::Error::Api(status) if matches!(status.code, 401 | 403 | 404 | 422))
}

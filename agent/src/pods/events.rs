//! Warnings about Pods in trouble, requested for one Pod at a time. Events can't be selected by Node, and all Events of
//! a cluster would be too many.

use super::convert::pod_event;
use crate::{
    api::{PodEvent, PodInfo, WatchStatus},
    kube::{Cluster, FailureKind, one_line},
};
use ::kube::{Api, api::ListParams};
use k8s_openapi::api::core::v1::Event;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::sync::mpsc;

/// Warnings of one Pod are requested again after this long while its trouble lasts.
const REFRESH: Duration = Duration::from_secs(60);
/// Pause after a refusal.
const REFUSAL_PAUSE: Duration = Duration::from_secs(600);
/// Shortest time between two requests. A Node with 100 Pods in trouble takes 100 s for one round.
const MIN_INTERVAL: Duration = Duration::from_secs(1);
/// Warnings per request.
const LIMIT: u32 = 50;
/// Longest request.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Result of one request.
pub(super) enum Answer {
    /// A Pod's warnings, newest first.
    Warnings {
        /// `metadata.uid`.
        uid: String,
        /// The warnings.
        events: Vec<PodEvent>,
    },
    /// The request failed. The status says why.
    Failed,
}

type Listed = (String, Result<Vec<PodEvent>, ::kube::Error>);

/// Requests the warnings.
pub(super) struct PodWarnings {
    cluster: Cluster,
    /// Time of the last request by Pod UID.
    requested: HashMap<String, Duration>,
    pending: bool,
    not_before: Duration,
    status: WatchStatus,
    sender: mpsc::Sender<Listed>,
    answers: mpsc::Receiver<Listed>,
}

impl PodWarnings {
    pub(super) fn new(cluster: &Cluster) -> Self {
        let (sender, answers) = mpsc::channel(1);
        Self {
            cluster: cluster.clone(),
            requested: HashMap::new(),
            pending: false,
            not_before: Duration::ZERO,
            status: WatchStatus { name: "events".to_owned(), ..WatchStatus::default() },
            sender,
            answers,
        }
    }

    /// Starts a request for the Pod in trouble whose last request is the oldest, if one is due.
    pub(super) fn request<'a>(&mut self, pods: impl Iterator<Item = &'a Arc<PodInfo>>, now: Duration) {
        let troubled: HashMap<&str, &Arc<PodInfo>> =
            pods.filter(|pod| pod.is_troubled()).map(|pod| (pod.uid.as_str(), pod)).collect();
        self.requested.retain(|uid, _| troubled.contains_key(uid.as_str()));
        if self.pending || now < self.not_before {
            return;
        }
        let is_due = |uid: &&&str| self.requested.get(**uid).is_none_or(|at| now.saturating_sub(*at) >= REFRESH);
        let oldest = troubled.keys().filter(is_due).min_by_key(|uid| self.requested.get(**uid).copied());
        let Some(pod) = oldest.map(|uid| troubled[uid].clone()) else { return };
        self.requested.insert(pod.uid.clone(), now);
        self.pending = true;
        self.not_before = now + MIN_INTERVAL;
        let api = Api::<Event>::namespaced(self.cluster.client.clone(), &pod.namespace);
        tokio::spawn(list(api, pod.uid.clone(), self.sender.clone()));
    }

    /// The next answer. Waits forever while no request is pending.
    pub(super) async fn next(&mut self) -> Answer {
        let Some((uid, result)) = self.answers.recv().await else { return std::future::pending().await };
        self.pending = false;
        match result {
            Ok(events) => {
                self.status.complete = true;
                self.status.lists += 1;
                self.status.last_error = None;
                Answer::Warnings { uid, events }
            }
            Err(error) => {
                let kind = FailureKind::of_request(&error);
                *self.status.errors.entry(kind.label.to_owned()).or_default() += 1;
                let text = format!("listing a Pod's events: {}: {}", one_line(&error), kind.remedy);
                if self.status.last_error.is_none() {
                    tracing::warn!(kind = kind.label, "{text}");
                }
                self.status.last_error = Some(text);
                if kind.is_lasting() {
                    self.not_before = self.cluster.activity.now() + REFUSAL_PAUSE;
                }
                Answer::Failed
            }
        }
    }

    /// Status of the requests. `objects` is the number of Pods whose warnings were requested.
    pub(super) fn status(&self) -> WatchStatus {
        let age_seconds = self.cluster.activity.age(&self.status.name).map(|age| age.as_secs_f64());
        WatchStatus { objects: self.requested.len() as u64, age_seconds, ..self.status.clone() }
    }
}

async fn list(api: Api<Event>, uid: String, answers: mpsc::Sender<Listed>) {
    let selector = format!("involvedObject.uid={uid},type=Warning");
    let params = ListParams::default().fields(&selector).limit(LIMIT);
    let listed = match tokio::time::timeout(TIMEOUT, api.list(&params)).await {
        Ok(listed) => listed,
        Err(elapsed) => Err(::kube::Error::Service(Box::new(elapsed))),
    };
    let events = listed.map(|list| {
        let mut events: Vec<PodEvent> = list.items.iter().map(pod_event).collect();
        events.sort_by_key(|event| std::cmp::Reverse(event.at_ms));
        events
    });
    // The receiver is gone when the agent stops.
    let _ = answers.send((uid, events)).await;
}

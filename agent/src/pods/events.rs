//! Warnings about Pods in trouble, asked for one Pod at a time: Events can't be selected by Node, and all of a cluster's
//! would be a flood.

use super::{
    client::{Cluster, one_line},
    convert::pod_event,
    follow::{WatchStatus, client_kind},
    info::{PodEvent, PodInfo},
};
use k8s_openapi::api::core::v1::Event;
use kube::{Api, api::ListParams};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::sync::mpsc;

/// A Pod's warnings are asked for again after this long while its trouble lasts.
const AGAIN: Duration = Duration::from_secs(60);
/// After a refusal nothing is asked for this long.
const REFUSED: Duration = Duration::from_secs(600);
/// Requests per second at most: one. A Node with 100 Pods in trouble takes 100 s for a round.
const APART: Duration = Duration::from_secs(1);
/// Warnings per request.
const LIMIT: u32 = 50;
/// An answer must come within this long.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a request came to.
pub(super) enum Answer {
    /// A Pod's warnings, newest first.
    Warnings {
        /// `metadata.uid`.
        uid: String,
        /// The warnings.
        events: Vec<PodEvent>,
    },
    /// Nothing; the status says why.
    Failed,
}

/// Asks for warnings.
pub(super) struct Warnings {
    cluster: Cluster,
    asked: HashMap<String, Duration>,
    pending: bool,
    not_before: Duration,
    status: WatchStatus,
    sender: mpsc::Sender<(String, Result<Vec<PodEvent>, kube::Error>)>,
    answers: mpsc::Receiver<(String, Result<Vec<PodEvent>, kube::Error>)>,
}

impl Warnings {
    pub(super) fn new(cluster: &Cluster) -> Self {
        let (sender, answers) = mpsc::channel(1);
        let status = WatchStatus { name: "events".to_owned(), ..WatchStatus::default() };
        let asked = HashMap::new();
        Self { cluster: cluster.clone(), asked, pending: false, not_before: Duration::ZERO, status, sender, answers }
    }

    /// Asks for the Pod in trouble that waited longest, if one is due.
    pub(super) fn ask<'a>(&mut self, pods: impl Iterator<Item = &'a Arc<PodInfo>>, now: Duration) {
        let troubled: HashMap<&str, &Arc<PodInfo>> =
            pods.filter(|pod| pod.is_troubled()).map(|pod| (pod.uid.as_str(), pod)).collect();
        self.asked.retain(|uid, _| troubled.contains_key(uid.as_str()));
        if self.pending || now < self.not_before {
            return;
        }
        let due = |uid: &&&str| self.asked.get(**uid).is_none_or(|at| now.saturating_sub(*at) >= AGAIN);
        let Some(pod) = troubled.keys().filter(due).min_by_key(|uid| self.asked.get(**uid).copied()) else { return };
        let pod = troubled[pod].clone();
        self.asked.insert(pod.uid.clone(), now);
        self.pending = true;
        self.not_before = now + APART;
        let (api, sender) =
            (Api::<Event>::namespaced(self.cluster.client.clone(), &pod.namespace), self.sender.clone());
        tokio::spawn(async move {
            let selector = format!("involvedObject.uid={},type=Warning", pod.uid);
            let params = ListParams::default().fields(&selector).limit(LIMIT);
            let listed = match tokio::time::timeout(PATIENCE, api.list(&params)).await {
                Ok(listed) => listed,
                Err(elapsed) => Err(kube::Error::Service(Box::new(elapsed))),
            };
            let events = listed.map(|list| {
                let mut events: Vec<PodEvent> = list.items.iter().map(pod_event).collect();
                events.sort_by_key(|event| std::cmp::Reverse(event.at_ms));
                events
            });
            // Nobody waits for it any more when the agent stops.
            let _ = sender.send((pod.uid.clone(), events)).await;
        });
    }

    /// The next answer; waits for ever when nothing was asked.
    pub(super) async fn next(&mut self) -> Answer {
        let Some((uid, result)) = self.answers.recv().await else { return std::future::pending().await };
        self.pending = false;
        match result {
            Ok(events) => {
                self.status.complete = true;
                self.status.lists += 1;
                self.status.trouble = None;
                Answer::Warnings { uid, events }
            }
            Err(error) => {
                let (label, remedy) = client_kind(&error);
                *self.status.errors.entry(label.to_owned()).or_default() += 1;
                let text = format!("asking for a Pod's events: {}: {remedy}", one_line(&error));
                if self.status.trouble.is_none() {
                    tracing::warn!(kind = label, "{text}");
                }
                self.status.trouble = Some(text);
                if matches!(label, "forbidden" | "unauthorized" | "throttled") {
                    self.not_before = self.cluster.heard.clock() + REFUSED;
                }
                Answer::Failed
            }
        }
    }

    /// How the requests fare; `objects` is the number of Pods that were asked about.
    pub(super) fn status(&self) -> WatchStatus {
        let age_seconds = self.cluster.heard.age(&self.status.name).map(|age| age.as_secs_f64());
        WatchStatus { objects: self.asked.len() as u64, age_seconds, ..self.status.clone() }
    }
}

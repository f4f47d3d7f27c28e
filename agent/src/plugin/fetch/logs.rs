//! Logs of containers from the API server, which asks the kubelets.

mod lines;

use super::{
    super::{
        Failure,
        model::{
            Kind, Target,
            logs::{Line, Source},
            why::PodName,
        },
    },
    errors::{from_api, is_absent, timed_out},
    objects::{list_all, pod_with_node, request, resolve},
    session::{Connection, Session},
};
use crate::api::{ContainerKind, ContainerState, PodInfo};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client,
    api::{ListParams, LogParams},
};
use lines::Lines;
use std::{sync::Arc, time::Duration};
use tokio::{sync::mpsc::Sender, time::timeout};

/// Pause before a container that ended is asked for again.
const PAUSE: Duration = Duration::from_secs(2);

/// News of one source. Nothing follows the last one but the end of the channel.
#[derive(Debug)]
pub enum Event {
    /// It can be read.
    Open,
    /// Its next line.
    Line(Line),
    /// It can't be read, or no further.
    Failed(Failure),
}

/// How much of a source to read.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    /// Lines since then. `None`: from the beginning of the log.
    pub begin: Option<Timestamp>,
    /// Newest lines. `None`: all.
    pub tail: Option<u32>,
    /// Wait for new lines, and for the next run of the container.
    pub follow: bool,
}

/// The API server of a session.
fn client(session: &Session) -> Result<&Client, Failure> {
    match &session.connection {
        Connection::Cluster(client) => Ok(client),
        Connection::Direct(_) => Err(Failure::new("the API server has the logs, an agent has none", "omit --agent")),
    }
}

/// The Pods of a target, each with its Node.
///
/// # Errors
/// When there is no such target, or the API server refuses.
pub async fn log_pods(session: &Session, target: &Target) -> Result<Vec<(String, Arc<PodInfo>)>, Failure> {
    let client = client(session)?;
    let namespace = session.namespace.clone().unwrap_or_else(|| "default".to_owned());
    let found = resolve(session, client, &namespace, target).await?;
    let pods = match found.kind {
        Kind::Node => {
            let api: Api<Pod> = Api::all(client.clone());
            let params = ListParams::default().fields(&format!("spec.nodeName={}", found.name));
            list_all(session, &format!("list the Pods of Node {}", found.name), &api, params).await?
        }
        _ => found.pods,
    };
    Ok(pods.iter().filter_map(pod_with_node).collect())
}

/// One Pod with its Node.
///
/// # Errors
/// When there is no such Pod, or the API server refuses.
pub async fn log_pod(session: &Session, pod: &PodName) -> Result<(String, Arc<PodInfo>), Failure> {
    let api: Api<Pod> = Api::namespaced(client(session)?.clone(), &pod.namespace);
    let what = format!("get Pod {pod}");
    let object = request(session, &what, api.get(&pod.name)).await?;
    pod_with_node(&object).ok_or_else(|| Failure::new(format!("{what}: it has no UID"), ""))
}

/// Reads a source until its end, and sends all of it. With `follow` also the next runs, until the Pod is gone.
pub async fn read_log(session: Session, source: Source, range: Range, events: Sender<Event>) {
    let reader = Reader { session: &session, source: &source, range, events: &events };
    if let Err(failure) = reader.run().await {
        // Nobody listens any more, or takes it.
        let _ = events.send(Event::Failed(failure)).await;
    }
}

struct Reader<'a> {
    session: &'a Session,
    source: &'a Source,
    range: Range,
    events: &'a Sender<Event>,
}

/// The next step of a reader that follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Run {
    /// There is a run to read.
    Present,
    /// There is one, and it is the last.
    Over,
    /// There is none, and will be none: the Pod is gone, or another one has its name.
    Gone,
}

/// The run of a container that was read last.
#[derive(Debug, Default)]
struct Seen {
    /// UID of its Pod. `None`: not asked yet.
    uid: Option<String>,
    /// Container ID, which each run has of its own. `None`: no run was read.
    id: Option<Option<String>>,
}

impl Seen {
    /// The next step. `None`: to wait. A run may be over before anybody has seen it run.
    fn next(&mut self, pod: &PodInfo, container: &str) -> Option<Run> {
        if self.uid.get_or_insert_with(|| pod.uid.clone()) != &pod.uid {
            return Some(Run::Gone);
        }
        let Some(container) = pod.containers.iter().find(|one| one.name == container) else { return Some(Run::Gone) };
        let is_first = self.id.is_none();
        let is_new = self.id.as_ref() != Some(&container.id);
        let run = match &container.state {
            ContainerState::Running { .. } => Some(Run::Present),
            _ if pod.is_over() => Some(if is_new { Run::Over } else { Run::Gone }),
            ContainerState::Ended(ended) if container.kind == ContainerKind::Init && ended.exit_code == 0 => {
                Some(if is_new { Run::Over } else { Run::Gone })
            }
            ContainerState::Ended(_) => is_new.then_some(Run::Present),
            // At first, that is the previous run, a source of its own.
            ContainerState::Waiting(_) | ContainerState::Unknown => (is_new && !is_first).then_some(Run::Present),
        };
        self.id = Some(container.id.clone());
        run
    }
}

impl Reader<'_> {
    async fn run(&self) -> Result<(), Failure> {
        let (mut newest, mut tail) = (None, self.range.tail);
        if !self.range.follow || self.source.previous {
            return self.stream(&mut newest, tail, false).await.map(drop);
        }
        let mut seen = Seen::default();
        let mut warned = false;
        loop {
            let run = self.wait(&mut seen).await?;
            if matches!(run, Run::Gone) {
                return Ok(());
            }
            match self.stream(&mut newest, tail, true).await {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                // Of a Pod that could be read, the connection may come back.
                Err(failure) if newest.is_some() && !warned => {
                    warned = true;
                    let _ = self.events.send(Event::Failed(failure)).await;
                }
                Err(_) if newest.is_some() => {}
                Err(failure) => return Err(failure),
            }
            if matches!(run, Run::Over) {
                return Ok(());
            }
            // The rest of the log, not its last lines again.
            tail = None;
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Waits until the container has something to read.
    async fn wait(&self, seen: &mut Seen) -> Result<Run, Failure> {
        let pod = PodName { namespace: self.source.namespace.clone(), name: self.source.pod.clone() };
        loop {
            match self.pod(&pod).await {
                Ok(None) => return Ok(Run::Gone),
                Ok(Some(info)) => {
                    if let Some(run) = seen.next(&info, &self.source.container) {
                        return Ok(run);
                    }
                }
                Err(failure) if seen.uid.is_none() => return Err(failure),
                // It may answer again.
                Err(_) => {}
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn pod(&self, pod: &PodName) -> Result<Option<Arc<PodInfo>>, Failure> {
        let api: Api<Pod> = Api::namespaced(client(self.session)?.clone(), &pod.namespace);
        let asked = timeout(self.session.global.request_timeout, api.get(&pod.name)).await;
        match asked {
            Err(_) => Err(timed_out(&self.name(), self.session.global.request_timeout)),
            Ok(Err(error)) if is_absent(&error) => Ok(None),
            Ok(Err(error)) => Err(from_api(&self.name(), &error)),
            Ok(Ok(object)) => Ok(pod_with_node(&object).map(|(_, info)| info)),
        }
    }

    /// Sends the lines of one request. False: nobody listens any more.
    async fn stream(&self, newest: &mut Option<Timestamp>, tail: Option<u32>, follow: bool) -> Result<bool, Failure> {
        let source = self.source;
        let begin = newest.or(self.range.begin);
        let params = LogParams {
            container: Some(source.container.clone()),
            follow,
            previous: source.previous,
            // Whole seconds: the API has no others.
            since_time: begin.and_then(|begin| Timestamp::from_second(begin.as_second()).ok()),
            tail_lines: tail.map(i64::from),
            timestamps: true,
            ..LogParams::default()
        };
        let api: Api<Pod> = Api::namespaced(client(self.session)?.clone(), &source.namespace);
        // The head of a log without lines comes with its first line when it is followed.
        let limit = if follow { Duration::MAX } else { self.session.global.request_timeout };
        let late = |_| timed_out(&self.name(), limit);
        let opened = timeout(limit, api.log_stream(&source.pod, &params)).await.map_err(late)?;
        let mut lines = Lines::new(opened.map_err(|error| from_api(&self.name(), &error))?);
        if self.events.send(Event::Open).await.is_err() {
            return Ok(false);
        }
        let seen = *newest;
        loop {
            let read = timeout(limit, lines.next()).await.map_err(late)?;
            let read = read
                .map_err(|error| Failure::new(format!("{}: the log broke off: {error}", self.name()), "ask again"))?;
            let Some(line) = read else { return Ok(true) };
            let is_old = line
                .time
                .is_some_and(|time| seen.is_some_and(|seen| time <= seen) || begin.is_some_and(|begin| time < begin));
            if is_old {
                continue;
            }
            *newest = line.time.or(*newest);
            if self.events.send(Event::Line(line)).await.is_err() {
                return Ok(false);
            }
        }
    }

    fn name(&self) -> String {
        let Source { namespace, pod, container, previous, .. } = self.source;
        let run = if *previous { ", its previous run" } else { "" };
        format!("log of {namespace}/{pod}, container {container}{run}")
    }
}

#[cfg(test)]
mod tests;

//! `logs`: the lines of the culprit's and the target's containers, merged by time.

use super::print;
use crate::{
    plugin::{
        Failure,
        cli::{Cli, LogsArgs},
        fetch::{Event, Range, Session, log_pod, log_pods, read_log},
        model::{
            logs::{MAX_SOURCES, Merge, Role, Source, Taken, Wanted, begin, bounded, introduction, nothing_to_read},
            why::{Explanation, PodName},
        },
        render::LogView,
        reports, terminal,
    },
    text::{Text, complain},
};
use futures::future::{FutureExt as _, join_all};
use jiff::Timestamp;
use std::{future::poll_fn, sync::Arc, task::Poll, time::Duration};
use tokio::{
    sync::mpsc::{self, Receiver},
    task::JoinSet,
    time::{Instant, sleep},
};

/// Lines of a source that wait to be merged.
const WAITING: usize = 16;
/// With `--follow`, a line waits so long for older ones of other containers.
const PATIENCE: Duration = Duration::from_millis(700);
/// Bytes that are printed at once.
const BATCH: usize = 64 << 10;
/// Newest lines of a container, where neither their number nor their time was asked for.
const DEFAULT_TAIL: u32 = 10_000;

/// Prints until all logs have ended.
///
/// # Errors
/// When there is nothing to read. Nothing was written to stdout then.
pub(super) async fn run(cli: &Cli, args: &LogsArgs, sessions: &[Session]) -> Result<(), Failure> {
    if cli.global.watch {
        return Err(Failure::new("logs has no -w", "use -f"));
    }
    let found = join_all(sessions.iter().map(|session| find(session, args))).await;
    let mut failures = Vec::new();
    let mut logs: Vec<(Source, usize, Wanted)> = Vec::new();
    for (ix, found) in found.into_iter().enumerate() {
        match found {
            Ok(Found { sources, wanted, missing }) => {
                failures.extend(missing);
                logs.extend(sources.into_iter().map(|source| (source, ix, wanted.clone())));
            }
            Err(failure) if sessions.len() == 1 => return Err(failure),
            Err(failure) => failures.push(failure.at(sessions[ix].context.as_deref().unwrap_or_default())),
        }
    }
    let (logs, more) = bounded(logs, |(source, ..)| source.role);
    if logs.is_empty() {
        return Err(nothing_to_read(&args.target.to_string(), &failures));
    }
    if more > 0 {
        complain(&format!("warning: {more} more logs are not shown: {MAX_SOURCES} at most; name a Pod, or pass -c"));
    }
    let sources: Vec<Source> = logs.iter().map(|(source, ..)| source.clone()).collect();
    let view = LogView::new(&sources, cli.global.output, &terminal::view())?;
    let unasked = cli.global.since.is_none().then_some(DEFAULT_TAIL);
    let mut readers = JoinSet::new();
    let mut channels = Vec::new();
    for (source, ix, wanted) in logs {
        let (sender, receiver) = mpsc::channel(WAITING);
        let range = Range { begin: wanted.begin_of(&source), tail: args.tail.or(unasked), follow: args.follow };
        readers.spawn(read_log(sessions[ix].clone(), source, range, sender));
        channels.push(receiver);
    }
    let patience = args.follow.then_some(PATIENCE);
    let merge = Merge::new(channels.len(), patience);
    let troubles = Troubles { held: failures, is_open: false };
    let mut following = Following { merge, channels, troubles, begun: Instant::now() };
    following.print_all(&sources, &view).await?;
    // A target whose every log is empty has been read.
    match following.troubles.is_open {
        true => Ok(()),
        false => Err(nothing_to_read(&args.target.to_string(), &following.troubles.held)),
    }
}

/// The logs of one cluster.
struct Found {
    sources: Vec<Source>,
    wanted: Wanted,
    /// Pods of the culprit that can't be found.
    missing: Vec<Failure>,
}

async fn find(session: &Session, args: &LogsArgs) -> Result<Found, Failure> {
    let (pods, case) = tokio::join!(log_pods(session, &args.target), explain(session, args));
    let mut pods = pods?;
    let case = case.unwrap_or_else(|failure| {
        complain(&format!("warning: {}the culprit is unknown: {failure}", session.prefix()));
        None
    });
    if let Some(text) = case.as_ref().and_then(introduction) {
        complain(&format!("note: {}{text}", session.prefix()));
    }
    let culprits: &[PodName] = case.as_ref().map(|case| case.culprits.as_slice()).unwrap_or_default();
    let is_culprit = |namespace: &str, name: &str| {
        culprits.iter().any(|culprit| culprit.namespace == namespace && culprit.name == name)
    };
    let mut missing = Vec::new();
    let others: Vec<&PodName> = culprits
        .iter()
        .filter(|culprit| !pods.iter().any(|(_, pod)| pod.namespace == culprit.namespace && pod.name == culprit.name))
        .collect();
    for found in join_all(others.iter().map(|pod| log_pod(session, pod))).await {
        match found {
            Ok(pod) => pods.push(pod),
            Err(failure) => missing.push(failure.at("the culprit")),
        }
    }
    // Of the many Pods of a Node or a workload, those in trouble first.
    let in_trouble = |namespace: &str, name: &str| {
        let mut lines = case.iter().flat_map(|case| &case.pods);
        lines.any(|line| line.namespace == namespace && line.name == name && !line.cause.is_empty())
    };
    pods.sort_by_key(|(_, pod)| !in_trouble(&pod.namespace, &pod.name));
    let begin = begin(session.global.since, case.as_ref(), Timestamp::now());
    let wanted = Wanted { begin, container: args.container.clone(), previous: args.previous, follow: args.follow };
    let sources: Vec<Source> = pods
        .iter()
        .flat_map(|(node, pod)| {
            let role = if is_culprit(&pod.namespace, &pod.name) { Role::Culprit } else { Role::Target };
            wanted.sources(pod, node, role, session.context.as_deref())
        })
        .collect();
    if let (true, Some(name)) = (sources.is_empty(), &args.container) {
        let pods: Vec<_> = pods.iter().map(|(_, pod)| Arc::clone(pod)).collect();
        return Err(no_such_container(name, &args.target.to_string(), &pods));
    }
    Ok(Found { sources, wanted, missing })
}

/// The verdict, if it is wanted.
async fn explain(session: &Session, args: &LogsArgs) -> Result<Option<Explanation>, Failure> {
    if args.no_culprit { Ok(None) } else { reports::verdict(session, &args.target).await.map(Some) }
}

fn no_such_container(name: &str, target: &str, pods: &[Arc<crate::api::PodInfo>]) -> Failure {
    let mut names: Vec<&str> = pods.iter().flat_map(|pod| &pod.containers).map(|one| one.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names.truncate(8);
    let what = format!("no container of {target} that has run is named {name:?}");
    Failure::new(what, if names.is_empty() { String::new() } else { format!("it has: {}", names.join(", ")) })
}

/// Failures wait until a log is open: without one, they are the command's own.
struct Troubles {
    held: Vec<Failure>,
    is_open: bool,
}

impl Troubles {
    fn open(&mut self) {
        self.is_open = true;
        for failure in self.held.drain(..) {
            complain(&format!("warning: {failure}"));
        }
    }

    fn add(&mut self, failure: Failure) {
        match self.is_open {
            true => complain(&format!("warning: {failure}")),
            false => self.held.push(failure),
        }
    }
}

/// The logs while they are read.
struct Following {
    merge: Merge,
    channels: Vec<Receiver<Event>>,
    troubles: Troubles,
    begun: Instant,
}

impl Following {
    async fn print_all(&mut self, sources: &[Source], view: &LogView) -> Result<(), Failure> {
        let mut out = Text::default();
        loop {
            while let Some((ix, event)) = self.next().now_or_never() {
                self.apply(ix, event);
            }
            let wait = match self.merge.take(self.begun.elapsed()) {
                Taken::Line(ix, line) => {
                    out.append(&view.line(ix, &sources[ix], &line)?);
                    if out.len() < BATCH {
                        continue;
                    }
                    Some(Duration::ZERO)
                }
                Taken::Wait(wait) => wait,
                Taken::End => return print(&out),
            };
            if !out.is_empty() {
                print(&std::mem::take(&mut out))?;
            }
            if wait == Some(Duration::ZERO) {
                continue;
            }
            tokio::select! {
                (ix, event) = self.next() => self.apply(ix, event),
                () = sleep(wait.unwrap_or_default()), if wait.is_some() => {}
            }
        }
    }

    /// The next event of a source whose line is missing. `None`: it has ended.
    async fn next(&mut self) -> (usize, Option<Event>) {
        let Self { merge, channels, .. } = self;
        poll_fn(|cx| {
            for (ix, channel) in channels.iter_mut().enumerate().filter(|(ix, _)| merge.wants(*ix)) {
                if let Poll::Ready(event) = channel.poll_recv(cx) {
                    return Poll::Ready((ix, event));
                }
            }
            Poll::Pending
        })
        .await
    }

    fn apply(&mut self, ix: usize, event: Option<Event>) {
        match event {
            Some(Event::Open) => self.troubles.open(),
            Some(Event::Line(line)) => self.merge.offer(ix, line, self.begun.elapsed()),
            Some(Event::Failed(failure)) => self.troubles.add(failure),
            None => self.merge.end(ix),
        }
    }
}

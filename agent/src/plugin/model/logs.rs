//! Which containers' logs belong to an answer of `why`, and one order of their lines.

mod merge;

pub use merge::{Merge, Taken};

use super::{
    super::Failure,
    why::{Explanation, PodName},
};
use crate::api::{ContainerInfo, ContainerState, PodInfo};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::time::Duration;

/// Without a hint, lines begin so long ago.
const DEFAULT_AGE: Duration = Duration::from_secs(300);
/// With a hint, they begin so long before its first finding.
const BEFORE_ONSET: Duration = Duration::from_secs(30);
/// Most containers' logs to read at once.
pub const MAX_SOURCES: usize = 64;

/// Whose container it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The verdict of `why` names the Pod, or lists it as a candidate. It may be the target too.
    Culprit,
    /// The target of the command.
    Target,
}

/// The log of one run of a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Source {
    /// Context, if there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// Namespace of its Pod.
    pub namespace: String,
    /// Name of its Pod.
    pub pod: String,
    /// Name of the container.
    pub container: String,
    /// Node of its Pod; empty if unknown.
    pub node: String,
    /// Whose it is.
    pub role: Role,
    /// True: of the run before the present one.
    pub previous: bool,
}

/// A line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When the container runtime read it. `None`: the line has no time.
    pub time: Option<Timestamp>,
    /// Its text, without the time and the line break. As the container wrote it: not escaped.
    pub text: String,
    /// Bytes at its end that were left off.
    pub left_off: u64,
}

impl Line {
    /// From the kubelet's form, a time and a blank before the text.
    pub fn read(bytes: &[u8], left_off: u64) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let text = text.strip_suffix('\r').unwrap_or(&text);
        let (time, text) = match text.split_once(' ') {
            Some((time, rest)) => (time.parse().ok(), rest),
            // An empty line is a time alone.
            None => (text.parse().ok(), ""),
        };
        // Without a time, all of it is text.
        let whole = String::from_utf8_lossy(bytes);
        let text = if time.is_some() { text.to_owned() } else { whole.into_owned() };
        Self { time, text, left_off }
    }
}

/// Since when lines are shown: as asked for, else from before the onset of the trouble that `why` explains.
pub fn begin(since: Option<Duration>, case: Option<&Explanation>, now: Timestamp) -> Timestamp {
    let before = |from: Timestamp, age: Duration| {
        let age = SignedDuration::try_from(age).unwrap_or(SignedDuration::MAX);
        from.checked_sub(age).unwrap_or(Timestamp::UNIX_EPOCH).max(Timestamp::UNIX_EPOCH)
    };
    let onset = case.and_then(|case| case.verdict.since.as_deref()?.parse::<Timestamp>().ok());
    match (since, onset) {
        (Some(since), _) => before(now, since),
        (None, Some(onset)) => before(onset, BEFORE_ONSET),
        (None, None) => before(now, DEFAULT_AGE),
    }
}

/// Which runs of containers to read.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Lines since then.
    pub begin: Timestamp,
    /// Only containers of this name. `None`: all.
    pub container: Option<String>,
    /// Previous runs too, however old.
    pub previous: bool,
    /// Containers that wait too: they may run soon.
    pub follow: bool,
}

impl Wanted {
    /// The logs of a Pod: of each container that has run the present run, and the one before if it ended within the
    /// time, was asked for, or is the only one.
    pub fn sources(&self, pod: &PodInfo, node: &str, role: Role, context: Option<&str>) -> Vec<Source> {
        let named = |one: &&ContainerInfo| self.container.as_ref().is_none_or(|name| *name == one.name);
        let one = |container: &ContainerInfo, previous| Source {
            context: context.map(str::to_owned),
            namespace: pod.namespace.clone(),
            pod: pod.name.clone(),
            container: container.name.clone(),
            node: node.to_owned(),
            role,
            previous,
        };
        let mut out = Vec::new();
        for container in pod.containers.iter().filter(named) {
            let waits = matches!(container.state, ContainerState::Waiting(_) | ContainerState::Unknown);
            // The kubelet's log of a container that waits is that of its previous run.
            let ended = container.last.as_ref();
            let within = |at_ms: Option<i64>| at_ms.is_none_or(|at| at >= self.begin.as_millisecond());
            if ended.is_some_and(|last| waits || self.previous || within(last.at_ms)) {
                out.push(one(container, true));
            }
            if !waits || self.follow {
                out.push(one(container, false));
            }
        }
        out
    }

    /// Since when a source's lines are wanted. `None`: from its beginning.
    pub fn begin_of(&self, source: &Source) -> Option<Timestamp> {
        (!(source.previous && self.previous)).then_some(self.begin)
    }
}

/// The first logs of a list that fit, the culprit's first, and the number of the others.
pub fn bounded<T>(mut logs: Vec<T>, role: impl Fn(&T) -> Role) -> (Vec<T>, usize) {
    logs.sort_by_key(role);
    let more = logs.len().saturating_sub(MAX_SOURCES);
    logs.truncate(MAX_SOURCES);
    (logs, more)
}

/// A verdict in one line, with what its culprit means for logs. `None`: it names no cause.
pub fn introduction(case: &Explanation) -> Option<String> {
    let verdict = &case.verdict;
    let cause = verdict.cause.as_ref()?;
    let blame = verdict.blame.as_ref().map(crate::api::Blame::text).unwrap_or_default();
    let logs = match case.culprits.as_slice() {
        [] => "it is no Pod, and has no log here".to_owned(),
        pods => format!("! marks {}", pods.iter().map(PodName::to_string).collect::<Vec<_>>().join(", ")),
    };
    Some(format!("{cause}, at fault: {blame}; {logs}"))
}

/// The failure of a command whose sources all failed, or that has none.
pub fn nothing_to_read(target: &str, failures: &[Failure]) -> Failure {
    match failures {
        [] => Failure::new(
            format!("{target} has no container that has run"),
            "see `kubectl netwhy diagnose` for Pods that don't start",
        ),
        [only] => only.clone(),
        [first, ..] => Failure::new(
            format!("none of {} logs can be read; the first: {}", failures.len(), first.what),
            &first.remedy,
        ),
    }
}

#[cfg(test)]
mod tests;

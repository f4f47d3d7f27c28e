//! All signals of the Node, once per tick. A file that hangs costs its own source, not the tick.

use super::{
    ethtool::EthtoolCalls,
    facts, links,
    netns::NodeNet,
    source::{HostPaths, Source},
    sources,
};
use crate::{
    deadline::{Answer, Reads},
    sample::{Group, HostSample, State},
};
use std::time::Duration;

/// A source that did not answer for this long is broken. Until then its last state stands, and its counters rest.
const PATIENCE: Duration = Duration::from_secs(3);

/// Reads the Node's signals, on threads of their own. Keeps files and sockets open.
pub struct HostReader {
    sources: Vec<Known>,
    reads: Reads<Duration, HostSample>,
}

/// A source while a thread reads it.
struct Known {
    groups: &'static [Group],
    place: String,
    /// Its last answer without the counters. `None`: none yet.
    last: Option<HostSample>,
}

impl HostReader {
    /// A reader before its first reading. `calls`: the ethtool calls; `None`: drivers are not asked.
    ///
    /// Opens now what only the Node's network namespace shows, if this thread is in another one. That needs the
    /// capabilities SYS_ADMIN and SYS_PTRACE. Nothing later needs a capability, and no thread starts before the first
    /// reading.
    pub fn new(paths: HostPaths, calls: Option<EthtoolCalls>) -> Self {
        let net = NodeNet::new(&paths.procfs, &paths.process);
        let all = [
            sources::pressure(&paths),
            sources::cpu(&paths),
            sources::softnet(&net),
            sources::conntrack(&paths, &net),
            sources::tcp(&net),
            sources::sockets(&paths, &net),
            links::links(&paths, &net, calls),
            facts::facts(&paths, &net, calls),
        ];
        let (mut sources, mut reads) = (Vec::new(), Vec::new());
        for Source { groups, place, mut read } in all {
            sources.push(Known { groups, place, last: None });
            let read: crate::deadline::Read<Duration, HostSample> = Box::new(move |now| read(*now));
            reads.push(read);
        }
        Self { sources, reads: Reads::new("netwhy-node", reads) }
    }

    /// Reads all groups, at a monotonic time. A group that can't be read has a state that says why.
    pub fn read(&mut self, now: Duration) -> HostSample {
        let mut out = HostSample::default();
        for (source, answer) in self.sources.iter_mut().zip(self.reads.ask(&now)) {
            let sample = source.sample(answer);
            out.states.extend(sample.states);
            out.counters.extend(sample.counters);
            out.gauges.extend(sample.gauges);
            out.devices.extend(sample.devices);
            if !sample.facts.is_empty() {
                out.facts = sample.facts;
            }
        }
        out
    }
}

impl Known {
    /// The sample that a source's answer, or the lack of one, stands for.
    fn sample(&mut self, answer: Answer<HostSample>) -> HostSample {
        match (answer, &self.last) {
            (Answer::Ready(sample), _) => {
                let HostSample { states, gauges, devices, facts, .. } = sample.clone();
                self.last = Some(HostSample { states, gauges, devices, facts, counters: Vec::new() });
                sample
            }
            // A counter that is not there did not change.
            (Answer::Late(waited), Some(last)) if waited < PATIENCE => last.clone(),
            (Answer::Late(waited), _) => self.broken(&format!("no answer for {:.1} s", waited.as_secs_f64())),
            (Answer::Failed, _) => self.broken("the reader failed; please report this with the agent's log"),
        }
    }

    fn broken(&self, why: &str) -> HostSample {
        let why = format!("read {}: {why}; check that the file system or the driver responds", self.place);
        let states = self.groups.iter().map(|group| (*group, State::Broken(why.clone()))).collect();
        HostSample { states, ..HostSample::default() }
    }
}

#[cfg(test)]
mod tests;

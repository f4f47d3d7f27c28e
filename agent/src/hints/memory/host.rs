//! Normal values of this Node: rates of its counters, CPU use and stalls of its subjects.

use super::{Troubled, mean::Mean};
use crate::{
    hints::{key::subject_hash, rule::Family},
    sample::{Group, HostKey, Pressure},
    state::{CpuUser, NodeView, SubjectId},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Subjects absent for this long are forgotten.
const FORGET: Duration = Duration::from_secs(600);

/// Rates of the Node's counters; CPU use and stalls of its subjects.
#[derive(Debug, Default)]
pub(crate) struct HostMemory {
    rates: BTreeMap<HostKey, Mean>,
    subjects: BTreeMap<u64, SubjectMemory>,
}

/// One subject's normal values.
#[derive(Debug, Default)]
struct SubjectMemory {
    last_at: Duration,
    stalls: [Mean; 3],
    cores: Mean,
}

/// A resource that tasks wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    Cpu,
    Memory,
    Io,
}

impl Resource {
    const ALL: [Self; 3] = [Self::Cpu, Self::Memory, Self::Io];

    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Io => "io",
        }
    }

    /// Time in which at least one task waited for it, µs.
    pub(crate) const fn some_us(self, pressure: &Pressure) -> u64 {
        match self {
            Self::Cpu => pressure.cpu_some_us,
            Self::Memory => pressure.memory_some_us,
            Self::Io => pressure.io_some_us,
        }
    }
}

fn key(id: &SubjectId) -> u64 {
    subject_hash(id).finish()
}

impl HostMemory {
    /// Growth of a counter per second in normal times. `None`: not known yet.
    pub(crate) fn rate(&self, key: &HostKey) -> Option<f64> {
        self.rates.get(key)?.get()
    }

    /// Share of the time in which a subject's tasks wait in normal times. `None`: not known yet.
    pub(crate) fn stall(&self, id: &SubjectId, resource: Resource) -> Option<f64> {
        self.subjects.get(&key(id))?.stalls[resource as usize].get()
    }

    /// CPUs that a subject uses in normal times. `None`: not known yet.
    pub(crate) fn cores(&self, id: &SubjectId) -> Option<f64> {
        self.subjects.get(&key(id))?.cores.get()
    }

    /// Learns from a window, except from subjects and counters with a hint.
    pub(crate) fn learn(&mut self, view: &NodeView, keep: f64, troubled: &Troubled) {
        let seconds = view.window.as_secs_f64();
        let any = |family: Family| troubled.iter().any(|(f, _)| *f == family);
        let (drops, pressure) = (any(Family::Host), any(Family::Pressure));
        let in_trouble: BTreeSet<&SubjectId> =
            troubled.iter().filter(|(f, _)| matches!(f, Family::Cpu | Family::Pressure)).map(|(_, id)| id).collect();
        if let Some(host) = &view.host {
            for (key, count) in &host.counters {
                let frozen = if matches!(key.0.group(), Group::Pressure | Group::Cpu) { pressure } else { drops };
                if !frozen {
                    self.rates.entry(key.clone()).or_default().learn(count.window as f64 / seconds, keep);
                }
            }
            self.rates.retain(|key, _| host.counters.contains_key(key));
        }
        for subject in &view.subjects {
            let memory = self.subjects.entry(key(&subject.id)).or_default();
            memory.last_at = view.at;
            if let Some(psi) = subject.window_pressure.filter(|_| !in_trouble.contains(&subject.id)) {
                for (mean, resource) in memory.stalls.iter_mut().zip(Resource::ALL) {
                    mean.learn(resource.some_us(&psi) as f64 / 1e6 / seconds, keep);
                }
            }
        }
        // A neighbour that starves others must not become normal while they starve.
        if !pressure {
            for CpuUser { id, usage_us, weight: _ } in &view.cpu_users {
                let memory = self.subjects.entry(key(id)).or_default();
                memory.last_at = view.at;
                memory.cores.learn(*usage_us as f64 / 1e6 / seconds, keep);
            }
        }
        self.subjects.retain(|_, memory| view.at.saturating_sub(memory.last_at) < FORGET);
    }
}

//! The Node's own signals, and who uses its CPUs.

use super::{Join, Owner};
use crate::{
    sample::{FactsDelta, Group, HostKey, HostSample},
    state::{CpuUser, HostCount, HostView, SubjectId},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

/// cgroups listed by their CPU use.
const CPU_USERS: usize = 32;

impl Join {
    pub(super) fn host_view(&self, sample: &HostSample) -> HostView {
        let window = self.window.host();
        let devices: BTreeSet<&Arc<str>> = sample.devices.iter().map(|device| &device.name).collect();
        // A device that went takes its counters along; CPUs are no devices.
        let shown = |(signal, on): &HostKey| {
            signal.group() == Group::Softnet || on.as_ref().is_none_or(|name| devices.contains(name))
        };
        let count = |(key, total): (&HostKey, &u64)| {
            let window = window.get(key).copied().unwrap_or(0);
            (key.clone(), HostCount { total: *total, window, baseline: None })
        };
        HostView {
            states: sample.states.clone(),
            counters: self.host.iter().filter(|(key, _)| shown(key)).map(count).collect(),
            gauges: sample.gauges.iter().map(|(gauge, on, value)| ((*gauge, on.clone()), *value)).collect(),
            devices: sample.devices.clone(),
            facts: sample.facts.clone(),
        }
    }

    /// CPU time is counted with that of descendants: only cgroups that hold none of another subject tell who it was.
    pub(super) fn cpu_users(&self, deltas: &HashMap<u64, FactsDelta>, tops: &BTreeSet<u64>) -> Vec<CpuUser> {
        let mut paths: Vec<(&str, u64)> = self.owners.iter().map(|(id, owner)| (owner.path.as_str(), *id)).collect();
        paths.sort_unstable();
        let holds_others = |owner: &Owner| {
            let below = format!("{}/", owner.path.trim_end_matches('/'));
            let begin = paths.partition_point(|(path, _)| *path < below.as_str());
            let inside = paths[begin..].iter().take_while(|(path, _)| path.starts_with(&below));
            inside.map(|(_, id)| &self.owners[id]).any(|other| other.alive && other.subject != owner.subject)
        };
        let mut users: BTreeMap<&SubjectId, (u64, Option<u64>)> = BTreeMap::new();
        for (id, delta) in deltas {
            let (Some(owner), Some(us)) = (self.owners.get(id), delta.usage_us) else { continue };
            if us > 0 && tops.contains(id) && !holds_others(owner) {
                let user = users.entry(&owner.subject).or_default();
                *user = (user.0 + us, owner.cpu_weight.or(user.1));
            }
        }
        let user = |(id, (usage_us, weight)): (&SubjectId, _)| CpuUser { id: id.clone(), usage_us, weight };
        let mut users: Vec<CpuUser> = users.into_iter().map(user).collect();
        users.sort_by(|a, b| b.usage_us.cmp(&a.usage_us).then_with(|| a.id.cmp(&b.id)));
        users.truncate(CPU_USERS);
        users
    }
}

#[cfg(test)]
mod tests;

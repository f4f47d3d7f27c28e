//! Drops the capabilities that only loading kernel programs needs.
//!
//! Attached programs, open maps and loaded iterators are file descriptors. Since Linux 5.19 (`bpf: refine
//! kernel.unprivileged_bpf_disabled behaviour`) their owner may use them without a capability. An attacker who takes
//! over the agent later can then neither load a program nor trace anything.

use crate::api::Privileges;
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};

/// Capabilities that only loading and attaching need, with their names.
const LOADING: [(CapabilitySet, &str); 3] =
    [(CapabilitySet::BPF, "BPF"), (CapabilitySet::PERFMON, "PERFMON"), (CapabilitySet::NET_ADMIN, "NET_ADMIN")];

/// Drops these capabilities if `works` succeeds without them; otherwise keeps all.
///
/// Capabilities belong to threads: call this while the process has only one.
pub(crate) fn give_up(works: impl FnOnce() -> anyhow::Result<()>) -> Privileges {
    let privileges = lower(works);
    match &privileges.kept {
        None if privileges.given_up.is_empty() => {}
        None => tracing::info!(capabilities = privileges.given_up.join(", "), "dropped: programs are attached"),
        Some(why) => tracing::info!(why, "kept capabilities"),
    }
    privileges
}

fn lower(works: impl FnOnce() -> anyhow::Result<()>) -> Privileges {
    let kept = |why: String| Privileges { given_up: Vec::new(), kept: Some(why) };
    let before = match capabilities(None) {
        Ok(sets) => sets,
        Err(error) => return kept(format!("can't read the capabilities: {error}")),
    };
    let surplus: Vec<_> = LOADING.into_iter().filter(|(one, _)| before.permitted.contains(*one)).collect();
    if surplus.is_empty() {
        return Privileges::default();
    }
    let loading = surplus.iter().fold(CapabilitySet::empty(), |all, (one, _)| all | *one);
    // The kernel checks effective capabilities; permitted ones can become effective again.
    let trial = CapabilitySets { effective: before.effective - loading, ..before };
    let after =
        CapabilitySets { permitted: before.permitted - loading, inheritable: before.inheritable - loading, ..trial };
    if let Err(error) = set_capabilities(None, trial) {
        return kept(format!("can't drop them: {error}"));
    }
    let result = works().and_then(|()| Ok(set_capabilities(None, after)?));
    let given_up = || surplus.iter().map(|(_, name)| (*name).to_owned()).collect();
    match result {
        Ok(()) => Privileges { given_up: given_up(), kept: None },
        Err(error) => match set_capabilities(None, before) {
            Ok(()) => kept(format!("this kernel needs them to read maps (before Linux 5.19): {error:#}")),
            Err(again) => kept(format!("{error:#}; and can't restore them: {again}")),
        },
    }
}

#[cfg(test)]
mod tests;

//! Landlock (`Documentation/userspace-api/landlock.rst`): denies what user and capabilities alone would allow among
//! processes of the same user, such as those of other containers that run as 65532 too.

use landlock::{
    ABI, Access as _, AccessFs, CompatLevel, Compatible as _, LandlockStatus, PathBeneath, PathFd, Ruleset,
    RulesetAttr as _, RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope,
};
use std::path::Path;

/// The newest version whose rights are asked for. Older kernels deny a part of them.
const NEWEST: ABI = ABI::V6;

/// Denies this thread, and those that it starts later, to trace other processes, to signal them, and to create or
/// change files outside `writable`. Descriptors that are open stay usable. Returns what the kernel denies from now on; empty if it has no
/// Landlock (before 5.13, or not among the kernel's `lsm=`).
pub(super) fn confine(writable: Option<&Path>) -> Vec<String> {
    let denied = restrict(writable).unwrap_or_else(|error| {
        tracing::info!(%error, "the kernel refuses Landlock");
        &[]
    });
    denied.iter().map(|denied| (*denied).to_owned()).collect()
}

fn restrict(writable: Option<&Path>) -> Result<&'static [&'static str], RulesetError> {
    let ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_write(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?;
    // Plugins of a kubeconfig are started with it.
    let ruleset = match PathFd::new("/dev/null") {
        Ok(null) => ruleset.add_rule(PathBeneath::new(null, AccessFs::WriteFile))?,
        Err(_) => ruleset,
    };
    let ruleset = match writable.and_then(|folder| PathFd::new(folder).ok()) {
        Some(folder) => ruleset.add_rule(PathBeneath::new(folder, AccessFs::from_write(NEWEST)))?,
        None => ruleset,
    };
    let status = ruleset.restrict_self()?;
    Ok(match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, _) => &[],
        (_, LandlockStatus::Available { effective_abi, .. }) if effective_abi >= ABI::V6 => {
            &["tracing", "writing", "signals"]
        }
        _ => &["tracing", "writing"],
    })
}

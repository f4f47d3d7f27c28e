//! Gives up every right that only the start needs. An attacker who takes over the agent later finds a process without
//! root, without capabilities, and without a way to get them.
//!
//! | file | does |
//! |---|---|
//! | `capability` | finds the capabilities that this kernel needs later: none from Linux 5.19 on; drops the others |
//! | `landlock` | denies tracing, signals to others, and writing, also among processes of the same user |
//! | `threads` | reads the rights of each thread from procfs, as the proof |
//!
//! The agent opens before this step what it can't open after it: the connection tracking table, sockets in the Node's
//! network namespace, the kubeconfig. Attached programs, maps and iterators are descriptors, whose owner may use them
//! without a capability since Linux 5.19 (`bpf: refine kernel.unprivileged_bpf_disabled behaviour`).

mod capability;
mod landlock;
mod threads;

use crate::{api::Privileges, kernel};
use anyhow::Context as _;
use rustix::{
    process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit},
    thread::{CapabilitySet, capabilities, set_keep_capabilities, set_no_new_privs},
};
use std::path::Path;
use threads::Rights;

/// User and group that a root process becomes.
pub const USER: u32 = 65_532;

/// A right that stays, and the reason.
#[derive(Debug)]
struct Kept {
    /// As [`Rights::names`] names it.
    right: &'static str,
    why: String,
}

/// Gives up root, all capabilities, and all ways to get them back. `works` tests whether this kernel lets the agent
/// read its maps; a kernel that refuses keeps the smallest set of capabilities that helps. `procfs` is where proc is
/// mounted; `writable` the only folder in which files may still change.
///
/// # Errors
/// When a right stays for no known reason, or when `works` is refused with every capability. The agent must not run
/// then.
pub fn give_up(
    procfs: &Path,
    writable: Option<&Path>,
    works: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<Privileges> {
    let tasks = procfs.join("self/task");
    let before = Rights::of_threads(&tasks)?;
    let permitted = capabilities(None).context("failed to read the capabilities")?.permitted;
    let mut kept = Vec::new();
    set_no_new_privs(true).context("failed to set no_new_privs")?;
    kept.extend(leave_root(&before, permitted)?);
    let (needed, why) = capability::needed(permitted, works)?;
    kept.extend(capability::names(needed).map(|right| Kept { right, why: why.clone().unwrap_or_default() }));
    kept.extend(capability::lock(permitted)?);
    capability::keep_only(needed).context("failed to drop the capabilities")?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).context("failed to forbid core dumps and tracing")?;
    let landlock = landlock::confine(writable);

    let rights = Rights::of_threads(&tasks)?.names();
    if let Some(right) = rights.iter().find(|right| kept.iter().all(|kept| kept.right != right.as_str())) {
        anyhow::bail!("a thread keeps the right {right}: please report it with the kernel's version");
    }
    kept.retain(|kept| rights.iter().any(|right| right == kept.right));
    let privileges = Privileges {
        given_up: capability::names(permitted - needed).map(str::to_owned).collect(),
        kept: reasons(&kept),
        user: Some(rustix::process::geteuid().as_raw()),
        rights: Some(rights),
        landlock,
    };
    log(&privileges);
    Ok(privileges)
}

/// Makes a root process the user [`USER`], which keeps the permitted capabilities for now. Another user stays itself.
fn leave_root(before: &Rights, permitted: CapabilitySet) -> anyhow::Result<Vec<Kept>> {
    let stays = |right, why: String| Kept { right, why };
    if !before.users.contains(&0) {
        let group = || stays(threads::GROUP_0, format!("{}: the agent was started with it", threads::GROUP_0));
        return Ok(before.groups.contains(&0).then(group).into_iter().collect());
    }
    let why = if permitted.contains(CapabilitySet::SETUID | CapabilitySet::SETGID) {
        // The limit counts all processes of the user, also those of other containers. Raising it is an attempt only.
        let _ = setrlimit(Resource::Nproc, Rlimit { current: None, maximum: None });
        set_keep_capabilities(true).context("failed to keep the capabilities while changing the user")?;
        let became = kernel::become_user(USER, USER);
        set_keep_capabilities(false).context("failed to let the capabilities go with the user")?;
        match became {
            Ok(()) => return Ok(Vec::new()),
            Err(error) => format!("{}: can't become user {USER}: {error}", threads::USER_0),
        }
    } else {
        format!("{}: grant the capabilities SETUID and SETGID, which the agent drops", threads::USER_0)
    };
    Ok(vec![stays(threads::USER_0, why), stays(threads::GROUP_0, String::new())])
}

/// Why rights stay, on one line. `None`: none stays.
fn reasons(kept: &[Kept]) -> Option<String> {
    let mut reasons: Vec<&str> = kept.iter().map(|kept| kept.why.as_str()).filter(|why| !why.is_empty()).collect();
    reasons.dedup();
    (!kept.is_empty()).then(|| reasons.join("; "))
}

fn log(privileges: &Privileges) {
    let user = privileges.user;
    tracing::info!(
        user,
        capabilities = privileges.given_up.join(", "),
        landlock = privileges.landlock.join(", "),
        "dropped: programs are attached"
    );
    if let Some(why) = &privileges.kept {
        tracing::warn!(why, rights = privileges.rights.as_deref().unwrap_or_default().join(", "), "kept rights");
    }
}

#[cfg(test)]
mod tests;

//! Whose work takes the CPU time that a Pod waits for.

use crate::{
    hints::context::{Context, Subject},
    state::CpuUser,
};

/// Share of the Node's CPUs from which a user is worth a name.
const WORTH_NAMING: f64 = 0.1;
/// CPU weight of a cgroup that has none set.
const DEFAULT_WEIGHT: u64 = 100;

/// Multiple of a user's weight from which a Pod is heavy beside it: that user leaves it nine tenths of a CPU.
const HEAVY: u64 = 10;

/// CPU use of the Node, and of the waiting subject.
#[derive(Clone, Copy)]
pub(crate) struct CpuUse {
    /// CPUs of the Node.
    pub(crate) cpus: f64,
    /// Share of them that is used, by whomever.
    pub(crate) busy: f64,
    /// Cores that the subject uses.
    pub(crate) own: f64,
}

/// Whose work a Pod waits for.
pub(crate) enum Neighbour<'a> {
    /// Its own.
    Own,
    /// That of many small users.
    Nobody,
    /// That of one user.
    User { user: &'a CpuUser, cores: f64, usual: Option<f64> },
}

/// The user with the largest growth of its CPU use, as far as it uses more than its share by weight.
pub(crate) fn neighbour<'a>(context: &Context<'a>, subject: &Subject<'_>, cpu: CpuUse) -> Neighbour<'a> {
    let seconds = context.window.as_secs_f64();
    let cores = |user: &CpuUser| user.usage_us as f64 / 1e6 / seconds;
    let weights: f64 = context.cpu_users.iter().map(|user| weight(user) as f64).sum();
    // Includes work outside the watched cgroups.
    let used = cpu.cpus * cpu.busy;
    let share = |user: &CpuUser| cpu.cpus * weight(user) as f64 / weights;
    let usual = |user: &CpuUser| context.memory.host.cores(&user.id);
    let others = context.cpu_users.iter().filter(|user| user.id != subject.view.id);
    let beyond = |user: &&CpuUser| cores(user) > share(user).min(used / 2.0) && cores(user) >= WORTH_NAMING * cpu.cpus;
    let growth = |user: &CpuUser| cores(user) - usual(user).unwrap_or(0.0);
    let worst = others.filter(beyond).max_by(|a, b| growth(a).total_cmp(&growth(b)));
    let this = context.cpu_users.iter().find(|user| user.id == subject.view.id);
    let own_fault = cpu.own > used / 2.0 || (worst.is_none() && this.is_some_and(|user| cpu.own > share(user)));
    match worst {
        _ if own_fault => Neighbour::Own,
        Some(user) => Neighbour::User { user, cores: cores(user), usual: usual(user) },
        None => Neighbour::Nobody,
    }
}

/// Whether the kernel prefers the subject to this user so much that it gets the CPU time that it wants, and waits for
/// moments only. False where a weight is not known.
pub(crate) fn is_outweighed(context: &Context<'_>, subject: &Subject<'_>, user: &CpuUser) -> bool {
    let this = context.cpu_users.iter().find(|user| user.id == subject.view.id);
    let weights = this.and_then(|this| this.weight).zip(user.weight);
    weights.is_some_and(|(own, other)| own >= HEAVY.saturating_mul(other))
}

fn weight(user: &CpuUser) -> u64 {
    user.weight.unwrap_or(DEFAULT_WEIGHT)
}

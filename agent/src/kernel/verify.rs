//! Loads all programs before any is attached. The kernel's verifier follows more than a million instructions, which is
//! most of the agent's start; it does so for several programs at once.

use super::{
    context::Context,
    probes::{Hook, PROBES, Probe, Program},
    refusal::Refused,
    settings::Wanted,
    support::{check_support, is_needed},
};
use aya::{
    Ebpf,
    programs::{self, ProgramError},
};
use std::{
    collections::{BTreeMap, VecDeque},
    num::NonZero,
    sync::{Mutex, PoisonError},
    thread,
};

/// Programs at once where there is memory: the kernel charges its work on each to the agent's cgroup.
const AT_ONCE: usize = 2;

/// Outcome per program.
pub(super) type Verified = BTreeMap<&'static str, Result<(), Refused>>;

/// Loads every program that this kernel supports and the settings want. The others are not in the result.
pub(super) fn verify(ebpf: &mut Ebpf, context: &Context<'_>) -> Verified {
    let wanted = |probe: &&'static Probe| context.settings.wanted(probe) == Wanted::Yes;
    let all = PROBES.iter().filter(wanted).flat_map(|probe| probe.programs);
    let mut wanted: BTreeMap<&str, &'static Program> = all
        .filter(|program| program.hook != Hook::Scheduler && is_needed(context, program))
        .filter(|program| check_support(context, program).is_ok())
        .map(|program| (program.name, program))
        .collect();
    let mut queue: VecDeque<_> = VecDeque::new();
    for (name, loaded) in ebpf.programs_mut() {
        if let Some(program) = wanted.remove(name) {
            // Iterators take longest: they come first, so that none is left alone at the end.
            match program.hook {
                Hook::Iterator(_) => queue.push_front((program, loaded)),
                _ => queue.push_back((program, loaded)),
            }
        }
    }
    let missing = wanted.into_values().map(|program| {
        let name = program.name;
        (name, Err(Refused::other(format!("the object has no program {name}"))))
    });
    let results: Mutex<Verified> = Mutex::new(missing.collect());
    let queue = Mutex::new(queue);
    let work = || {
        while let Some((program, loaded)) = { queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front() } {
            let result = load(loaded, context, program.hook).map_err(|error| Refused::program(program.name, &error));
            results.lock().unwrap_or_else(PoisonError::into_inner).insert(program.name, result);
        }
    };
    let at_once = if context.settings.has_room { AT_ONCE } else { 1 };
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(at_once);
    thread::scope(|scope| {
        for _ in 1..threads {
            // Without another thread this one does it all.
            let _ = thread::Builder::new().name("verify".to_owned()).spawn_scoped(scope, work);
        }
        work();
    });
    results.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn load(program: &mut programs::Program, context: &Context<'_>, hook: Hook) -> Result<(), ProgramError> {
    match hook {
        Hook::Tracepoint(hook) => <&mut programs::BtfTracePoint>::try_from(program)?.load(hook, context.btf),
        Hook::Iterator(hook) => <&mut programs::Iter>::try_from(program)?.load(hook, context.btf),
        Hook::CgroupSockAddr => <&mut programs::CgroupSockAddr>::try_from(program)?.load(),
        Hook::CgroupSock => <&mut programs::CgroupSock>::try_from(program)?.load(),
        // It is in another object.
        Hook::Scheduler => Err(ProgramError::UnexpectedProgramType),
    }
}

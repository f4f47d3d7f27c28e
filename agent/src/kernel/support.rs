//! Which programs this kernel supports, and which of them are of use.

use super::{
    context::Context,
    duty::{ANSWER_PROGRAM, FAILURES_PROGRAM, NAME_PROGRAM},
    probes::{ANSWER_HOOK, Hook, Program, RESPONSE_PROGRAM, SUBFLOW_PROGRAM},
    refusal::Refused,
    settings::Mode,
};

/// Whether a program is of use on this kernel with these settings.
pub(super) fn is_needed(context: &Context<'_>, program: &Program) -> bool {
    match program.name {
        FAILURES_PROGRAM => can_sample_sockets(context),
        SUBFLOW_PROGRAM => context.constants.has_mptcp,
        ANSWER_PROGRAM => context.types.tracepoint_args(ANSWER_HOOK).is_some_and(|n| n >= program.min_args),
        _ => true,
    }
}

/// Whether this kernel has a program's hook.
pub(super) fn check_support(context: &Context<'_>, program: &Program) -> Result<(), Refused> {
    let is_response = program.name.starts_with(RESPONSE_PROGRAM);
    if !context.constants.has_exchange && (is_response || matches!(program.hook, Hook::Iterator(_))) {
        return Err(Refused::unsupported("this kernel's programs have no atomic exchange (5.12 has; on arm64 5.18)"));
    }
    if is_response && !context.constants.can_time_responses {
        return Err(Refused::unsupported(
            "this kernel's sockets don't tell when they send (5.12 and later do)".to_owned(),
        ));
    }
    if program.name == NAME_PROGRAM && !context.constants.can_read_names {
        return Err(Refused::unsupported("this kernel's programs can't see DNS answers arrive (6.3 and later do)"));
    }
    match program.hook {
        Hook::Tracepoint(name) => match context.types.tracepoint_args(name) {
            None => Err(Refused::unsupported(format!("this kernel has no tracepoint {name}"))),
            Some(n) if n < program.min_args => {
                Err(Refused::unsupported(format!("this kernel's tracepoint {name} has too few arguments")))
            }
            Some(_) => Ok(()),
        },
        Hook::Iterator(_) if program.name == SUBFLOW_PROGRAM && context.constants.by_address.is_some() => {
            Err(Refused::unsupported("this kernel's walks can't come to the storage of sockets"))
        }
        Hook::Iterator(name) if !context.constants.has_storage => {
            Err(Refused::unsupported(format!("this kernel's {name} iterator can't read sockets (5.12 can)")))
        }
        Hook::Iterator(_) | Hook::CgroupSockAddr | Hook::CgroupSock | Hook::Scheduler => Ok(()),
    }
}

/// Whether short sockets may be sampled: other programs must count the rest of them.
fn can_sample_sockets(context: &Context<'_>) -> bool {
    context.constants.can_sample_sockets && context.settings.mode("sockets") != Mode::Off
}

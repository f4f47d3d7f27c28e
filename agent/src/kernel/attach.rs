//! Attaches one probe after the other. Each gets a status, so that a missing kernel feature costs one signal.

use super::{
    context::Context,
    duty::{
        ANSWER_PROGRAM, Attach, FAILURES_PROGRAM, HANDSHAKE_PROGRAM, HandshakeProbe, NAME_PROGRAM, READ_PROGRAM,
        RTT_PROGRAM, RttLimits, RttProbe, WindowedProbe,
    },
    probes::{HTTP_PROBE, Hook, Probe, Program},
    refusal::Refused,
    run_queue::RunQueue,
    settings::{Rates, Wanted},
    support::{check_support, is_needed},
    sys,
    verify::Verified,
};
use crate::api::{ProbeState, ProbeStatus, Refusal};
use aya::{
    Ebpf,
    programs::{self, CgroupAttachMode, ProgramError},
};
use std::{error::Error, fs::File, os::fd::AsFd as _, sync::Arc};

/// Everything that is attached, by how it is attached.
#[derive(Default)]
pub(super) struct Attached {
    /// Programs that stay attached all the time, by name.
    pub(super) links: Vec<(&'static str, Link)>,
    pub(super) rtt: Option<RttProbe>,
    pub(super) handshakes: Option<HandshakeProbe>,
    pub(super) reads: Option<WindowedProbe>,
    pub(super) answers: Option<WindowedProbe>,
    pub(super) names: Option<WindowedProbe>,
    pub(super) run_queue: Option<RunQueue>,
}

/// Keeps a program attached until it is dropped.
#[expect(dead_code, reason = "dropping it detaches the program")]
pub(super) enum Link {
    Tracepoint(programs::tp_btf::BtfTracePointLink),
    SockAddr(programs::cgroup_sock_addr::CgroupSockAddrLink),
    Sock(programs::cgroup_sock::CgroupSockLink),
}

/// Attaches one probe.
pub(super) fn attach(
    ebpf: &mut Ebpf,
    context: &Context<'_>,
    probe: &Probe,
    verified: &mut Verified,
    attached: &mut Attached,
) -> ProbeStatus {
    let status = |state, why: String, refusal| ProbeStatus { name: probe.name.to_owned(), state, why, refusal };
    let without = probe.without;
    match context.settings.wanted(probe) {
        Wanted::Yes => {}
        Wanted::Disabled => return status(ProbeState::Off, format!("disabled; missing: {without}"), None),
        Wanted::LacksNetAdmin => {
            let why = format!("needs the capability NET_ADMIN; missing: {without}");
            return status(ProbeState::Off, why, Some(Refusal::Permission));
        }
    }
    if probe.name == HTTP_PROBE && !context.constants.can_read_http {
        let what = if context.version < (6, 12) {
            "this kernel's programs can't read packets (6.12 and later can)"
        } else {
            "this kernel's programs can't read the packets that a socket sent"
        };
        let why = format!("{what}; missing: {without}");
        return status(ProbeState::Unsupported, why, Some(Refusal::Unsupported));
    }
    let before = attached.links.len();
    let (mut count, mut failed) = (0, None);
    for program in probe.programs {
        if !is_needed(context, program) {
            continue;
        }
        match attach_program(ebpf, context, program, verified, attached) {
            Ok(()) => count += 1,
            Err(refused) => {
                failed.get_or_insert(refused);
            }
        }
    }
    if failed.is_some() && probe.whole {
        attached.links.truncate(before);
        if probe.programs.iter().any(|program| program.name == READ_PROGRAM) {
            attached.reads = None;
        }
        count = 0;
    }
    let Some(Refused { kind, message }) = failed else { return status(ProbeState::Ok, String::new(), None) };
    let (state, why) = match kind {
        _ if count > 0 => (ProbeState::Degraded, format!("{message}; incomplete: {without}")),
        Refusal::Unsupported => (ProbeState::Unsupported, format!("{message}; missing: {without}")),
        // Some kernels refuse iterators over the elements of maps to everybody; the iterators that this probe needs were
        // let in with the same rights.
        Refusal::Permission if is_iterators(probe) => {
            (ProbeState::Unsupported, format!("this kernel refuses the program: {message}; missing: {without}"))
        }
        Refusal::Permission | Refusal::Other => (ProbeState::Broken, format!("{message}; missing: {without}")),
    };
    status(state, why, Some(kind))
}

/// Whether a probe has iterators alone, and needs others that were attached before it.
fn is_iterators(probe: &Probe) -> bool {
    !probe.needs.is_empty() && probe.programs.iter().all(|program| matches!(program.hook, Hook::Iterator(_)))
}

fn attach_program(
    ebpf: &mut Ebpf,
    context: &Context<'_>,
    program: &Program,
    verified: &mut Verified,
    attached: &mut Attached,
) -> Result<(), Refused> {
    if program.hook == Hook::Scheduler {
        attached.run_queue = Some(RunQueue::load(context)?);
        return Ok(());
    }
    check_support(context, program)?;
    let name = program.name;
    verified.remove(name).unwrap_or_else(|| Err(Refused::other(format!("{name} was not loaded"))))?;
    let refused = |error: &(dyn Error + 'static)| Refused::program(name, error);
    let settings = context.settings;
    if name == RTT_PROGRAM {
        let rtt = RttProbe::attach(tracepoint(ebpf, name)?, settings.rates.rtt_every, rtt_limits(&settings.rates));
        attached.rtt = Some(rtt.map_err(|e| refused(&e))?);
    } else if name == HANDSHAKE_PROGRAM {
        let counts_failures = ebpf.program(FAILURES_PROGRAM).is_some_and(|program| program.fd().is_ok());
        let churn_above = counts_failures.then_some(settings.rates.churn_above.saturating_mul(online_cpus()));
        let handshakes = HandshakeProbe::attach(tracepoint(ebpf, name)?, churn_above);
        attached.handshakes = Some(handshakes.map_err(|e| refused(&e))?);
    } else if name == READ_PROGRAM {
        let reads = WindowedProbe::attach(tracepoint(ebpf, name)?, "netwhy-reads");
        attached.reads = Some(reads.map_err(|e| refused(&e))?);
    } else if name == ANSWER_PROGRAM {
        let answers = WindowedProbe::attach(tracepoint(ebpf, name)?, "netwhy-answers");
        attached.answers = Some(answers.map_err(|e| refused(&e))?);
    } else if name == NAME_PROGRAM {
        let names = WindowedProbe::attach(tracepoint(ebpf, name)?, "netwhy-names");
        attached.names = Some(names.map_err(|e| refused(&e))?);
    } else {
        let link = link(name, find(ebpf, name)?, context.cgroup)?;
        attached.links.extend(link.map(|link| (name, link)));
    }
    Ok(())
}

fn find<'e>(ebpf: &'e mut Ebpf, name: &str) -> Result<&'e mut programs::Program, Refused> {
    ebpf.program_mut(name).ok_or_else(|| Refused::other(format!("the object has no program {name}")))
}

/// Attaches a loaded tracepoint program again and again.
fn tracepoint(ebpf: &Ebpf, name: &str) -> Result<Arc<Attach>, Refused> {
    let refused = |error: &(dyn Error + 'static)| Refused::program(name, error);
    let program = ebpf.program(name).ok_or_else(|| Refused::other(format!("the object has no program {name}")))?;
    let program = program.fd().map_err(|e| refused(&e))?;
    let program = program.as_fd().try_clone_to_owned().map_err(|e| refused(&e))?;
    Ok(Arc::new(move || sys::attach_tracing(program.as_fd())))
}

/// Rates of this machine above which the RTT probe runs on a duty cycle.
pub(super) fn rtt_limits(rates: &Rates) -> RttLimits {
    let low_duty_above = rates.rtt_low_duty_above.saturating_mul(online_cpus());
    RttLimits { duty_above: rates.rtt_duty_above, low_duty_above }
}

pub(super) fn online_cpus() -> u64 {
    aya::util::online_cpus().map_or(1, |cpus| cpus.len() as u64)
}

/// Attaches a loaded program to its hook. `None`: an iterator, which runs on demand.
pub(super) fn link(
    name: &str,
    program: &mut programs::Program,
    cgroup: Option<&File>,
) -> Result<Option<Link>, Refused> {
    let cgroup = || cgroup.ok_or_else(|| Refused::other("the cgroup root can't be opened"));
    let refused = |error: ProgramError| Refused::program(name, &error);
    // cgroup links coexist in every mode; kernels refuse a link that asks for the multi mode.
    const MODE: CgroupAttachMode = CgroupAttachMode::Single;
    Ok(match program {
        programs::Program::BtfTracePoint(program) => {
            let id = program.attach().map_err(refused)?;
            Some(Link::Tracepoint(program.take_link(id).map_err(refused)?))
        }
        programs::Program::CgroupSockAddr(program) => {
            let id = program.attach(cgroup()?, MODE).map_err(refused)?;
            Some(Link::SockAddr(program.take_link(id).map_err(refused)?))
        }
        programs::Program::CgroupSock(program) => {
            let id = program.attach(cgroup()?, MODE).map_err(refused)?;
            Some(Link::Sock(program.take_link(id).map_err(refused)?))
        }
        _ => None,
    })
}

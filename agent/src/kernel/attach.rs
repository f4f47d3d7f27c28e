//! Attaching loaded programs, probe by probe, each with a verdict.

use super::{
    btf::KernelTypes,
    churn::{self, Churn},
    load::{Mode, Settings, brief, chain},
    offsets,
    probes::{Hook, Probe, Program, State, Verdict},
    rtt::{self, Rtt},
};
use aya::{
    Btf, Ebpf,
    programs::{self, CgroupAttachMode},
};
use std::{fs::File, os::fd::AsFd as _};

/// Whether the process may load programs that could change what sockets do (these don't).
pub(super) fn may_net_admin() -> bool {
    use rustix::thread::{CapabilitySet, capabilities};
    let enough = CapabilitySet::NET_ADMIN | CapabilitySet::SYS_ADMIN;
    capabilities(None).is_ok_and(|sets| sets.effective.intersects(enough))
}

/// What keeps a program attached.
#[expect(dead_code, reason = "held for what dropping it does")]
pub(super) enum Attached {
    Rtt(Rtt),
    Churn(Churn),
    Tracepoint(programs::tp_btf::BtfTracePointLink),
    SockAddr(programs::cgroup_sock_addr::CgroupSockAddrLink),
    Sock(programs::cgroup_sock::CgroupSockLink),
}

/// What attaching needs to know of the running kernel.
pub(super) struct Kernel<'a> {
    pub(super) btf: &'a Btf,
    pub(super) types: &'a KernelTypes,
    pub(super) constants: &'a offsets::Constants,
    pub(super) cgroup: Option<&'a File>,
    pub(super) settings: &'a Settings<'a>,
}

/// Loads and attaches one probe.
pub(super) fn attach(
    ebpf: &mut Ebpf,
    kernel: &Kernel<'_>,
    probe: &Probe,
    mode: Mode,
    links: &mut Vec<Attached>,
) -> Verdict {
    let verdict = |state, why: String| Verdict { name: probe.name, state, why };
    if mode == Mode::Off {
        return verdict(State::Off, format!("switched off: no {}", probe.without));
    }
    if mode == Mode::Auto && probe.net_admin && !may_net_admin() {
        return verdict(State::Off, format!("needs the capability NET_ADMIN: no {}", probe.without));
    }
    let before = links.len();
    let mut attached = 0;
    let mut failed: Option<(State, String)> = None;
    for program in probe.programs {
        if program.name == churn::FAILURES && !spares(kernel) {
            continue;
        }
        let result = match unsupported(kernel.types, kernel.constants, program) {
            Some(why) => Err((State::Unsupported, why)),
            None => attach_program(ebpf, kernel, program).map_err(|why| (State::Broken, why)),
        };
        match result {
            Ok(link) => {
                attached += 1;
                links.extend(link);
            }
            Err(reason) => {
                failed.get_or_insert(reason);
            }
        }
    }
    if failed.is_some() && probe.whole {
        links.truncate(before);
        attached = 0;
    }
    match failed {
        None => verdict(State::Ok, String::new()),
        Some((_, why)) if attached > 0 => verdict(State::Degraded, format!("{why}: partly without {}", probe.without)),
        Some((state, why)) => verdict(state, format!("{why}: no {}", probe.without)),
    }
}

fn unsupported(types: &KernelTypes, constants: &offsets::Constants, program: &Program) -> Option<String> {
    match program.hook {
        Hook::Tracepoint(name) => match types.tracepoint_args(name) {
            None => Some(format!("this kernel has no tracepoint {name}")),
            Some(n) if n < program.min_args => Some(format!("this kernel's tracepoint {name} tells too little")),
            Some(_) => None,
        },
        Hook::Iterator(name) => (!constants.has_storage)
            .then(|| format!("this kernel's {name} iterator can't look into sockets (5.12 can)")),
        Hook::CgroupSockAddr | Hook::CgroupSock | Hook::Scheduler => None,
    }
}

fn attach_program(ebpf: &mut Ebpf, kernel: &Kernel<'_>, program: &Program) -> Result<Option<Attached>, String> {
    let name = program.name;
    let target = ebpf.program_mut(name).ok_or_else(|| format!("the object has no program {name}"))?;
    let say = |error: &dyn std::error::Error| format!("{name}: {}", brief(&chain(error)));
    match program.hook {
        Hook::Tracepoint(hook) => {
            let target: &mut programs::BtfTracePoint =
                target.try_into().map_err(|e: programs::ProgramError| say(&e))?;
            target.load(hook, kernel.btf).map_err(|e| say(&e))?;
        }
        Hook::Iterator(hook) => {
            let target: &mut programs::Iter = target.try_into().map_err(|e: programs::ProgramError| say(&e))?;
            target.load(hook, kernel.btf).map_err(|e| say(&e))?;
        }
        Hook::CgroupSockAddr => {
            let target: &mut programs::CgroupSockAddr =
                target.try_into().map_err(|e: programs::ProgramError| say(&e))?;
            target.load().map_err(|e| say(&e))?;
        }
        Hook::CgroupSock => {
            let target: &mut programs::CgroupSock = target.try_into().map_err(|e: programs::ProgramError| say(&e))?;
            target.load().map_err(|e| say(&e))?;
        }
        Hook::Scheduler => return Err(format!("{name} is in another object")),
    }
    if name == rtt::PROGRAM {
        let program = target.fd().map_err(|e| say(&e))?;
        let settings = kernel.settings;
        let rare_above = settings.rtt_rare_above.saturating_mul(online_cpus());
        let rtt = Rtt::attach(program.as_fd(), settings.rtt_every, settings.rtt_windows_above, rare_above);
        return rtt.map(|rtt| Some(Attached::Rtt(rtt))).map_err(|e| say(&e));
    }
    if name == churn::PROGRAM {
        let program = target.fd().map_err(|e| say(&e))?;
        let (program, limit) = (program.try_clone().map_err(|e| say(&e))?, kernel.settings.churn_above);
        let failures = ebpf.program(churn::FAILURES).is_some_and(|failures| failures.fd().is_ok());
        let limit = failures.then_some(limit.saturating_mul(online_cpus()));
        return Churn::attach(program.as_fd(), limit).map(|churn| Some(Attached::Churn(churn))).map_err(|e| say(&e));
    }
    link(target, kernel.cgroup).map_err(|e| format!("{name}: {}", brief(&format!("{e:#}"))))
}

fn online_cpus() -> u64 {
    aya::util::online_cpus().map_or(1, |cpus| cpus.len() as u64)
}

/// Whether sockets that come and go may be counted in part: what else tells of them must be there.
fn spares(kernel: &Kernel<'_>) -> bool {
    kernel.constants.can_spare && kernel.settings.mode("sockets") != Mode::Off
}

/// Attaches a loaded program to where it belongs. `None`: it is one that runs when it is asked to.
pub(super) fn link(program: &mut programs::Program, cgroup: Option<&File>) -> anyhow::Result<Option<Attached>> {
    let cgroup = || cgroup.ok_or_else(|| anyhow::anyhow!("the cgroup root can't be opened"));
    // Links of cgroups stand side by side whatever the mode; kernels refuse a link that asks for it.
    const MODE: CgroupAttachMode = CgroupAttachMode::Single;
    Ok(match program {
        programs::Program::BtfTracePoint(program) => {
            let id = program.attach()?;
            Some(Attached::Tracepoint(program.take_link(id)?))
        }
        programs::Program::CgroupSockAddr(program) => {
            let id = program.attach(cgroup()?, MODE)?;
            Some(Attached::SockAddr(program.take_link(id)?))
        }
        programs::Program::CgroupSock(program) => {
            let id = program.attach(cgroup()?, MODE)?;
            Some(Attached::Sock(program.take_link(id)?))
        }
        _ => None,
    })
}

//! Loads the kernel programs and attaches every probe.

use super::{
    attach::{Attached, attach, online_cpus},
    by_address,
    context::Context,
    duty::{LookupShare, Pace},
    exchange,
    heads::Heads,
    http_sampling::{HttpSampling, shares},
    kfunc,
    loaded::Loaded,
    memory,
    names::Names,
    offsets::{self, Constants},
    packed,
    probes::{HTTP_PROBE, NAMES_PROBE, PROBES, Probe, WALK_PROGRAM},
    refusal::one_line,
    sampling::RttSampling,
    settings::{Mode, Settings, Wanted},
    steering,
    verify::verify,
};
use crate::{
    api::{ProbeState, ProbeStatus, Refusal},
    btf::{BtfError, KernelTypes},
    sample::{for_each_family, repeat_for_family},
};
use aya::{Btf, Ebpf, EbpfLoader};
use netwhy_abi::{
    Choice, Control, Family as _, Object,
    content::{CAST_KFUNC, KFUNC},
    dns::ANSWERS_BYTES,
    heads::{HEAD_ROOMS, SPEAKERS},
    memory::{ADDRESSES, FEW_ADDRESSES, States, UNBOUNDED},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    path::Path,
};

/// Why the agent's kernel side can't start.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// No type information.
    #[error(transparent)]
    Btf(#[from] BtfError),
    /// A kernel too old or too different.
    #[error("this kernel ({release}) lacks {missing}: netwhy needs Linux 5.10 or later")]
    Kernel {
        /// `uname -r`.
        release: String,
        /// Members of kernel structures that it lacks.
        missing: String,
    },
    /// A capability is missing.
    #[error("the kernel refused to load programs ({0}): run as root, or with the capabilities BPF and PERFMON")]
    Permission(String),
    /// A signal that the configuration requires.
    #[error("signals.{name} is `on` but not available: {why}: set signals.{name} to `auto`")]
    Demanded {
        /// The signal.
        name: &'static str,
        /// Reason.
        why: String,
    },
    /// A probe that the agent can't work without.
    #[error("the probe {name} can't be attached: {why}")]
    Core {
        /// The probe.
        name: &'static str,
        /// Reason.
        why: String,
    },
    /// Anything else.
    #[error("failed to load the kernel programs: {0}")]
    Other(String),
}

/// Major and minor number of the running kernel, and its full name.
pub fn release() -> ((u32, u32), String) {
    let name = rustix::system::uname().release().to_string_lossy().into_owned();
    let mut numbers = name.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok());
    ((numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)), name)
}

impl Loaded {
    /// Loads and attaches every wanted probe that this kernel supports.
    ///
    /// # Errors
    /// [`LoadError`]; nothing stays attached then.
    pub fn load(settings: &Settings<'_>) -> Result<Self, LoadError> {
        let loaded = Self::load_all(settings);
        // The kernel's types took tens of megabytes, which are not needed any more.
        memory::give_back();
        loaded
    }

    fn load_all(settings: &Settings<'_>) -> Result<Self, LoadError> {
        let (version, release) = release();
        let types = KernelTypes::read(settings.sysfs)?;
        // Before anything is loaded, also on trial.
        raise_memlock();
        let mut constants = offsets::resolve(&types, version, exchange::has_exchange(version))
            .map_err(|missing| LoadError::Kernel { release, missing: missing.join(", ") })?;
        if let Some(found) = by_address::find(&types).filter(|_| constants.has_storage) {
            // Without that probe nothing would take the states out.
            constants.distrust(found, settings.wants("sockets"));
        }
        let btf = Btf::from_sys_fs().map_err(|error| LoadError::Other(error.to_string()))?;
        let mut ebpf = load_object(settings, &constants, &btf)?;
        // Before any program is attached: until the first walk ends, a socket without a handshake here is an old one.
        let is_sampling = settings.mode("rtt") != Mode::Off && constants.has_storage;
        let sampling = RttSampling::new(settings.rates.rtt_every, is_sampling);
        let baseline = sampling.put(Control { baseline: 1, ..Control::default() });
        let other = |error: anyhow::Error| LoadError::Other(format!("{error:#}"));
        steering::set_control(&mut ebpf, baseline).map_err(other)?;
        let generation = u32::from(settings.wants("responses"));
        let choice = Choice { mask: 0, generation, read_weight: 1, close_ups: 0, pace_us: 0 };
        steering::set_choice(&mut ebpf, choice).map_err(other)?;
        let shares = shares(&settings.rates);
        steering::set_shares(&mut ebpf, shares).map_err(other)?;
        steering::set_room(&mut ebpf, [UNBOUNDED; 2], false).map_err(other)?;
        // Before any program is loaded: the logger takes over a map that they refer to.
        let log = log(&mut ebpf);
        let cgroup = open_cgroup(settings.cgroup_dir);
        let context =
            Context { version, btf: &btf, types: &types, constants: &constants, cgroup: cgroup.as_ref(), settings };
        let (heads, copied) = (open_heads(&ebpf, &context), open_names(&mut ebpf, &context));
        let (attached, mut probes) = attach_all(&mut ebpf, &context)?;
        let heads = heads.or_else(|error| set_broken(&mut probes, settings, HTTP_PROBE, &error).map(|()| None))?;
        let copied = copied.or_else(|error| set_broken(&mut probes, settings, NAMES_PROBE, &error).map(|()| None))?;
        let Attached { links, rtt, handshakes, reads, answers, names, run_queue } = attached;
        let is_loaded = ebpf.program(WALK_PROGRAM).is_some_and(|program| program.fd().is_ok());
        Ok(Self {
            ebpf,
            log,
            links,
            switched_off: Vec::new(),
            rtt,
            handshakes,
            reads,
            answers,
            names,
            copied_answers: copied,
            run_queue,
            heads,
            http: has_http(settings, &constants).then(|| HttpSampling::new(shares)),
            lookups: LookupShare::new(settings.rates.dns_above.saturating_mul(online_cpus())),
            pace: Pace::new(online_cpus()),
            cgroup,
            choice,
            close_ups: BTreeSet::new(),
            sampling,
            can_walk: constants.has_storage && is_loaded,
            states: states(settings, &constants),
            has_shed: false,
            probes,
            lacks: constants.lacks,
            drop_reasons: drop_reasons(&types),
            prefixes: BTreeMap::new(),
        })
    }
}

/// Whether exchanges and connections may be sampled for HTTP.
fn has_http(settings: &Settings<'_>, constants: &Constants) -> bool {
    settings.wants("responses") && settings.wants(HTTP_PROBE) && constants.can_read_http
}

/// Makes the buffers for first bytes. `None`: the signal is off, or not supported.
fn open_heads(ebpf: &Ebpf, context: &Context<'_>) -> std::io::Result<Option<Heads>> {
    let settings = context.settings;
    if !has_http(settings, context.constants) {
        return Ok(None);
    }
    let map = ebpf.map("HEADS").ok_or_else(|| std::io::Error::other("the object has no map HEADS"))?;
    Heads::open(map).map(Some)
}

/// Whether names are read from DNS answers.
fn has_names(settings: &Settings<'_>, constants: &Constants) -> bool {
    settings.wants("dns") && settings.wants(NAMES_PROBE) && constants.can_read_names
}

/// Takes over the ring of DNS answers. `None`: the signal is off, or not supported.
fn open_names(ebpf: &mut Ebpf, context: &Context<'_>) -> std::io::Result<Option<Names>> {
    if has_names(context.settings, context.constants) { Names::open(ebpf).map(Some) } else { Ok(None) }
}

/// Sets the status of a signal without buffers.
///
/// # Errors
/// It is required.
fn set_broken(
    probes: &mut [ProbeStatus],
    settings: &Settings<'_>,
    name: &str,
    error: &std::io::Error,
) -> Result<(), LoadError> {
    let Some(probe) = PROBES.iter().find(|probe| probe.name == name) else { return Ok(()) };
    let Some(status) = probes.iter_mut().find(|status| status.name == name) else { return Ok(()) };
    status.why = format!("can't make the buffers: {error}; missing: {}", probe.without);
    (status.state, status.refusal) = (ProbeState::Broken, Some(Refusal::of(error)));
    check_required(probe, settings.mode(name), status)
}

/// Loads the programs, and attaches every probe of the table.
fn attach_all(ebpf: &mut Ebpf, context: &Context<'_>) -> Result<(Attached, Vec<ProbeStatus>), LoadError> {
    let (mut attached, mut statuses) = (Attached::default(), Vec::new());
    let mut verified = verify(ebpf, context);
    for probe in PROBES {
        let is_needed = |status: &&ProbeStatus| probe.needs.contains(&status.name.as_str());
        let mut needed = statuses.iter().filter(is_needed);
        let status = match needed.find(|needed| !is_enough(probe, needed)) {
            Some(needed) if context.settings.wanted(probe) == Wanted::Yes => depends_on(probe, needed),
            _ => attach(ebpf, context, probe, &mut verified, &mut attached),
        };
        check_required(probe, context.settings.mode(probe.name), &status)?;
        statuses.push(status);
    }
    Ok((attached, statuses))
}

/// Whether a probe can work with another one that it needs. It can with a part of it if it has programs of its own.
fn is_enough(probe: &Probe, needed: &ProbeStatus) -> bool {
    let has_own = !probe.programs.is_empty();
    needed.state == ProbeState::Ok || (has_own && needed.state == ProbeState::Degraded)
}

/// Status of a probe whose data come from the programs of another one, which is not `ok`.
fn depends_on(probe: &Probe, needed: &ProbeStatus) -> ProbeStatus {
    let why = format!("needs the probe {} ({}); missing: {}", needed.name, needed.state.label(), probe.without);
    ProbeStatus { name: probe.name.to_owned(), why, ..needed.clone() }
}

/// Whether the agent can start with a probe in this status.
fn check_required(probe: &Probe, mode: Mode, status: &ProbeStatus) -> Result<(), LoadError> {
    let (name, why) = (probe.name, status.why.clone());
    match status.state {
        ProbeState::Ok => Ok(()),
        _ if mode == Mode::On => Err(LoadError::Demanded { name, why }),
        ProbeState::Off | ProbeState::Degraded => Ok(()),
        _ if !probe.core => Ok(()),
        _ if status.refusal == Some(Refusal::Permission) => Err(LoadError::Permission(why)),
        ProbeState::Unsupported | ProbeState::Broken => Err(LoadError::Core { name, why }),
    }
}

fn open_cgroup(dir: &Path) -> Option<File> {
    let opened = File::open(dir).inspect_err(|error| {
        tracing::info!(%error, dir = %dir.display(), "can't open the cgroup root: no DNS lookups");
    });
    opened.ok()
}

fn log(ebpf: &mut Ebpf) -> Option<Box<dyn FnMut() + Send>> {
    match aya_log::EbpfLogger::init(ebpf) {
        Ok(mut logger) => Some(Box::new(move || logger.flush())),
        Err(error) => {
            tracing::info!(%error, "can't read the log of the kernel programs");
            None
        }
    }
}

fn load_object(settings: &Settings<'_>, constants: &Constants, btf: &Btf) -> Result<Ebpf, LoadError> {
    let limits = settings.limits;
    let size = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).max(1);
    let mut loader = EbpfLoader::new();
    // Without it the loader reads the kernel's BTF again.
    loader.allow_unsupported_maps().btf(Some(btf));
    for (symbol, value) in &constants.values {
        loader.override_global(symbol, value, true);
    }
    // A probe that is not loaded needs no rows.
    let dns = if settings.wants("dns") { size(limits.cgroups) } else { 1 };
    let has_http = has_http(settings, constants);
    let http = u32::from(has_http);
    let rows_of_http = |rows: usize| if has_http { size(rows) } else { 1 };
    let (level, id) = settings.root();
    let accept_queues = u32::from(settings.mode("accept_queue") != Mode::Off);
    let responses = u32::from(settings.wants("responses"));
    let [states, turns, older] = states(settings, constants).rows().map(size);
    loader
        .override_global("NW_HTTP", &http, true)
        .map_max_entries("HEAD_ROOMS", rows_of_http(HEAD_ROOMS))
        .map_max_entries("SPEAKERS", rows_of_http(SPEAKERS))
        .map_max_entries("SOCKETS_BY_ADDR", states)
        .map_max_entries("TURNS_BY_ADDR", turns)
        .map_max_entries("OLDER_BY_ADDR", older)
        .override_global("NW_ACCEPT_QUEUES", &accept_queues, true)
        .override_global("NW_RESPONSES", &responses, true)
        .override_global("NW_ROOT_LEVEL", &level, true)
        .override_global("NW_ROOT_ID", &id, true)
        .map_max_entries("LOOKUPS", dns)
        // A page of the kernel at least.
        .map_max_entries("ANSWERS", size(if has_names(settings, constants) { ANSWERS_BYTES } else { 1 }))
        .map_max_entries(
            "PICKS",
            if settings.wants("responses") { size(limits.edges.min(netwhy_abi::memory::PICKS)) } else { 1 },
        )
        .map_max_entries("PORTS", size(limits.edges))
        .map_max_entries("PEERS", size(limits.prefixes));
    for_each_family!(F => {
        if F::OBJECT == Object::Main {
            let rows = if settings.wants(F::NAME) { F::capacity(&limits) } else { 1 };
            loader.map_max_entries(F::MAP, size(rows));
        }
    });
    loader.load(&object(constants)?).map_err(|error| match Refusal::of(&error) {
        Refusal::Permission => LoadError::Permission(one_line(&error)),
        Refusal::Unsupported | Refusal::Other => LoadError::Other(one_line(&error)),
    })
}

/// How the states of sockets are kept.
fn states(settings: &Settings<'_>, constants: &Constants) -> States {
    let rows = if settings.has_room { ADDRESSES } else { FEW_ADDRESSES };
    match constants.by_address {
        Some(_) => States::ByAddress { rows, has_turns: settings.wants("responses") },
        None => States::InStorage,
    }
}

/// The object as this kernel takes it.
fn object(constants: &Constants) -> Result<Vec<u8>, LoadError> {
    let packed = packed::object().map_err(|error| LoadError::Other(format!("can't unpack their object: {error}")))?;
    let object = kfunc::complete(&packed, KFUNC, constants.dynptr_from_skb);
    let mut object = kfunc::complete(&object, CAST_KFUNC, constants.by_address.map(|found| found.cast));
    if !constants.has_exchange {
        exchange::remove(&mut object).map_err(|error| LoadError::Other(error.to_string()))?;
    }
    Ok(object)
}

/// Names of `enum skb_drop_reason`, lower case without the common prefix; empty before 5.17.
fn drop_reasons(types: &KernelTypes) -> Vec<String> {
    let mut names = Vec::new();
    for (name, value) in types.enum_values("skb_drop_reason") {
        let Ok(index) = usize::try_from(value) else { continue };
        // The enum ends with a count and with subsystem masks, whose values are far above the reasons.
        if index > 4096 {
            continue;
        }
        if names.len() <= index {
            names.resize(index + 1, String::new());
        }
        let short = name.trim_start_matches("SKB_DROP_REASON_").trim_start_matches("SKB_");
        names[index] = short.to_ascii_lowercase();
    }
    names
}

/// Kernels before 5.11 charge maps to this limit. A refusal is harmless elsewhere.
fn raise_memlock() {
    let unlimited = rustix::process::Rlimit { current: None, maximum: None };
    if let Err(error) = rustix::process::setrlimit(rustix::process::Resource::Memlock, unlimited) {
        tracing::debug!(%error, "can't raise the memory lock limit; only Linux before 5.11 needs it");
    }
}

//! Loading and attaching: probe by probe, each with a verdict, so that what one kernel lacks costs one signal.

use super::{
    attach::{Attached, Kernel, attach, may_net_admin},
    btf::{BtfError, KernelTypes},
    churn::Churn,
    memory, offsets,
    probes::{Hook, PROBES, State, Verdict},
    rtt::Rtt,
    run_queue::{self, RunQueue},
};
use crate::sample::{for_each_family, repeat_for_family};
use aya::{Btf, Ebpf, EbpfLoader};
use netwhy_abi::{Family as _, Object, Sampling};
use std::{fs::File, path::Path};

/// The object that the build script made.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/netwhy-bpf"));

/// Whether a signal is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// If the kernel can; the scheduler: while tasks wait for CPUs.
    Auto,
    /// It must.
    On,
    /// No.
    Off,
}

/// A part of the cgroup tree: everything below one directory, itself included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subtree {
    /// Directories between the mount and it.
    pub level: u32,
    /// Its cgroup id.
    pub id: u64,
}

/// What to load, and how large.
#[derive(Clone, Debug)]
pub struct Settings<'a> {
    /// The host's sysfs.
    pub sysfs: &'a Path,
    /// Mean distance of RTT samples on busy sockets, ACKs; at least 1.
    pub rtt_every: u32,
    /// Segments that the machine receives, a second, from which busy sockets are looked at in windows only.
    pub rtt_windows_above: u64,
    /// The same, a second and CPU, from which these windows are a quarter as many.
    pub rtt_rare_above: u64,
    /// TCP sockets that end, a second and CPU, from which a part of the plain ones is counted for all.
    pub churn_above: u64,
    /// By [`Probe::name`]; what is missing is [`Mode::Auto`].
    pub modes: &'a [(&'a str, Mode)],
    /// Rows of the maps.
    pub limits: netwhy_abi::memory::Limits,
    /// `None`: all cgroups.
    pub subtree: Option<Subtree>,
    /// Directory of the subtree's root; programs that see calls of processes are attached to it.
    pub cgroup_dir: &'a Path,
}

impl Settings<'_> {
    pub(super) fn mode(&self, probe: &str) -> Mode {
        self.modes.iter().find(|(name, _)| *name == probe).map_or(Mode::Auto, |(_, mode)| *mode)
    }

    /// Whether a probe is to be tried at all.
    fn wants(&self, name: &str) -> bool {
        let lacks_right = PROBES.iter().any(|probe| probe.name == name && probe.net_admin && !may_net_admin());
        self.mode(name) != Mode::Off && !(lacks_right && self.mode(name) == Mode::Auto)
    }
}

/// Why nothing could be loaded.
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
        /// Members of kernel structures.
        missing: String,
    },
    /// Not allowed.
    #[error("the kernel refused to load programs ({0}): run as root, or with the capabilities BPF and PERFMON")]
    Permission(String),
    /// A signal that the configuration demands.
    #[error("signal {name} is set to `on` and can't be had: {why}: set signals.{name} to `auto`")]
    Demanded {
        /// The signal.
        name: &'static str,
        /// Verdict.
        why: String,
    },
    /// A probe without which the agent is of no use.
    #[error("the probe {name} can't be attached: {why}")]
    Core {
        /// The probe.
        name: &'static str,
        /// Verdict.
        why: String,
    },
    /// Anything else.
    #[error("failed to load the kernel programs: {0}")]
    Other(String),
}

/// Attached programs and their maps. Dropping it detaches everything; nothing is pinned.
pub struct Loaded {
    pub(super) ebpf: Ebpf,
    /// Passes what the programs wrote to their log on to the agent's.
    log: Option<Box<dyn FnMut() + Send>>,
    /// What is attached now; see [`Loaded::detach`].
    pub(super) links: Vec<Attached>,
    /// The program that sees received segments. `None`: not loaded.
    pub(super) rtt: Option<Rtt>,
    /// The program that sees sockets' states. `None`: not loaded.
    pub(super) churn: Option<Churn>,
    /// The subtree's root. `None`: it can't be opened.
    pub(super) cgroup: Option<File>,
    /// The program on the scheduler. `None`: not loaded.
    pub(super) run_queue: Option<RunQueue>,
    /// Whether it is to be attached only while tasks wait for CPUs.
    pub(super) run_queue_by_pressure: bool,
    /// One verdict per probe, in the table's order.
    pub verdicts: Vec<Verdict>,
    /// What this kernel lacks, in words.
    pub lacks: Vec<&'static str>,
    /// Names of drop reasons; index = number.
    pub drop_reasons: Vec<String>,
    /// Whether a walk can be made.
    pub can_walk: bool,
}

/// Major and minor number of the running kernel, and its whole name.
pub fn release() -> ((u32, u32), String) {
    let name = rustix::system::uname().release().to_string_lossy().into_owned();
    let mut numbers = name.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok());
    ((numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)), name)
}

impl Loaded {
    /// Loads and attaches every wanted probe that this kernel can run.
    ///
    /// # Errors
    /// [`LoadError`]; nothing stays attached then.
    pub fn load(settings: &Settings<'_>) -> Result<Self, LoadError> {
        let loaded = Self::load_all(settings);
        // The kernel's types took tens of megabytes, which are not needed again.
        memory::give_back();
        loaded
    }

    fn load_all(settings: &Settings<'_>) -> Result<Self, LoadError> {
        let (version, release) = release();
        let types = KernelTypes::read(settings.sysfs)?;
        let constants = offsets::resolve(&types, version)
            .map_err(|missing| LoadError::Kernel { release, missing: missing.join(", ") })?;
        raise_memlock();
        let btf = Btf::from_sys_fs().map_err(|error| LoadError::Other(error.to_string()))?;
        let mut ebpf = object(settings, &constants, &btf)?;
        // Before any program is loaded: the logger takes over the map that they refer to.
        let log = log(&mut ebpf);
        let cgroup = File::open(settings.cgroup_dir).inspect_err(|error| {
            tracing::info!(%error, dir = %settings.cgroup_dir.display(), "no program can be attached to the cgroup root");
        });
        let kernel = Kernel { btf: &btf, types: &types, constants: &constants, cgroup: cgroup.as_ref().ok(), settings };
        let mut verdicts = Vec::new();
        let mut links = Vec::new();
        let (mut run_queue, mut rtt, mut churn) = (None, None, None);
        for probe in PROBES {
            let mode = settings.mode(probe.name);
            let verdict = if probe.programs.iter().any(|program| program.hook == Hook::Scheduler) {
                let (loaded, verdict) = run_queue::load(settings, &btf, &types, version, probe, mode);
                run_queue = loaded;
                verdict
            } else {
                attach(&mut ebpf, &kernel, probe, mode, &mut links)
            };
            match links.pop() {
                Some(Attached::Rtt(attached)) => rtt = Some(attached),
                Some(Attached::Churn(attached)) => churn = Some(attached),
                other => links.extend(other),
            }
            if verdict.state != State::Ok {
                if mode == Mode::On {
                    return Err(LoadError::Demanded { name: probe.name, why: verdict.why });
                }
                if probe.core && !matches!(verdict.state, State::Off | State::Degraded) {
                    if verdict.why.contains("os error 1)") {
                        return Err(LoadError::Permission(verdict.why));
                    }
                    return Err(LoadError::Core { name: probe.name, why: verdict.why });
                }
            }
            verdicts.push(verdict);
        }
        let can_walk = constants.has_storage
            && verdicts.iter().any(|v| v.name == "sockets" && matches!(v.state, State::Ok | State::Degraded));
        let drop_reasons = drop_reasons(&types);
        let run_queue_by_pressure = settings.mode("run_queue") == Mode::Auto;
        Ok(Self {
            ebpf,
            log,
            links,
            rtt,
            churn,
            cgroup: cgroup.ok(),
            run_queue,
            run_queue_by_pressure,
            verdicts,
            lacks: constants.lacks,
            drop_reasons,
            can_walk,
        })
    }

    /// Passes what the programs logged since the last call on to the agent's log.
    pub(super) fn flush_log(&mut self) {
        if let Some(flush) = &mut self.log {
            flush();
        }
    }

    /// A map by name.
    pub(super) fn map(&self, name: &str) -> Option<&aya::maps::Map> {
        self.ebpf.map(name)
    }
}

fn log(ebpf: &mut Ebpf) -> Option<Box<dyn FnMut() + Send>> {
    match aya_log::EbpfLogger::init(ebpf) {
        Ok(mut logger) => Some(Box::new(move || logger.flush())),
        Err(error) => {
            tracing::info!(%error, "the kernel programs' own log is not to be had");
            None
        }
    }
}

fn object(settings: &Settings<'_>, constants: &offsets::Constants, btf: &Btf) -> Result<Ebpf, LoadError> {
    let limits = settings.limits;
    let size = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).max(1);
    let mut loader = EbpfLoader::new();
    // The loader would else read it anew.
    loader.allow_unsupported_maps().btf(Some(btf));
    for (symbol, value) in &constants.values {
        loader.override_global(symbol, value, true);
    }
    let every = settings.rtt_every.max(1);
    let sampled = settings.mode("rtt") != Mode::Off;
    // Programs that are not loaded need no room.
    let dns = if settings.wants("dns") { size(limits.cgroups) } else { 1 };
    let unseen = if sampled && constants.has_storage { every.saturating_mul(256) } else { u32::MAX };
    let sampling = Sampling::new(every, constants.segs_in, constants.rcv_nxt).words();
    let (level, id) = settings.subtree.map_or((0, 0), |subtree| (subtree.level, subtree.id));
    loader
        .override_global("NW_SAMPLING", &sampling[..], true)
        .override_global("NW_UNSEEN_SEGMENTS", &unseen, true)
        .override_global("NW_ROOT_LEVEL", &level, true)
        .override_global("NW_ROOT_ID", &id, true)
        .map_max_entries("LOOKUPS", dns)
        .map_max_entries("PEERS", size(limits.prefixes));
    for_each_family!(F => {
        if F::OBJECT == Object::Main {
            let rows = if settings.wants(F::NAME) { F::capacity(&limits) } else { 1 };
            loader.map_max_entries(F::MAP, size(rows));
        }
    });
    loader.load(OBJECT).map_err(|error| {
        let text = chain(&error);
        if text.contains("os error 1)") { LoadError::Permission(text) } else { LoadError::Other(text) }
    })
}

/// Names of `enum skb_drop_reason`, lower case without the common prefix; empty before 5.17.
fn drop_reasons(types: &KernelTypes) -> Vec<String> {
    let mut names = Vec::new();
    for (name, value) in types.enum_values("skb_drop_reason") {
        let Ok(index) = usize::try_from(value) else { continue };
        // The enum ends in a count and in masks for subsystems far above the reasons.
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

/// Kernels before 5.11 charge maps to this limit; harmless where it isn't allowed.
fn raise_memlock() {
    let unlimited = rustix::process::Rlimit { current: None, maximum: None };
    if let Err(error) = rustix::process::setrlimit(rustix::process::Resource::Memlock, unlimited) {
        tracing::debug!(%error, "the memory lock limit stays as it is; needed before Linux 5.11 only");
    }
}

/// An error with its causes, on one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let more = cause.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        next = cause.source();
    }
    text
}

/// A verifier's log ends in what it objects to, and in statistics; the whole goes to the debug log.
pub(super) fn brief(text: &str) -> String {
    const STATISTICS: [&str; 3] = ["verification time ", "stack depth ", "processed "];
    tracing::debug!("{text}");
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines: Vec<&str> = lines.filter(|line| !STATISTICS.iter().any(|s| line.starts_with(s))).collect();
    match lines.as_slice() {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first, .., last] => format!("{first} … {last}"),
    }
}

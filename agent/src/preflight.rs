//! `preflight`: checks the kernel, the permissions and the mounts that netwhy needs, with a remedy for each problem.

mod memory;

use crate::{
    api::{Privileges, ProbeState, ProbeStatus, Refusal},
    app,
    cgroup::Mounts,
    config::{Config, ConfigFile, Exit, cli::Cli, cli::ReportFormat},
    history,
    http::{self, Tls, TlsFiles},
    kernel::{self, KernelTypes},
    node::HostReader,
};
use netwhy_abi::memory::States;
use serde::Serialize;
use std::{fmt::Write as _, net::SocketAddr, path::Path};

/// Capability numbers (include/uapi/linux/capability.h).
const CAP_SYS_ADMIN: u32 = 21;
const CAP_PERFMON: u32 = 38;
const CAP_BPF: u32 = 39;

/// Result of one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Met.
    Ok,
    /// Partly met: netwhy works, and reports the missing data.
    Degraded,
    /// Not met: netwhy can't work.
    Missing,
}

/// One checked requirement.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// The requirement.
    pub need: String,
    /// Result.
    pub verdict: Verdict,
    /// State of this machine.
    pub found: String,
    /// How to fix it; empty when the requirement is met.
    pub remedy: String,
}

/// Runs all checks. Loads every program and unloads it again, and drops this process's rights as the agent does. The
/// last checks run without them.
pub fn checks(cli: &Cli, config: &Config) -> Vec<Check> {
    let mut list = vec![kernel_release(), type_information(&cli.global.sysfs)];
    list.push(capabilities(&cli.global.procfs));
    list.push(processes(&cli.global.procfs));
    list.push(jit(&cli.global.procfs));
    list.extend(cgroups(cli));
    let ports = ports(config);
    let mut host = HostReader::new(app::host_paths(cli), Some(kernel::ethtool_calls()));
    let (probes, states) = probes(cli, config);
    list.extend(probes);
    list.extend(cli.global.config_file().map(configuration_file));
    list.extend(config.history.folder().map(history_folder));
    list.push(node_signals(&mut host));
    list.push(memory::maps(cli, config, states));
    list.push(memory::clients(config));
    list.push(memory::limit(cli, config, states));
    list.extend(ports);
    list.extend(certificate(config));
    list
}

/// Exit code of these checks.
pub fn exit(checks: &[Check]) -> Exit {
    if checks.iter().any(|check| check.verdict == Verdict::Missing) { Exit::Unsupported } else { Exit::Ok }
}

/// Checks as a table or as JSON.
///
/// # Errors
/// When they can't be written as JSON.
pub fn render(checks: &[Check], format: ReportFormat) -> anyhow::Result<String> {
    if format == ReportFormat::Json {
        return Ok(format!("{}\n", serde_json::to_string_pretty(&serde_json::json!({ "checks": checks }))?));
    }
    let width = checks.iter().map(|check| check.need.len()).max().unwrap_or(0);
    let mut out = String::new();
    for check in checks {
        let verdict = match check.verdict {
            Verdict::Ok => "ok",
            Verdict::Degraded => "degraded",
            Verdict::Missing => "missing",
        };
        // Writing to a String can't fail.
        let _ = writeln!(out, "{:<width$}  {verdict:<8}  {}", check.need, check.found);
        if !check.remedy.is_empty() {
            let _ = writeln!(out, "{:<width$}            → {}", "", check.remedy);
        }
    }
    let worst = checks.iter().map(|check| check.verdict as u8).max().unwrap_or(0);
    let _ = match worst {
        0 => writeln!(out, "\nnetwhy works here with all signals."),
        1 => writeln!(out, "\nnetwhy works here; the degraded signals are missing or incomplete."),
        _ => writeln!(out, "\nnetwhy can't work here yet: fix the missing requirements."),
    };
    Ok(out)
}

fn check(need: &str, verdict: Verdict, found: impl Into<String>, remedy: &str) -> Check {
    let remedy = if verdict == Verdict::Ok { String::new() } else { remedy.to_owned() };
    Check { need: need.to_owned(), verdict, found: found.into(), remedy }
}

fn kernel_release() -> Check {
    let (version, name) = kernel::release();
    let verdict = match version {
        v if v >= (6, 1) => Verdict::Ok,
        v if v >= (5, 10) => Verdict::Degraded,
        _ => Verdict::Missing,
    };
    check("kernel", verdict, name, "use Linux 6.1 or later; 6.12 and later support every signal")
}

fn type_information(sysfs: &Path) -> Check {
    const NEED: &str = "type information (BTF)";
    let (release, _) = kernel::release();
    match KernelTypes::read(sysfs) {
        Err(error) => check(NEED, Verdict::Missing, error.to_string(), "boot a kernel with CONFIG_DEBUG_INFO_BTF=y"),
        Ok(types) => match kernel::resolve(&types, release, kernel::has_exchange(release)) {
            Err(missing) => {
                check(NEED, Verdict::Missing, format!("lacks {}", missing.join(", ")), "use Linux 6.1 or later")
            }
            Ok(constants) if constants.lacks.is_empty() => check(NEED, Verdict::Ok, "all members found", ""),
            Ok(constants) => {
                let found = format!("this kernel lacks {}", constants.lacks.join("; "));
                check(NEED, Verdict::Degraded, found, "use a newer kernel")
            }
        },
    }
}

fn capabilities(procfs: &Path) -> Check {
    let text = std::fs::read_to_string(procfs.join("self/status")).unwrap_or_default();
    let mask = text.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let mask = mask.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0);
    let has = |bit: u32| mask >> bit & 1 == 1;
    let remedy = "run as root, or grant CAP_BPF and CAP_PERFMON (CAP_SYS_ADMIN before Linux 5.8)";
    match (has(CAP_SYS_ADMIN), has(CAP_BPF) && has(CAP_PERFMON)) {
        (true, _) => check("capabilities", Verdict::Ok, "SYS_ADMIN", ""),
        (false, true) => check("capabilities", Verdict::Ok, "BPF and PERFMON", ""),
        (false, false) => check("capabilities", Verdict::Missing, "neither BPF with PERFMON nor SYS_ADMIN", remedy),
    }
}

/// The walk visits only sockets of processes in the agent's PID namespace.
fn processes(procfs: &Path) -> Check {
    const NEED: &str = "processes";
    let text = std::fs::read_to_string(procfs.join("self/status")).unwrap_or_default();
    if namespaces_below(&text) == Some(0) {
        return check(NEED, Verdict::Ok, "the host's PID namespace", "");
    }
    check(
        NEED,
        Verdict::Degraded,
        "a private PID namespace, or unknown: quiet connections are counted only when they get busy or close",
        "run in the host's PID namespace (hostPID: true)",
    )
}

/// Number of PID namespaces between a procfs and a process, from the process's `status` there (proc_pid_status(5):
/// `NSpid` has one number per namespace). `None`: unknown.
fn namespaces_below(status: &str) -> Option<usize> {
    let pids = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    pids.split_whitespace().count().checked_sub(1)
}

fn jit(procfs: &Path) -> Check {
    let text = std::fs::read_to_string(procfs.join("sys/net/core/bpf_jit_enable")).unwrap_or_default();
    match text.trim() {
        "0" => check(
            "BPF JIT",
            Verdict::Degraded,
            "off: the kernel interprets programs, several times slower",
            "run sysctl net.core.bpf_jit_enable=1",
        ),
        "" => check("BPF JIT", Verdict::Ok, "always on", ""),
        _ => check("BPF JIT", Verdict::Ok, "on", ""),
    }
}

fn cgroups(cli: &Cli) -> Vec<Check> {
    const NEED: &str = "cgroup v2";
    let mounts = match Mounts::discover(&cli.global.procfs, cli.global.cgroup_root.as_deref()) {
        Ok(mounts) => mounts,
        Err(error) => {
            return vec![check(NEED, Verdict::Missing, error.to_string(), "mount cgroup2, or pass --cgroup-root")];
        }
    };
    let found = format!("{} (subtree {})", mounts.unified.display(), mounts.subtree);
    let whole = match mounts.is_whole() {
        Ok(true) => check(NEED, Verdict::Ok, found, ""),
        _ => check(
            NEED,
            Verdict::Degraded,
            format!("{found}: a private cgroup namespace; cgroups outside it have no names"),
            "mount the host's /sys/fs/cgroup into the container",
        ),
    };
    let psi = mounts.subtree_dir().join("cpu.pressure");
    let pressure = if psi.exists() || Path::new("/proc/pressure/cpu").exists() {
        check("pressure (PSI)", Verdict::Ok, "supported", "")
    } else {
        check("pressure (PSI)", Verdict::Degraded, "not supported by this kernel", "boot with psi=1")
    };
    vec![whole, pressure]
}

/// The probes, and how this kernel keeps the states of sockets.
fn probes(cli: &Cli, config: &Config) -> (Vec<Check>, States) {
    match app::open_and_drop_privileges(cli, config) {
        Ok(opened) => {
            let loaded = opened.source.loaded();
            let (running, _) = kernel::release();
            let probes = loaded.probes.iter().map(|status| probe(status, running));
            (probes.chain([rights(&opened.privileges)]).collect(), loaded.states)
        }
        Err(failure) => {
            let remedy = "fix the missing requirements above, then run preflight again";
            let checks = vec![check("probes", Verdict::Missing, format!("{:#}", failure.error), remedy)];
            (checks, States::default())
        }
    }
}

/// `running`: the kernel's release.
fn probe(status: &ProbeStatus, running: (u32, u32)) -> Check {
    let since = kernel::PROBES.iter().find(|probe| probe.name == status.name).map_or("", |probe| probe.since);
    let remedy = match (status.state, status.refusal) {
        (ProbeState::Ok, _) => String::new(),
        (ProbeState::Off, Some(Refusal::Permission)) => {
            format!("grant CAP_NET_ADMIN, or set signals.{} to `off`", status.name)
        }
        (ProbeState::Off, _) => format!("set signals.{} to `auto`", status.name),
        (ProbeState::Unsupported, Some(Refusal::Permission)) => {
            "use a kernel that lets it in; no other signal misses anything".to_owned()
        }
        (ProbeState::Degraded, Some(Refusal::Other)) | (ProbeState::Broken, _) => {
            "run with `--log-level debug` for the kernel's reason, and report it with the kernel's version".to_owned()
        }
        (ProbeState::Degraded | ProbeState::Unsupported, _) => other_kernel(since, running),
    };
    let (verdict, found) = match status.state {
        ProbeState::Ok => (Verdict::Ok, "loaded and attached".to_owned()),
        // Nothing is missing that the user expects.
        ProbeState::Off if is_off_by_default(&status.name) => (Verdict::Ok, "off by default".to_owned()),
        _ => (Verdict::Degraded, status.why.clone()),
    };
    check(&format!("probe {}", status.name), verdict, found, &remedy)
}

/// The kernel to use for a signal that Linux has `since` a release.
fn other_kernel(since: &str, running: (u32, u32)) -> String {
    let (major, minor) = since.split_once('.').unwrap_or((since, "0"));
    let is_older = major.parse().ok().zip(minor.parse().ok()).is_none_or(|since| running < since);
    if is_older {
        format!("use Linux {since} or later")
    } else {
        format!("use another build of the kernel: Linux {since} and later have this, unless changed")
    }
}

/// Rights that the process has once its programs are attached.
fn rights(privileges: &Privileges) -> Check {
    const NEED: &str = "rights after the start";
    let left = privileges.rights.as_deref().unwrap_or_default();
    let user = privileges.user.map_or_else(|| "unknown user".to_owned(), |user| format!("user {user}"));
    let landlock = match privileges.landlock.as_slice() {
        [] => "no Landlock: processes of the same user can be traced and signalled".to_owned(),
        denied => format!("Landlock denies {}", denied.join(", ")),
    };
    let dropped = format!("{landlock}; dropped {}", privileges.given_up.join(", "));
    if left.is_empty() {
        return check(NEED, Verdict::Ok, format!("{user} without capabilities; {dropped}"), "");
    }
    let found = format!("{user} keeps {} ({}); {dropped}", left.join(", "), privileges.kept.as_deref().unwrap_or("?"));
    let remedy = "start it as root, or as the chart does with SETUID, SETGID and SETPCAP, on Linux 5.19 or later";
    check(NEED, Verdict::Degraded, found, remedy)
}

/// Whether the agent, without its rights, can read changes of the configuration file.
fn configuration_file(path: &Path) -> Check {
    const NEED: &str = "configuration file";
    match ConfigFile::new(path.to_owned(), Vec::new()).check() {
        Ok(()) => check(NEED, Verdict::Ok, format!("{}: changes apply at run time", path.display()), ""),
        Err(why) => {
            let remedy = "let that user read the file and its directories; until then changes need a restart";
            check(NEED, Verdict::Degraded, why, remedy)
        }
    }
}

/// Whether the agent, without its rights, can record there.
fn history_folder(folder: &Path) -> Check {
    const NEED: &str = "history";
    match history::check(folder) {
        Ok(()) => check(NEED, Verdict::Ok, folder.display().to_string(), ""),
        Err(error) => {
            let found = format!("{}: {error}: nothing is recorded", folder.display());
            check(NEED, Verdict::Degraded, found, "let the agent's user write there, or make room on the disk")
        }
    }
}

/// Whether a signal is measured only when somebody asks for it.
fn is_off_by_default(signal: &str) -> bool {
    let defaults = Config::default();
    crate::config::keys_of("signals").any(|key| key.name == signal && key.value(&defaults) == "off")
}

/// Signals of the Node itself.
fn node_signals(host: &mut HostReader) -> Check {
    const NEED: &str = "node signals";
    let sample = host.read(kernel::monotonic());
    let lacks: Vec<String> = (sample.states.iter())
        .filter_map(|(group, state)| Some(format!("{} {}: {}", group.label(), state.label(), state.why()?)))
        .collect();
    if lacks.is_empty() {
        return check(NEED, Verdict::Ok, format!("all {} groups", sample.states.len()), "");
    }
    check(NEED, Verdict::Degraded, lacks.join("; "), "see each group; hints about drops on the Node need them")
}

fn ports(config: &Config) -> Vec<Check> {
    let probes = (http::probe_address(&config.http), "probe listener", "--probe-listen");
    let api = http::api_address(&config.http).map(|addr| (addr, "API listener", "http.api_port"));
    let listeners = [(config.http.listen(), "listener", "--listen"), probes].into_iter().chain(api);
    listeners.map(|(addr, need, flag)| port(addr, need, flag)).collect()
}

fn port(addr: SocketAddr, need: &str, flag: &str) -> Check {
    match std::net::TcpListener::bind(addr) {
        Ok(_) => check(need, Verdict::Ok, addr.to_string(), ""),
        Err(error) => {
            let remedy = format!("stop the process that uses the port, or choose another with {flag}");
            check(need, Verdict::Degraded, format!("{addr}: {error}"), &remedy)
        }
    }
}

/// The files of TLS, where the configuration names them.
fn certificate(config: &Config) -> Option<Check> {
    const NEED: &str = "TLS certificate";
    let loaded = Tls::load(TlsFiles::of(&config.http)?);
    Some(match loaded {
        Ok(_) => check(NEED, Verdict::Ok, "certificate and key are a pair", ""),
        Err(error) => check(NEED, Verdict::Missing, error.to_string(), "give the files that the settings name"),
    })
}

#[cfg(test)]
mod tests;

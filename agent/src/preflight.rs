//! `preflight`: what this machine offers, and how to mend what it lacks.

use crate::{
    app,
    cgroup::Mounts,
    config::{Config, Exit, cli::Cli, cli::ReportFormat},
    kernel::{self, KernelTypes, Loaded, State},
    node::HostReader,
};
use serde::Serialize;
use std::{fmt::Write as _, path::Path};

/// Bits of `CapEff` (include/uapi/linux/capability.h) that the kernel side needs.
const CAP_SYS_ADMIN: u32 = 21;
const CAP_PERFMON: u32 = 38;
const CAP_BPF: u32 = 39;

/// Verdict on one requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// There.
    Ok,
    /// There in part: netwhy works and says what is lost.
    Degraded,
    /// Not there: netwhy can't work.
    Missing,
}

/// One requirement.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// What is needed.
    pub need: String,
    /// Verdict.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// How to mend it; empty when there is nothing to mend.
    pub remedy: String,
}

/// All checks. Loads every program and takes it out again.
pub fn checks(cli: &Cli, config: &Config) -> Vec<Check> {
    let mut list = vec![kernel_release(), type_information(&cli.global.sysfs)];
    list.push(capabilities(&cli.global.procfs));
    list.push(processes(&cli.global.procfs));
    list.push(jit(&cli.global.procfs));
    list.extend(cgroups(cli));
    list.extend(probes(cli, config));
    list.push(node_signals(cli));
    list.push(memory(config));
    list.push(port(config));
    list
}

/// Exit code for these checks.
pub fn exit(checks: &[Check]) -> Exit {
    if checks.iter().any(|check| check.verdict == Verdict::Missing) { Exit::Unsupported } else { Exit::Ok }
}

/// Checks as text.
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
        0 => writeln!(out, "\nnetwhy works here with everything."),
        1 => writeln!(out, "\nnetwhy works here; what is degraded is not measured, the rest is whole."),
        _ => writeln!(out, "\nnetwhy can't work here yet: mend what is missing."),
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
    check("kernel", verdict, name, "5.10 is the oldest that works, 6.1 the oldest that has everything")
}

fn type_information(sysfs: &Path) -> Check {
    const NEED: &str = "type information (BTF)";
    match KernelTypes::read(sysfs) {
        Err(error) => check(NEED, Verdict::Missing, error.to_string(), "boot a kernel with CONFIG_DEBUG_INFO_BTF=y"),
        Ok(types) => match kernel::resolve(&types, kernel::release().0) {
            Err(missing) => {
                check(NEED, Verdict::Missing, format!("lacks {}", missing.join(", ")), "use Linux 5.10 or later")
            }
            Ok(constants) if constants.lacks.is_empty() => check(NEED, Verdict::Ok, "every member found", ""),
            Ok(constants) => {
                let found = format!("this kernel lacks {}", constants.lacks.join("; "));
                check(NEED, Verdict::Degraded, found, "a newer kernel has it")
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
        (false, true) => check(
            "capabilities",
            Verdict::Degraded,
            "BPF and PERFMON; without SYS_ADMIN the run time of netwhy's own programs is not measured",
            "grant CAP_SYS_ADMIN only if you want that figure",
        ),
        (false, false) => check("capabilities", Verdict::Missing, "neither BPF and PERFMON nor SYS_ADMIN", remedy),
    }
}

/// The walk over living sockets sees the processes of the agent's own process namespace only.
fn processes(procfs: &Path) -> Check {
    const NEED: &str = "processes";
    let text = std::fs::read_to_string(procfs.join("self/status")).unwrap_or_default();
    if namespaces_below(&text) == Some(0) {
        return check(NEED, Verdict::Ok, "all that procfs shows", "");
    }
    check(
        NEED,
        Verdict::Degraded,
        "a process namespace of one's own, or unknown: quiet connections are seen when they get busy or close",
        "run in the host's process namespace (hostPID: true)",
    )
}

/// Process namespaces between the one that a procfs belongs to and a process, from its `status` there (proc_pid_status(5):
/// `NSpid` has one number per namespace). `None`: it does not tell.
fn namespaces_below(status: &str) -> Option<usize> {
    let pids = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    pids.split_whitespace().count().checked_sub(1)
}

fn jit(procfs: &Path) -> Check {
    let text = std::fs::read_to_string(procfs.join("sys/net/core/bpf_jit_enable")).unwrap_or_default();
    match text.trim() {
        "0" => check(
            "BPF compiler",
            Verdict::Degraded,
            "switched off: programs are interpreted, several times slower",
            "sysctl net.core.bpf_jit_enable=1",
        ),
        "" => check("BPF compiler", Verdict::Ok, "always on", ""),
        _ => check("BPF compiler", Verdict::Ok, "on", ""),
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
            format!("{found}: a private view, cgroups outside it have no names"),
            "mount the host's /sys/fs/cgroup into the container",
        ),
    };
    let psi = mounts.subtree_dir().join("cpu.pressure");
    let pressure = if psi.exists() || Path::new("/proc/pressure/cpu").exists() {
        check("pressure (PSI)", Verdict::Ok, "offered", "")
    } else {
        check("pressure (PSI)", Verdict::Degraded, "not offered by this kernel", "boot with psi=1")
    };
    vec![whole, pressure]
}

fn probes(cli: &Cli, config: &Config) -> Vec<Check> {
    let loaded = match app::open(cli, config) {
        Ok((source, _)) => source,
        Err(failure) => {
            let found = format!("{:#}", failure.error);
            return vec![check("probes", Verdict::Missing, found, "mend what is missing above; then run this again")];
        }
    };
    let one = |verdict: &kernel::Verdict| {
        let need = format!("probe {}", verdict.name);
        match verdict.state {
            State::Ok => check(&need, Verdict::Ok, "loaded and attached", ""),
            State::Off if verdict.why.contains("NET_ADMIN") => {
                let remedy = format!("grant CAP_NET_ADMIN if you want it, or set signals.{} to `off`", verdict.name);
                check(&need, Verdict::Degraded, verdict.why.clone(), &remedy)
            }
            State::Off => check(&need, Verdict::Degraded, verdict.why.clone(), "signals.* in the configuration"),
            State::Degraded | State::Unsupported => {
                let since = kernel::PROBES.iter().find(|p| p.name == verdict.name).map_or("", |p| p.since);
                check(&need, Verdict::Degraded, verdict.why.clone(), &format!("Linux {since} and later have it"))
            }
            State::Broken => check(
                &need,
                Verdict::Degraded,
                verdict.why.clone(),
                "`--log-level debug` shows the verifier's log: please report it with the kernel's version",
            ),
        }
    };
    let loaded: &Loaded = loaded.loaded();
    loaded.verdicts.iter().map(one).collect()
}

/// What the Node itself tells, and what it does not.
fn node_signals(cli: &Cli) -> Check {
    const NEED: &str = "node signals";
    let sample = HostReader::new(app::host_paths(cli), Some(kernel::ethtool_calls())).read(kernel::monotonic());
    let lacks: Vec<String> = (sample.states.iter())
        .filter_map(|(group, state)| Some(format!("{} {}: {}", group.label(), state.label(), state.why()?)))
        .collect();
    if lacks.is_empty() {
        return check(NEED, Verdict::Ok, format!("all {} groups", sample.states.len()), "");
    }
    check(NEED, Verdict::Degraded, lacks.join("; "), "as said there; hints of the Node's own drops need them")
}

/// The most that the maps can take with these limits, and how little CPUs matter.
fn memory(config: &Config) -> Check {
    let limits = config.limits.maps();
    let mib = |cpus| netwhy_abi::memory::upper_bound(limits, cpus) as f64 / f64::from(1 << 20);
    let found = format!(
        "at most {:.0} MiB with 2 CPUs, {:.0} with 16, {:.0} with 128 (limits: {} edges, {} cgroups)",
        mib(2),
        mib(16),
        mib(128),
        limits.edges,
        limits.cgroups
    );
    check("kernel memory", Verdict::Ok, found, "")
}

fn port(config: &Config) -> Check {
    match std::net::TcpListener::bind(config.http.listen) {
        Ok(_) => check("listener", Verdict::Ok, config.http.listen.to_string(), ""),
        Err(error) => {
            let found = format!("{}: {error}", config.http.listen);
            check("listener", Verdict::Degraded, found, "stop what holds the port, or choose another with --listen")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn process_namespace_below_that_of_procfs_is_seen_in_its_status() {
        assert_eq!(namespaces_below("Name:\tcat\nNSpid:\t18273\t2\nNSpgid:\t18273\t1\n"), Some(1));
        assert_eq!(namespaces_below("NSpid:\t18273\n"), Some(0));
        assert_eq!(namespaces_below("Name:\tcat\n"), None);
    }
}

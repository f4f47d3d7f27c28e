//! Kernel, machine and sysctls.

use super::{
    super::{
        files::{OpenFile, state_of},
        source::HostPaths,
        sources::Sysctls,
        text,
    },
    fact,
};
use crate::sample::{NodeFact, State};
use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    time::Duration,
};

/// Most bytes that are read of a file. `/proc/cpuinfo` repeats itself for each CPU.
const HEAD: u64 = 4096;

/// Sysctls that change how a Node's network behaves. Those that the kernel derives from memory are left out, except
/// the size of the connection tracking table.
const SYSCTLS: [&str; 34] = [
    "net.ipv4.tcp_congestion_control",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
    "net.ipv4.tcp_window_scaling",
    "net.ipv4.tcp_sack",
    "net.ipv4.tcp_timestamps",
    "net.ipv4.tcp_ecn",
    "net.ipv4.tcp_mtu_probing",
    "net.ipv4.tcp_base_mss",
    "net.ipv4.tcp_slow_start_after_idle",
    "net.ipv4.tcp_no_metrics_save",
    "net.ipv4.tcp_moderate_rcvbuf",
    "net.ipv4.tcp_notsent_lowat",
    "net.ipv4.tcp_limit_output_bytes",
    "net.ipv4.tcp_retries2",
    "net.ipv4.tcp_syn_retries",
    "net.ipv4.tcp_synack_retries",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_max_syn_backlog",
    "net.ipv4.tcp_abort_on_overflow",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_tw_reuse",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fastopen",
    "net.ipv4.ip_local_port_range",
    "net.core.somaxconn",
    "net.core.default_qdisc",
    "net.core.rmem_max",
    "net.core.wmem_max",
    "net.core.netdev_max_backlog",
    "net.core.netdev_budget",
    "net.core.netdev_budget_usecs",
    "net.netfilter.nf_conntrack_max",
    "net.netfilter.nf_conntrack_tcp_timeout_established",
];

/// Name, file, and how its value is found in the text.
type Setting = (&'static str, PathBuf, fn(&str) -> Option<String>);

/// The files of the sysctls, in order.
pub(super) fn sysctls(paths: &HostPaths) -> [OpenFile; SYSCTLS.len()] {
    SYSCTLS.map(|name| OpenFile::new(paths.procfs.join("sys").join(name.replace('.', "/"))))
}

/// Their values. One that the kernel or its network namespace does not have is absent.
pub(super) fn sysctl_facts(sysctls: &mut Sysctls<{ SYSCTLS.len() }>, now: Duration) -> Vec<NodeFact> {
    sysctls.retry(now);
    let (refused, files) = (&sysctls.refused, &mut sysctls.files);
    let mut buffer = Vec::new();
    let mut read = |file: &mut OpenFile| match refused {
        // The agent's own namespace has other values than the Node's.
        Some(why) if !file.is_open() => Err(State::Unsupported(why.clone())),
        _ => file.parsed(&mut buffer, &State::Absent, |text| Ok(text.to_owned())),
    };
    SYSCTLS.iter().zip(files).map(|(name, file)| fact(name, None, read(file))).collect()
}

/// Kernel and machine.
pub(super) fn facts(paths: &HostPaths) -> Vec<NodeFact> {
    let (proc, sys) = (&paths.procfs, &paths.sysfs);
    let whole = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let settings: [Setting; 9] = [
        ("kernel", proc.join("sys/kernel/osrelease"), whole),
        ("kernel_build", proc.join("sys/kernel/version"), whole),
        ("machine_vendor", sys.join("class/dmi/id/sys_vendor"), whole),
        ("machine_type", sys.join("class/dmi/id/product_name"), whole),
        ("bios", sys.join("class/dmi/id/bios_version"), whole),
        ("cpu", proc.join("cpuinfo"), |text| text::line_value(text, "model name")),
        ("clock_source", sys.join("devices/system/clocksource/clocksource0/current_clocksource"), whole),
        ("cpu_governor", sys.join("devices/system/cpu/cpu0/cpufreq/scaling_governor"), whole),
        ("transparent_hugepages", sys.join("kernel/mm/transparent_hugepage/enabled"), text::chosen),
    ];
    let mut out: Vec<NodeFact> =
        settings.into_iter().map(|(name, path, parse)| fact(name, None, head(&path, parse))).collect();
    let cpus = head(&sys.join("devices/system/cpu/online"), |text| Some(text::cpus(text).ok()?.to_string()));
    out.push(fact("cpus", None, cpus));
    let memory = head(&proc.join("meminfo"), |text| {
        let kib: u64 = text::line_value(text, "MemTotal")?.strip_suffix(" kB")?.trim().parse().ok()?;
        Some(kib.checked_mul(1024)?.to_string())
    });
    out.push(NodeFact { unit: Some("bytes"), ..fact("memory", None, memory) });
    let uptime = head(&proc.join("uptime"), |text| {
        let seconds = text.split_whitespace().next()?.split('.').next()?;
        Some(seconds.parse::<u64>().ok()?.to_string())
    });
    out.push(NodeFact { unit: Some("seconds"), ..fact("uptime", None, uptime) });
    out
}

/// The value in the head of a file. A missing file, or one without the value, is absent.
pub(super) fn head(path: &Path, parse: impl Fn(&str) -> Option<String>) -> Result<String, State> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut bytes));
    match read {
        Ok(_) => parse(&String::from_utf8_lossy(&bytes)).ok_or(State::Absent),
        // EINVAL: an interface that is down, or virtual, has no speed.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Err(State::Absent),
        Err(error) => Err(state_of(path, &error, &State::Absent)),
    }
}

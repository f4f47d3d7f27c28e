//! Machines that look like Nodes: the settings under which agents run elsewhere.

/// The test program whose modules are named after the machines.
pub(super) const TESTS: &str = "machines";

/// A machine to boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Machine {
    /// Its name, and that of its module of tests. `None`: the tests of all kernels run in it.
    pub(super) name: Option<&'static str>,
    /// On the kernel's command line.
    pub(super) command_line: &'static str,
    /// Virtual CPUs.
    pub(super) cpus: usize,
    /// Memory, MiB.
    pub(super) memory_mib: u32,
    /// Lines of shell that run before the agent.
    pub(super) setup: &'static str,
    /// Exit code of `netwhy-agent preflight` there.
    pub(super) preflight: u8,
}

/// Machines by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Choice {
    /// Only cgroup v2, with the systemd driver's slices and scopes
    Systemd,
    /// Only cgroup v1
    V1,
    /// Kernel lockdown `integrity`
    Lockdown,
    /// Strict sysctls for BPF, perf events and kernel pointers
    Hardened,
    /// 8 CPUs and 4,000 cgroups
    Large,
    /// Each of them
    All,
}

/// Without a name: one CPU, cgroup v2.
const PLAIN: Machine = Machine {
    name: None,
    command_line: "",
    cpus: 1,
    memory_mib: 1024,
    setup: "mount -t cgroup2 cgroup /sys/fs/cgroup\n",
    preflight: 0,
};

const MACHINES: [(Choice, Machine); 5] = [
    (
        Choice::Systemd,
        Machine {
            name: Some("systemd"),
            // As systemd mounts it.
            setup: "mount -t cgroup2 -o nsdelegate,memory_recursiveprot cgroup /sys/fs/cgroup\n",
            ..PLAIN
        },
    ),
    (
        Choice::V1,
        Machine {
            name: Some("v1"),
            // A kernel may be built without version 1 of a controller.
            setup: "mount -t tmpfs cgroup /sys/fs/cgroup\n\
                    for hierarchy in cpu,cpuacct memory blkio pids none,name=systemd; do\n\
                    mkdir /sys/fs/cgroup/$hierarchy\n\
                    mount -t cgroup -o $hierarchy cgroup /sys/fs/cgroup/$hierarchy || rmdir /sys/fs/cgroup/$hierarchy\n\
                    done\n",
            preflight: 69,
            ..PLAIN
        },
    ),
    (
        Choice::Lockdown,
        Machine {
            name: Some("lockdown"),
            command_line: "lockdown=integrity",
            setup: "mount -t cgroup2 cgroup /sys/fs/cgroup\nmount -t securityfs securityfs /sys/kernel/security\n",
            ..PLAIN
        },
    ),
    (
        Choice::Hardened,
        Machine {
            name: Some("hardened"),
            setup: "mount -t cgroup2 cgroup /sys/fs/cgroup\n\
                    echo 2 > /proc/sys/net/core/bpf_jit_harden\n\
                    echo 2 > /proc/sys/kernel/kptr_restrict\n\
                    echo 3 > /proc/sys/kernel/perf_event_paranoid\n\
                    echo 1 > /proc/sys/kernel/unprivileged_bpf_disabled\n",
            ..PLAIN
        },
    ),
    (
        Choice::Large,
        Machine {
            name: Some("large"),
            // The machine below has fewer CPUs, so that one of these may stand still for long.
            command_line: "nowatchdog workqueue.watchdog_thresh=0",
            cpus: 8,
            memory_mib: 4096,
            ..PLAIN
        },
    ),
];

/// The machines that were asked for, each once; without any, the plain one.
pub(super) fn chosen(choices: &[Choice]) -> Vec<Machine> {
    if choices.is_empty() {
        return vec![PLAIN];
    }
    let is_chosen = |choice: &Choice| choices.contains(choice) || choices.contains(&Choice::All);
    MACHINES.iter().filter(|(choice, _)| is_chosen(choice)).map(|(_, machine)| *machine).collect()
}

#[cfg(test)]
mod tests;

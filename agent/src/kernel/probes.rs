//! Table of probes: the programs of each signal, their requirements, and the data that is missing without them.

use super::duty::{ANSWER_PROGRAM, NAME_PROGRAM};

/// How a program is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// BTF-typed tracepoint.
    Tracepoint(&'static str),
    /// Iterator.
    Iterator(&'static str),
    /// Socket call in the agent's cgroup subtree, such as `connect4`.
    CgroupSockAddr,
    /// Close of a socket in the agent's cgroup subtree.
    CgroupSock,
    /// BTF-typed tracepoint of the scheduler; the program is in a separate object.
    Scheduler,
}

/// One kernel program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program {
    /// Name in the object.
    pub name: &'static str,
    /// Hook that it attaches to.
    pub hook: Hook,
    /// Number of arguments that the tracepoint must have; 0 for other hooks.
    pub min_args: usize,
}

/// One signal of the configuration's `signals` section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Name in the configuration and in the status.
    pub name: &'static str,
    /// Its programs.
    pub programs: &'static [Program],
    /// First kernel that supports all of it.
    pub since: &'static str,
    /// Data that is missing without it.
    pub without: &'static str,
    /// Whether the agent needs it to start.
    pub core: bool,
    /// Whether it needs all of its programs.
    pub whole: bool,
    /// The probes whose programs provide its data, or a part of it. They stand before this one in the table.
    pub needs: &'static [&'static str],
    /// Whether it needs the capability NET_ADMIN. Without that capability it stays off.
    pub net_admin: bool,
}

const fn tracepoint(name: &'static str, hook: &'static str, min_args: usize) -> Program {
    Program { name, hook: Hook::Tracepoint(hook), min_args }
}

const fn sock_addr(name: &'static str) -> Program {
    Program { name, hook: Hook::CgroupSockAddr, min_args: 0 }
}

/// A program of the table.
pub(super) fn program_named(name: &str) -> Option<&'static Program> {
    PROBES.iter().flat_map(|probe| probe.programs).find(|program| program.name == name)
}

/// The program that walks over living sockets.
pub(super) const WALK_PROGRAM: &str = "nw_walk";

/// The program that visits the subflows of MPTCP connections.
pub(super) const SUBFLOW_PROGRAM: &str = "nw_walk_subflows";

/// The program that sees requests and answers arrive.
pub(super) const RESPONSE_PROGRAM: &str = "nw_response";

/// The signal whose first bytes the programs of response times copy.
pub(super) const HTTP_PROBE: &str = "http";

/// The signal that reads the names in DNS answers.
pub(super) const NAMES_PROBE: &str = "dns_names";

/// The tracepoint of DNS answers, which older kernels lack.
pub(super) const ANSWER_HOOK: &str = "sk_data_ready";

/// All kernel probes.
pub const PROBES: &[Probe] = &[
    Probe {
        name: "rtt",
        programs: &[tracepoint("nw_rtt", "tcp_probe", 1)],
        since: "5.5",
        without: "RTT of busy connections between handshake and close",
        core: true,
        whole: false,
        needs: &[],
        net_admin: false,
    },
    Probe {
        name: "retransmits",
        programs: &[
            tracepoint("nw_retransmit", "tcp_retransmit_skb", 2),
            tracepoint("nw_synack", "tcp_retransmit_synack", 2),
        ],
        since: "5.5",
        without: "retransmissions and loss episodes",
        core: true,
        whole: false,
        needs: &[],
        net_admin: false,
    },
    Probe {
        name: "connects",
        programs: &[
            // First: whether it loads decides how the other is attached.
            tracepoint("nw_error", "inet_sk_error_report", 1),
            tracepoint("nw_state", "inet_sock_set_state", 3),
        ],
        since: "5.5",
        without: "handshakes and failed attempts",
        core: true,
        whole: false,
        needs: &[],
        net_admin: false,
    },
    Probe {
        name: "resets",
        programs: &[
            tracepoint("nw_reset_sent", "tcp_send_reset", 2),
            tracepoint("nw_reset_received", "tcp_receive_reset", 1),
        ],
        since: "5.5",
        without: "resets",
        core: false,
        whole: false,
        needs: &[],
        net_admin: false,
    },
    Probe {
        name: "sockets",
        programs: &[
            tracepoint("nw_destroy", "tcp_destroy_sock", 1),
            Program { name: WALK_PROGRAM, hook: Hook::Iterator("task_file"), min_args: 0 },
        ],
        since: "5.12",
        without: "segments, bytes and limited times of living connections, quiet connections, accept queues",
        core: false,
        whole: false,
        needs: &[],
        net_admin: false,
    },
    Probe {
        name: "mptcp",
        programs: &[Program { name: SUBFLOW_PROGRAM, hook: Hook::Iterator("bpf_sk_storage_map"), min_args: 0 }],
        since: "5.12",
        without: "segments, bytes and limited times of living MPTCP connections, quiet MPTCP connections",
        core: false,
        whole: false,
        needs: &["sockets"],
        net_admin: false,
    },
    Probe {
        name: "accept_queue",
        programs: &[],
        since: "5.12",
        without: "connections turned away by full accept queues",
        core: false,
        whole: false,
        needs: &["sockets"],
        net_admin: false,
    },
    Probe {
        name: "responses",
        programs: &[
            tracepoint("nw_response_read", "tcp_rcv_space_adjust", 1),
            tracepoint("nw_response_again", "tcp_retransmit_skb", 2),
            // Last: the others need what it makes.
            tracepoint(RESPONSE_PROGRAM, "tcp_probe", 2),
        ],
        since: "5.12",
        without: "response times",
        core: false,
        whole: true,
        // `nw_state` sees connections that close, and `nw_destroy` those that end.
        needs: &["connects", "sockets"],
        net_admin: false,
    },
    Probe {
        name: HTTP_PROBE,
        programs: &[],
        since: "6.12",
        without: "methods, routes and statuses of HTTP requests",
        core: false,
        whole: false,
        needs: &["responses"],
        net_admin: false,
    },
    Probe {
        name: "drops",
        programs: &[tracepoint("nw_drop", "kfree_skb", 3)],
        since: "5.17",
        without: "dropped packets by reason",
        core: false,
        whole: false,
        needs: &[],
        net_admin: false,
    },
    Probe {
        name: "dns",
        programs: &[
            Program { name: "nw_dns_release", hook: Hook::CgroupSock, min_args: 0 },
            sock_addr("nw_dns_recvmsg4"),
            sock_addr("nw_dns_recvmsg6"),
            sock_addr("nw_dns_sendmsg4"),
            sock_addr("nw_dns_sendmsg6"),
            sock_addr("nw_dns_connect4"),
            sock_addr("nw_dns_connect6"),
            tracepoint(ANSWER_PROGRAM, ANSWER_HOOK, 1),
        ],
        since: "5.10",
        without: "DNS lookups",
        core: false,
        whole: true,
        needs: &[],
        net_admin: true,
    },
    Probe {
        name: NAMES_PROBE,
        programs: &[tracepoint(NAME_PROGRAM, ANSWER_HOOK, 1)],
        since: "6.3",
        without: "DNS names of peers outside the cluster",
        core: false,
        whole: true,
        // Its programs know which socket looks up a name, and for whom.
        needs: &["dns"],
        net_admin: false,
    },
    Probe {
        name: "run_queue",
        programs: &[Program { name: "nw_run_queue", hook: Hook::Scheduler, min_args: 0 }],
        since: "5.11",
        without: "waits for a CPU",
        core: false,
        whole: true,
        needs: &[],
        net_admin: false,
    },
];

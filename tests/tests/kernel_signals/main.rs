//! The kernel side against the running kernel: real sockets in a laboratory, an agent's programs that observe that
//! laboratory alone, and the kernel's own counters (`TCP_INFO`, `/proc/net/snmp`) as the truth.
//!
//! ```text
//! stage::Stage  a laboratory; the test's own sockets, each made in a Pod's cgroup and on a Node
//! stage::Watch  an agent's kernel side over the laboratory's cgroups, and what its snapshots add up to
//! socket        pairs of connected sockets, TCP_INFO
//! mib           the kernel's own counters of a network namespace
//! ```

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic, as tests may")]

mod abandoned;
mod attribution;
mod bpf_objects;
mod calls;
mod capabilities;
mod capacity;
mod churn;
mod clock;
mod connects;
mod counts;
mod degraded;
mod dns;
mod drops;
mod duty;
mod edge_cases;
mod errors;
mod handshakes;
mod hangs;
mod hints;
mod history;
mod identity;
mod kept;
mod lifecycle;
mod limits;
mod listeners;
mod live;
mod loss;
mod many_sockets;
mod memory;
mod mib;
mod mptcp;
mod node;
mod program;
mod recording;
mod responses;
mod rtt;
mod run_queue;
mod signals;
mod size;
mod start;
mod socket;
mod stage;
mod ways;
mod wraps;

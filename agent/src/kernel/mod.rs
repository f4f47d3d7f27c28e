//! The kernel side: loads netwhy's programs, reads their maps, walks the sockets. The only module that names aya, and
//! the only one with `unsafe`.
//!
//! # Minimum kernel version
//!
//! 5.10 with BTF for the core tier (RTT, retransmissions, handshakes, resets); 5.12 for living sockets, 5.17 for drop
//! reasons, 6.11 for the owners of dropped incoming packets. DNS lookups need 5.10, and the capability NET_ADMIN; waits for
//! a CPU 5.11. 6.1 and later have everything but the owners. What a kernel lacks is said in the probes' verdicts.

mod attach;
mod btf;
mod churn;
mod ethtool;
mod gate;
mod idle;
mod load;
mod maps;
pub(crate) mod memory;
mod offsets;
mod probes;
mod rtt;
mod run_queue;
mod source;
mod stats;
mod switch;
mod sys;
mod walk;
mod windows;

pub use btf::{BtfError, KernelTypes};
pub use churn::ChurnStats;
pub use ethtool::ethtool_calls;
pub use load::{LoadError, Loaded, Mode, Settings, Subtree, release};
pub use offsets::{Constants, resolve};
pub use probes::{PROBES, Probe, State, Verdict};
pub use rtt::RttStats;
pub use source::{KernelSource, SourceSettings, monotonic};
pub use stats::{MapFill, ProgramRun};
pub use walk::WalkStats;

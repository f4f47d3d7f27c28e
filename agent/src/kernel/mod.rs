//! The kernel side: loads netwhy's programs, reads their maps, walks the sockets. It is the only module that names aya,
//! and the only one with `unsafe`.
//!
//! ```text
//! offsets               the running kernel's types → constants of the programs
//! probes, settings      the table of probes; which of them are wanted
//! by_address            whether states of sockets are kept by address
//! packed                the object of the programs
//! kfunc, exchange       calls of kernel functions in the object; the object without atomic exchange
//! refusal, status       why the kernel refuses something; the status of a probe
//! support               which programs this kernel supports
//! verify                all wanted programs → loaded ones, several at once
//! attach, run_queue     one probe → attached programs
//! duty                  probes that are attached for a share of the time only
//! sampling              distance of RTT samples
//! http_sampling         shares of exchanges and connections that are sampled for HTTP
//! steering              the records that steer running programs
//! ring, heads           first bytes of sampled exchanges
//! names                 DNS answers, for the names in them
//! loaded, load          `Loaded`; all of it → `Loaded`
//! storage               room for the storage of sockets
//! maps, stats, walk     what a loaded agent reads
//! control               duty, detaching and attaching again
//! switch                probes that are turned off and on again
//! live                  changed settings, and cgroups that are exempt from sampling for a while
//! errors                errors of the kernel while the agent runs
//! source                snapshots, once per tick
//! credentials           user and group of the process
//! ```
//!
//! # Minimum kernel version
//!
//! | kernel | signals |
//! |---|---|
//! | 5.10 with BTF | RTT, connects, resets, retransmissions; figures of a connection when it closes; DNS lookups with the capability NET_ADMIN |
//! | 5.12 | all that is not below: it brings storage of sockets and `BPF_XCHG` |
//! | 5.17 | drop reasons |
//! | 6.3 | codes of DNS answers, and names of peers from them |
//! | 6.11 | owners of dropped incoming packets |
//! | 6.12 | response times of short connections without TLS |
//!
//! The status of each probe says which of them the running kernel lacks.

mod attach;
mod by_address;
mod context;
mod control;
mod credentials;
mod duty;
mod errors;
mod ethtool;
mod exchange;
mod heads;
mod http_sampling;
mod idle;
mod kfunc;
mod live;
mod load;
mod loaded;
mod maps;
pub(crate) mod memory;
mod names;
mod offsets;
mod packed;
mod ports;
mod probes;
mod refusal;
mod ring;
mod run_queue;
mod sampling;
mod settings;
mod source;
mod stats;
mod steering;
mod storage;
mod support;
mod switch;
mod sys;
mod verify;
mod walk;

pub use crate::btf::{BtfError, KernelTypes};
pub use crate::clock::monotonic;
pub use by_address::ByAddress;
pub use credentials::become_user;
pub use ethtool::ethtool_calls;
pub use exchange::has_exchange;
pub use load::{LoadError, release};
pub use loaded::Loaded;
pub use offsets::{Constants, resolve};
pub use probes::{PROBES, Probe};
pub use settings::{Mode, Rates, Settings, Subtree};
pub use source::{KernelSource, SourceSettings};
pub use stats::StartStatistics;

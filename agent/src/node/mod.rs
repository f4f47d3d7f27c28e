//! The Node's own signals. Reads files of procfs and sysfs and asks the kernel, with a read status per signal group.
//!
//! ```text
//! text     file contents → numbers; pure
//! files    files that stay open between ticks
//! netns    the Node's network namespace, if the agent runs in another one
//! devices  interfaces that lead out of the Node
//! qdisc    queue disciplines, through rtnetlink
//! ethtool  driver information and counters; the calls themselves are in `kernel`
//! uplinks  the interfaces with their drivers, and the sockets to ask about them
//! source   what is read together, and can hang together
//! links    signals of these interfaces
//! facts    kernel, machine, sysctls and settings in which Nodes may differ, each minute
//! sources  signals that are read from procfs
//! reader   all signals, once per tick
//! ```
//! Each source is read under a deadline: a file or a driver that hangs costs its own groups, not those of others.
//! Expensive sources are read less often: interfaces, drivers and driver counters every 10 s; queue disciplines every
//! tick, or every 5 s on a Node with many of them.

mod devices;
mod ethtool;
mod facts;
mod files;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod links;
mod netns;
mod qdisc;
mod reader;
mod source;
mod sources;
mod text;
mod uplinks;

pub use ethtool::{DriverInfo, EthtoolCalls, Setting};
pub use reader::HostReader;
pub use source::HostPaths;

//! The Node's own signals: reads files and asks the kernel, and says of each group what came of it.
//!
//! ```text
//! text     texts of the files → numbers; pure
//! files    open files that are read again and again
//! netns    the Node's network namespace, where it is not the agent's own
//! devices  interfaces that lead out of the Node
//! qdisc    queue disciplines, through rtnetlink
//! ethtool  what drivers tell; the calls themselves are in `kernel`
//! reader   all of it, once per tick
//! ```
//! What costs more than a file is asked for less often: interfaces, drivers and their counters every ten seconds, queue
//! disciplines every tick while there are few and every five seconds on a Node with many interfaces.

mod devices;
mod ethtool;
mod files;
mod netns;
mod qdisc;
mod reader;
mod text;

pub use ethtool::{DriverInfo, EthtoolCalls};
pub use reader::{HostPaths, HostReader};

//! Settings. Precedence: command line, environment, file, default.
//!
//! `table.rs` declares every key of the file once; [`cli`] declares every flag once. [`cli::effective`] merges the two.

mod check;
mod cidr;
pub mod cli;
pub mod docs;
mod error;
mod exit;
mod explain;
mod lines;
mod node_range;
mod parse;
mod suggest;
mod table;
mod value;
mod watch;
mod yaml;

#[cfg(test)]
mod tests;

pub use cidr::Cidr;
pub use error::{ConfigError, ConfigErrors};
pub use exit::Exit;
pub use explain::{Reloaded, explain, reload};
pub use node_range::NodeRange;
pub use table::{
    Change, Config, Http, KEYS, Key, Kube, Labels, Limits, Peers, SECTIONS, Sampling, Section, Signals, Thresholds,
    keys_of,
};
pub use value::{ApiAccess, Authorization, Kind, RttBuckets, RunQueue, Switch};
pub use watch::{ConfigFile, ReloadCounters};

impl Limits {
    /// Sizes of the kernel maps.
    pub fn maps(&self) -> netwhy_abi::memory::Limits {
        // The table's ranges fit `usize` on every target.
        let rows = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        netwhy_abi::memory::Limits {
            cgroups: rows(self.cgroups()),
            edges: rows(self.edges()),
            drops: rows(self.drops()),
            prefixes: rows(self.prefixes()),
        }
    }
}

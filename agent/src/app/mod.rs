//! Running the agent: the only room that knows every other.
//!
//! | file | does |
//! |---|---|
//! | `run` | starts the tasks and supervises them |
//! | `record` | writes snapshots to a file |
//! | `attach` | attaches to the kernel, and drops the rights that only attaching needs |
//! | `history` | starts the flight recorder |
//! | `listeners` | binds the HTTP listeners and serves them, with TLS and authorization |
//! | `cluster` | starts the watches of the API server, and publishing |
//! | `reload` | applies a changed configuration file |
//! | `settings` | maps the configuration to the settings of other rooms |
//! | `signals` | waits for SIGINT and SIGTERM |

mod attach;
mod cluster;
mod failure;
mod history;
mod listeners;
mod record;
mod reload;
mod run;
mod settings;
mod signals;

pub use crate::tick::Source;
pub(crate) use attach::open_and_drop_privileges;
pub use attach::{host_paths, open};
pub use failure::Failure;
pub use record::record;
pub use run::run;
pub use signals::Starting;

use crate::config::{
    Config,
    cli::{Cli, effective},
};

/// Configuration from file, environment and flags, and the file's bytes. `None` bytes: no file.
///
/// # Errors
/// [`Exit::Usage`](crate::config::Exit::Usage) with every mistake in the file.
pub fn configuration(cli: &Cli) -> Result<(Config, Option<Vec<u8>>), Failure> {
    let (file, bytes) = match cli.global.config_file() {
        Some(path) => Config::load(path).map(|(config, bytes)| (config, Some(bytes))).map_err(Failure::usage)?,
        None => (Config::default(), None),
    };
    Ok((effective(cli, file), bytes))
}

/// Name of this Node: the configured one, else the host name.
pub fn node_name(config: &Config) -> String {
    let host = || rustix::system::uname().nodename().to_string_lossy().into_owned();
    config.kube.node_name().map_or_else(host, str::to_owned)
}

/// One worker thread is enough: the tick has a thread of its own.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()
}

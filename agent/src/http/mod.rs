//! The HTTP server: metrics, health and `/api/v1`, read-only, from the newest published view.

mod answers;
mod api_place;
mod api_routes;
mod authorization;
mod budget;
mod certificates;
mod connections;
mod host;
mod limits;
mod local;
mod past;
mod probes;
mod protection;
mod reader;
mod ready;
mod refusals;
mod routes;
mod scrapes;
mod server;
mod stream;
mod tls;
mod verdicts;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use api_place::{ApiPlace, api_address};
pub use authorization::Authorization;
pub use certificates::{TlsError, TlsFile, TlsFiles};
pub use limits::Limits;
pub(crate) use local::{bind_local, serve_local};
pub use probes::serve_probes;
pub use protection::Protection;
pub use ready::{alive, ready};
pub use server::{serve, serve_routes};
pub use tls::{Renewal, Tls};

use crate::{api::AgentStats, config::Http, history::Past, metrics::MetricsOptions, state::NodeView, system};
use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};
use tokio::sync::watch;

/// Default port of the probe listener.
const PROBE_PORT: u16 = 9811;

/// State that the server reads: the newest that other tasks published.
#[derive(Clone, Debug)]
pub struct Shared {
    /// The Node as of the last tick.
    pub view: watch::Receiver<Arc<NodeView>>,
    /// The agent's own status as of the last tick.
    pub agent: watch::Receiver<Arc<AgentStats>>,
    /// Export options; they change when the configuration is read again.
    pub options: watch::Receiver<MetricsOptions>,
    /// Time since when snapshots are due, `CLOCK_MONOTONIC`.
    pub started: Duration,
    /// Contents of the flight recorder. `None`: nothing is recorded.
    pub past: Option<Past>,
}

/// The listener can't be created.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another process listens there.
    #[error("listen on {addr}: the port is in use; stop the other process or choose another port with {flag}")]
    Taken {
        /// The wanted address.
        addr: SocketAddr,
        /// The flag or key that sets it.
        flag: &'static str,
    },
    /// Anything else, such as an address that this machine doesn't have.
    #[error("listen on {addr}: {source}; choose another address with {flag}")]
    Refused {
        /// The wanted address.
        addr: SocketAddr,
        /// The flag or key that sets it.
        flag: &'static str,
        /// The kernel's error.
        source: io::Error,
    },
}

/// Creates the listener. Connections wait in its queue until [`serve`] accepts them.
///
/// # Errors
/// When the port is taken, the address isn't this machine's, or the port needs a privilege.
pub fn bind(addr: SocketAddr) -> Result<TcpListener, BindError> {
    bind_for(addr, "--listen")
}

/// Creates the probe listener. `None`: no address is configured, and another process uses the default port. Then only
/// the main listener answers probes.
///
/// # Errors
/// As [`bind`], for a configured address.
pub fn bind_probes(config: &Http) -> Result<Option<TcpListener>, BindError> {
    match (config.probe_listen(), bind_for(probe_address(config), "--probe-listen")) {
        (None, Err(BindError::Taken { .. })) => Ok(None),
        (_, bound) => bound.map(Some),
    }
}

/// Address of the probe listener: the configured one, else port 9811 of the main listener's address.
pub fn probe_address(config: &Http) -> SocketAddr {
    config.probe_listen().unwrap_or_else(|| SocketAddr::new(config.listen().ip(), PROBE_PORT))
}

fn bind_for(addr: SocketAddr, flag: &'static str) -> Result<TcpListener, BindError> {
    listener(addr).map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => BindError::Taken { addr, flag },
        _ => BindError::Refused { addr, flag, source },
    })
}

/// Connections inherit the buffers, also those that wait in the listener's queue.
fn listener(addr: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(addr)?;
    listener.set_nonblocking(true)?;
    system::set_buffers(&listener, limits::SEND_BUFFER, limits::RECEIVE_BUFFER)?;
    Ok(listener)
}

/// The clock of [`NodeView::at`].
fn monotonic_now() -> Duration {
    crate::clock::monotonic()
}

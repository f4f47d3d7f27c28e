//! The HTTP server: metrics, health and `/api/v1`, read-only, from the newest published view.

mod ready;
mod routes;
mod server;
#[cfg(test)]
mod tests;

pub use ready::{alive, ready};
pub use server::{Limits, serve};

use crate::{api::AgentStats, metrics::MetricsOptions, state::NodeView};
use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};
use tokio::sync::watch;

/// What the server reads: the newest state that other tasks published.
#[derive(Clone, Debug)]
pub struct Shared {
    /// The Node as of the last tick.
    pub view: watch::Receiver<Arc<NodeView>>,
    /// The agent's own status as of the last tick.
    pub agent: watch::Receiver<Arc<AgentStats>>,
    /// What to export; changes when the configuration is read again.
    pub options: watch::Receiver<MetricsOptions>,
}

/// The listener can't be created.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another process listens there.
    #[error("listen on {addr}: the port is in use; stop the other process or choose another port with --listen")]
    Taken {
        /// The wanted address.
        addr: SocketAddr,
    },
    /// Anything else, such as an address that this machine doesn't have.
    #[error("listen on {addr}: {source}; choose another address with --listen")]
    Refused {
        /// The wanted address.
        addr: SocketAddr,
        /// The kernel's error.
        source: io::Error,
    },
}

/// Creates the listener. Connections wait in its queue until [`serve`] accepts them.
///
/// # Errors
/// When the port is taken, the address isn't this machine's, or the port needs a privilege.
pub fn bind(addr: SocketAddr) -> Result<TcpListener, BindError> {
    let listener = TcpListener::bind(addr).and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
    listener.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => BindError::Taken { addr },
        _ => BindError::Refused { addr, source },
    })
}

/// `CLOCK_MONOTONIC`, the clock of [`NodeView::at`].
fn monotonic_now() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Duration::new(now.tv_sec.try_into().unwrap_or(0), now.tv_nsec.try_into().unwrap_or(0))
}

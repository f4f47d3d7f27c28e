//! The probe listener: `/livez` and `/readyz` for the kubelet, on a thread that no other client can delay.

use super::{
    Limits, Protection, Shared, routes,
    server::{self, Entrance},
};
use std::{future::Future, net::TcpListener};

/// Serves probes on the current thread until `shutdown` resolves.
///
/// # Errors
/// When the thread can't get a runtime, or as [`serve`](super::serve).
pub fn serve_probes(
    listener: TcpListener,
    shared: Shared,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let plain = Protection::default();
    let entrances = |_| Ok(vec![Entrance::new(listener, routes::probes(shared), plain)?]);
    runtime.block_on(server::accept(Limits::PROBES, entrances, shutdown))
}

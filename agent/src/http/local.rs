//! A listener for the browser of this machine's user.

use super::{
    Limits,
    server::{self, Entrance},
};
use axum::Router;
use std::{
    future::Future,
    io,
    net::{Ipv4Addr, TcpListener},
};

/// Listens on loopback. 0: any free port.
///
/// # Errors
/// When the port is taken, or needs a privilege.
pub(crate) fn bind_local(port: u16) -> io::Result<TcpListener> {
    super::listener((Ipv4Addr::LOCALHOST, port).into())
}

/// Serves a router, which checks the Host header itself, until `shutdown` resolves.
///
/// # Errors
/// As [`serve`](super::serve).
pub(crate) async fn serve_local(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    server::accept(Limits::BROWSER, |_| Ok(vec![Entrance::guarded(listener, router)?]), shutdown).await
}

//! The Host header of clients on loopback. A web page can point a DNS name of its own at 127.0.0.1 (DNS rebinding) and
//! then read what a browser on this machine, or behind a port-forward, gets from here. Its requests carry that name.

use super::routes;
use axum::{
    extract::Request,
    http::{StatusCode, Version, header, uri::Authority},
    middleware::Next,
    response::Response,
};
use std::net::IpAddr;

/// Paths that tell nothing of Pods. Probes may name any host.
const PROBES: [&str; 2] = ["/livez", "/readyz"];

/// Refuses what a browser may have been misled to send: requests whose Host header is a DNS name other than localhost.
pub(super) async fn check(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).map(|value| String::from_utf8_lossy(value.as_bytes()));
    // Browsers always send a Host header, and never HTTP/1.0: that is a script, which may name any host.
    let is_local = request.version() == Version::HTTP_10 || host.as_deref().is_none_or(is_local);
    if is_local || PROBES.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    let message = "the Host header is neither localhost nor an IP address: ask http://localhost and the port";
    routes::error(StatusCode::MISDIRECTED_REQUEST, message.to_owned())
}

/// True for localhost and for addresses, which DNS can't rebind.
fn is_local(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host();
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests;

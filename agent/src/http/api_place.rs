//! Where `/api/v1` is answered.

use super::{BindError, bind_for};
use crate::config::{ApiAccess, Http};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// Where `/api/v1` is answered.
#[derive(Debug)]
pub enum ApiPlace {
    /// By the main listener.
    Main,
    /// By a listener of its own on loopback.
    Loopback(TcpListener),
    /// Nowhere: another process has the port on loopback.
    Taken(SocketAddr),
}

impl ApiPlace {
    /// Creates the API's own listener, if it has one.
    ///
    /// # Errors
    /// When loopback can't be listened on, for another reason than that its port is taken.
    pub fn bind(config: &Http) -> Result<Self, BindError> {
        let Some(addr) = api_address(config) else { return Ok(Self::Main) };
        match bind_for(addr, "http.api_port") {
            Err(BindError::Taken { .. }) => Ok(Self::Taken(addr)),
            bound => bound.map(Self::Loopback),
        }
    }

    /// The reason why the main listener does not answer `/api/v1`. `None`: it does.
    pub(super) fn refusal(&self) -> Option<String> {
        let (addr, why) = match self {
            Self::Main => return None,
            Self::Loopback(listener) => (listener.local_addr().ok(), "with http.api: loopback"),
            Self::Taken(addr) => (Some(*addr), "but another process has that port: set http.api_port"),
        };
        let port = addr.map_or(0, |addr| addr.port());
        Some(format!(
            "/api/v1 is answered on 127.0.0.1:{port} alone, {why}; use kubectl netwhy, or kubectl port-forward to it"
        ))
    }
}

/// Address of the API's own listener. `None`: the main listener answers, because it may or because it is on loopback.
pub fn api_address(config: &Http) -> Option<SocketAddr> {
    let is_main = config.api() == ApiAccess::Proxy || config.listen().ip().to_canonical().is_loopback();
    let port = u16::try_from(config.api_port()).unwrap_or(0);
    (!is_main).then(|| SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}

//! Opens connections: TCP, a proxy if there is one, TLS.

use super::{
    hop,
    proxy::{Proxy, ProxyKind},
};
use hyper::Uri;
use hyper_util::{
    client::legacy::connect::{Connected, Connection, HttpConnector},
    rt::TokioIo,
};
use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, pki_types::ServerName},
};
use tower::ServiceExt as _;

/// Detects a peer that vanished under `-w`.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Why there is no connection.
#[derive(Clone, Debug, thiserror::Error)]
pub(in super::super) enum DialError {
    /// The server or the proxy does not accept.
    #[error("can't connect to {place}: {why}")]
    Unreachable {
        /// Host and port.
        place: String,
        /// The kernel's or the resolver's reason.
        why: String,
    },
    /// The proxy answers, and does not connect.
    #[error("the proxy {proxy} does not connect to {place}: {why}")]
    Proxy {
        /// URL without a password.
        proxy: String,
        /// Host and port of the server.
        place: String,
        /// Its answer.
        why: String,
    },
    /// TLS fails.
    #[error("no TLS with {place}: {why}")]
    Tls {
        /// Host and port.
        place: String,
        /// The reason.
        why: String,
    },
    /// No end within the time.
    #[error("no connection within {} s", .0.as_secs())]
    Late(Duration),
}

impl DialError {
    /// The remedy.
    pub(in super::super) fn remedy(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } | Self::Late(_) => "check --context, the network and VPN",
            Self::Proxy { .. } => "check proxy-url of the kubeconfig, HTTPS_PROXY and NO_PROXY",
            Self::Tls { why, .. } if why.contains("UnsupportedCertVersion") => {
                "the server's certificate is of X.509 version 1 and has no names: issue one with subjectAltName"
            }
            Self::Tls { .. } => "check certificate-authority, tls-server-name and the clock",
        }
    }
}

/// Opens connections to one server.
#[derive(Clone)]
pub(super) struct Dialer {
    pub(super) proxy: Option<Proxy>,
    /// For the server, and as in Go for an https proxy too.
    pub(super) tls: Arc<ClientConfig>,
    /// `None`: the host of the URL.
    pub(super) server_name: Option<ServerName<'static>>,
    /// Longest connection attempt, with all its steps.
    pub(super) limit: Duration,
}

impl Dialer {
    pub(super) async fn dial(self, server: Uri) -> Result<TokioIo<Wire>, DialError> {
        let limit = self.limit;
        let dialed = tokio::time::timeout(limit, self.steps(server)).await;
        dialed.unwrap_or(Err(DialError::Late(limit))).map(TokioIo::new)
    }

    async fn steps(self, server: Uri) -> Result<Wire, DialError> {
        let is_tls = server.scheme_str() == Some("https");
        let host = server.host().unwrap_or_default();
        let port = server.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let place = format!("{host}:{port}");
        let wire = match &self.proxy {
            None => tcp(host, port).await?,
            Some(proxy) => self.by_proxy(proxy, host, port).await?,
        };
        if !is_tls {
            return Ok(wire);
        }
        let name = match self.server_name {
            Some(name) => name,
            None => name(host).ok_or_else(|| tls_error(&place, &"the host is no name for a certificate"))?,
        };
        encrypt(self.tls, name, wire, &place).await
    }

    async fn by_proxy(&self, proxy: &Proxy, host: &str, port: u16) -> Result<Wire, DialError> {
        let mut wire = tcp(&proxy.host, proxy.port).await.map_err(|error| match error {
            DialError::Unreachable { place, why } => {
                DialError::Unreachable { place: format!("the proxy {place}"), why }
            }
            other => other,
        })?;
        if proxy.kind == ProxyKind::Https {
            let place = format!("the proxy {}:{}", proxy.host, proxy.port);
            let name = name(&proxy.host).ok_or_else(|| tls_error(&place, &"the host is no name for a certificate"))?;
            wire = encrypt(Arc::clone(&self.tls), name, wire, &place).await?;
        }
        let asked = match proxy.kind {
            ProxyKind::Http | ProxyKind::Https => hop::http_connect(&mut wire, proxy, host, port).await,
            ProxyKind::Socks5 => hop::socks5(&mut wire, proxy, host, port).await,
        };
        let place = format!("{host}:{port}");
        asked.map_err(|why| DialError::Proxy { proxy: proxy.to_string(), place, why })?;
        Ok(wire)
    }
}

fn name(host: &str) -> Option<ServerName<'static>> {
    ServerName::try_from(host.trim_start_matches('[').trim_end_matches(']').to_owned()).ok()
}

fn tls_error(place: &str, why: &dyn std::fmt::Display) -> DialError {
    DialError::Tls { place: place.to_owned(), why: why.to_string() }
}

/// To the first address that answers. hyper's connector tries IPv4 and IPv6 at once.
async fn tcp(host: &str, port: u16) -> Result<Wire, DialError> {
    let place = format!("{host}:{port}");
    let failed = |why: String| DialError::Unreachable { place: place.clone(), why };
    let url: Uri = format!("http://{place}").parse().map_err(|error| failed(format!("not a host: {error}")))?;
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_keepalive(Some(KEEPALIVE));
    let stream = connector.oneshot(url).await.map_err(|error| failed(deepest(&error)))?;
    Ok(Wire(Box::new(stream.into_inner())))
}

async fn encrypt(
    tls: Arc<ClientConfig>,
    name: ServerName<'static>,
    wire: Wire,
    place: &str,
) -> Result<Wire, DialError> {
    let stream = TlsConnector::from(tls).connect(name, wire).await.map_err(|error| tls_error(place, &error))?;
    Ok(Wire(Box::new(stream)))
}

/// The first cause, such as "Connection refused".
fn deepest(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection, whatever its layers.
pub(super) struct Wire(Box<dyn Stream>);

impl Connection for Wire {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

//! Which proxy leads to the API server, as Go's `net/http` decides it: `proxy-url` of the kubeconfig, else
//! `HTTPS_PROXY` or `HTTP_PROXY`, unless `NO_PROXY` names the server.

use super::super::Failure;
use hyper::Uri;
use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

/// A proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Proxy {
    pub(super) kind: ProxyKind,
    pub(super) host: String,
    pub(super) port: u16,
    /// User and password, percent-decoded.
    pub(super) login: Option<(String, String)>,
}

/// Protocols of proxies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProxyKind {
    Http,
    /// HTTP over TLS.
    Https,
    Socks5,
}

impl fmt::Display for Proxy {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.kind {
            ProxyKind::Http => "http",
            ProxyKind::Https => "https",
            ProxyKind::Socks5 => "socks5",
        };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

/// The proxy to this server. `None`: a direct connection.
///
/// # Errors
/// A URL that is none of a proxy.
pub(super) fn choose(
    proxy_url: Option<&str>,
    server: &Uri,
    env: impl Fn(&str) -> Option<String>,
) -> Result<Option<Proxy>, Failure> {
    if let Some(url) = proxy_url.filter(|url| !url.is_empty()) {
        return parse(url, "proxy-url of the kubeconfig").map(Some);
    }
    let either = |upper: &'static str| {
        let set = |name: &str| env(name).filter(|value| !value.is_empty());
        set(upper).or_else(|| set(&upper.to_ascii_lowercase()))
    };
    let variable = if server.scheme_str() == Some("http") { "HTTP_PROXY" } else { "HTTPS_PROXY" };
    let Some(url) = either(variable) else { return Ok(None) };
    if is_direct(&either("NO_PROXY").unwrap_or_default(), server) {
        return Ok(None);
    }
    let full = if url.contains("://") { url } else { format!("http://{url}") };
    parse(&full, variable).map(Some)
}

fn parse(url: &str, place: &str) -> Result<Proxy, Failure> {
    // The URL may have a password, so messages do not repeat it.
    let bad = |why: &str| Failure::new(format!("{place}: {why}"), "write it as http://HOST:PORT or socks5://HOST:PORT");
    let uri: Uri = url.parse().map_err(|error| bad(&format!("not a URL: {error}")))?;
    let (kind, port) = match uri.scheme_str() {
        Some("http") => (ProxyKind::Http, 80),
        Some("https") => (ProxyKind::Https, 443),
        Some("socks5" | "socks5h") => (ProxyKind::Socks5, 1080),
        other => return Err(bad(&format!("no proxy of kind {:?}", other.unwrap_or_default()))),
    };
    let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| bad("it has no host"))?;
    let login = uri.authority().and_then(|authority| authority.as_str().rsplit_once('@')).map(|(login, _)| {
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        (decoded(user), decoded(password))
    });
    Ok(Proxy { kind, host: host.to_owned(), port: uri.port_u16().unwrap_or(port), login })
}

/// Without percent escapes.
fn decoded(text: &str) -> String {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, more)) = rest.split_first() {
        let hex = |at: usize| more.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        match (first, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                rest = &more[2..];
            }
            _ => {
                out.push(first);
                rest = more;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Whether `NO_PROXY` exempts the server, by the rules of `golang.org/x/net/http/httpproxy`. This machine itself needs
/// no proxy.
fn is_direct(no_proxy: &str, server: &Uri) -> bool {
    let host = server.host().unwrap_or_default().to_ascii_lowercase();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = server.port_u16().unwrap_or(if server.scheme_str() == Some("http") { 80 } else { 443 }).to_string();
    let address: Option<IpAddr> = host.parse().ok();
    if host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
        return true;
    }
    no_proxy.split(',').map(|entry| entry.trim().to_ascii_lowercase()).any(|entry| {
        if entry == "*" {
            return true;
        }
        if let Some((network, bits)) = entry.split_once('/') {
            return network
                .parse()
                .is_ok_and(|network| address.is_some_and(|address| contains(network, bits, address)));
        }
        let (name, wanted) = host_and_port(&entry);
        if wanted.is_some_and(|wanted| wanted != port) {
            return false;
        }
        if let Ok(same) = name.parse::<IpAddr>() {
            return address == Some(same);
        }
        let name = name.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(name);
        match name.strip_prefix('.') {
            Some("") => false,
            Some(_) => host.ends_with(name),
            None => !name.is_empty() && (host == name || host.ends_with(&format!(".{name}"))),
        }
    })
}

/// Host and port of an entry such as `a.b`, `a.b:443`, `[::1]:443` or `::1`.
fn host_and_port(entry: &str) -> (&str, Option<&str>) {
    if let Some((host, rest)) = entry.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return (host, rest.strip_prefix(':'));
    }
    match entry.split_once(':') {
        Some((host, port)) if !port.contains(':') => (host, Some(port)),
        _ => (entry, None),
    }
}

fn contains(network: IpAddr, bits: &str, address: IpAddr) -> bool {
    let number = |ip: Ipv6Addr| u128::from(ip);
    let (network, address, offset) = match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => (network.to_ipv6_mapped(), address.to_ipv6_mapped(), 96),
        (IpAddr::V6(network), IpAddr::V6(address)) => (network, address, 0),
        _ => return false,
    };
    let Some(bits) = bits.parse::<u32>().ok().and_then(|bits| bits.checked_add(offset)).filter(|bits| *bits <= 128)
    else {
        return false;
    };
    let differing = number(network) ^ number(address);
    differing.checked_shr(128 - bits).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests;

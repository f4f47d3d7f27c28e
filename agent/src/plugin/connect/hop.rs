//! Asks a proxy for a connection: HTTP `CONNECT` (RFC 9110, 9.3.6) and SOCKS 5 (RFC 1928, 1929).

use super::proxy::Proxy;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::{io, net::IpAddr};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Longest head of a proxy's answer, bytes.
const MAX_HEAD: usize = 16 << 10;

/// Asks for a tunnel. Nothing is read beyond the answer's head.
///
/// # Errors
/// The refusal, or the reason why the answer can't be read.
pub(super) async fn http_connect<S>(stream: &mut S, proxy: &Proxy, host: &str, port: u16) -> Result<(), String>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut request = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n");
    if let Some((user, password)) = &proxy.login {
        let login = STANDARD.encode(format!("{user}:{password}"));
        request.push_str(&format!("Proxy-Authorization: Basic {login}\r\n"));
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).await.map_err(broken)?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= MAX_HEAD {
            return Err("its answer is too long: it is no HTTP proxy".to_owned());
        }
        head.push(stream.read_u8().await.map_err(broken)?);
    }
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let read = response.parse(&head);
    match (read, response.code) {
        (Ok(_), Some(200..=299)) => Ok(()),
        (Ok(_), Some(407)) => Err("407: it wants a user and a password, as in http://USER:PASSWORD@HOST".to_owned()),
        (Ok(_), Some(code)) => Err(format!("{code} {}", response.reason.unwrap_or_default()).trim().to_owned()),
        _ => Err("its answer is not HTTP".to_owned()),
    }
}

/// Asks for a connection. The proxy resolves names.
///
/// # Errors
/// The refusal, or the reason why the answer can't be read.
pub(super) async fn socks5<S>(stream: &mut S, proxy: &Proxy, host: &str, port: u16) -> Result<(), String>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // Version, number of methods, methods: 0 none, 2 password.
    let methods: &[u8] = if proxy.login.is_some() { &[5, 2, 0, 2] } else { &[5, 1, 0] };
    stream.write_all(methods).await.map_err(broken)?;
    let mut chosen = [0; 2];
    stream.read_exact(&mut chosen).await.map_err(broken)?;
    match (chosen, &proxy.login) {
        ([5, 0], _) => {}
        ([5, 2], Some((user, password))) => log_in(stream, user, password).await?,
        ([5, _], _) => return Err("it wants another login, as in socks5://USER:PASSWORD@HOST".to_owned()),
        _ => return Err("its answer is not SOCKS 5".to_owned()),
    }
    let mut request = vec![5, 1, 0];
    match host.trim_start_matches('[').trim_end_matches(']').parse() {
        Ok(IpAddr::V4(address)) => {
            request.push(1);
            request.extend(address.octets());
        }
        Ok(IpAddr::V6(address)) => {
            request.push(4);
            request.extend(address.octets());
        }
        Err(_) => {
            request.push(3);
            request.extend(short(host)?);
        }
    }
    request.extend(port.to_be_bytes());
    stream.write_all(&request).await.map_err(broken)?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).await.map_err(broken)?;
    if answer[1] != 0 {
        return Err(refusal(answer[1]).to_owned());
    }
    let address = match answer[3] {
        1 => 4,
        4 => 16,
        _ => usize::from(stream.read_u8().await.map_err(broken)?),
    };
    let mut bound = vec![0; address + 2];
    stream.read_exact(&mut bound).await.map(drop).map_err(broken)
}

async fn log_in<S>(stream: &mut S, user: &str, password: &str) -> Result<(), String>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut login = vec![1];
    login.extend(short(user)?);
    login.extend(short(password)?);
    stream.write_all(&login).await.map_err(broken)?;
    let mut answer = [0; 2];
    stream.read_exact(&mut answer).await.map_err(broken)?;
    if answer[1] == 0 { Ok(()) } else { Err("it rejects the user or the password".to_owned()) }
}

/// Length and bytes.
fn short(text: &str) -> Result<Vec<u8>, String> {
    let length = u8::try_from(text.len()).map_err(|_| "SOCKS 5 knows no name above 255 bytes".to_owned())?;
    Ok([&[length], text.as_bytes()].concat())
}

/// Replies of RFC 1928, 6.
const fn refusal(code: u8) -> &'static str {
    match code {
        2 => "not allowed by its rules",
        3 => "the network is unreachable from there",
        4 => "the host is unreachable from there",
        5 => "the connection was refused there",
        6 => "the time to live expired",
        7 => "it does not know the command CONNECT",
        8 => "it does not know this kind of address",
        _ => "a failure of the proxy",
    }
}

fn broken(error: io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "it closed the connection without an answer".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests;

//! Just enough HTTP to ask an agent on this machine.

use anyhow::{Context as _, Result, bail, ensure};
use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

const TIMEOUT: Duration = Duration::from_secs(5);

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// GET with a connection of its own.
pub(crate) fn get(agent: SocketAddr, path: &str) -> Result<Answer> {
    get_as(agent, path, "*/*")
}

/// The same, asking for a media type.
pub(crate) fn get_as(agent: SocketAddr, path: &str, accept: &str) -> Result<Answer> {
    let exchange = || -> Result<Answer> {
        let mut stream = TcpStream::connect_timeout(&agent, TIMEOUT)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {agent}\r\naccept: {accept}\r\nconnection: close\r\n\r\n")?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        parse(&bytes)
    };
    exchange().with_context(|| format!("GET http://{agent}{path}"))
}

fn parse(bytes: &[u8]) -> Result<Answer> {
    let split =
        bytes.windows(4).position(|window| window == b"\r\n\r\n").context("an answer without an end of headers")?;
    let head = String::from_utf8_lossy(&bytes[..split]);
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("an answer without a status")?;
    let chunked = head.lines().skip(1).any(|line| {
        let line = line.to_ascii_lowercase();
        line.starts_with("transfer-encoding:") && line.contains("chunked")
    });
    let body = &bytes[split + 4..];
    let body = if chunked { unchunk(body)? } else { body.to_vec() };
    Ok(Answer { status, body: String::from_utf8(body).context("an answer that is not UTF-8")? })
}

/// Joins the chunks of a chunked body.
fn unchunk(mut body: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    loop {
        let end = body.windows(2).position(|window| window == b"\r\n").context("a chunk without a length")?;
        let line = std::str::from_utf8(&body[..end]).context("a chunk's length")?;
        let length =
            usize::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16).context("a chunk's length")?;
        body = &body[end + 2..];
        if length == 0 {
            return Ok(out);
        }
        ensure!(body.len() >= length + 2, "an answer that ends within a chunk");
        out.extend_from_slice(&body[..length]);
        if &body[length..length + 2] != b"\r\n" {
            bail!("a chunk without an end");
        }
        body = &body[length + 2..];
    }
}

#[cfg(test)]
mod tests;

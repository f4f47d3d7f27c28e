//! Clients of the agent: good ones, slow ones, and ones that never read.

use crate::demo::http;
use netwhy_tests::stop;
use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// Pause between two requests.
const PAUSE: Duration = Duration::from_millis(500);
/// How long bad clients keep their connection.
const HOLD: Duration = Duration::from_secs(3);
/// Requests that are sent at once and whose answers are not read.
const PIPELINED: usize = 50;

/// Requests so far.
#[derive(Debug, Default)]
pub(super) struct Requests {
    pub(super) answered: AtomicU64,
    pub(super) failed: AtomicU64,
}

/// Asks for metrics and reports, in turns, until the end.
pub(super) fn good(agent: SocketAddr, requests: &Requests) {
    let paths = ["/metrics", "/api/v1/pods", "/metrics", "/api/v1/edges?by=peer_node", "/metrics", "/api/v1/hints"];
    for path in paths.iter().cycle() {
        if stop::sleep(PAUSE) {
            return;
        }
        let answered = http::get(agent, path).is_ok_and(|answer| answer.status == 200);
        let counter = if answered { &requests.answered } else { &requests.failed };
        counter.fetch_add(1, Relaxed);
    }
}

/// Reads the first bytes of an answer and goes away; sends half a request; sends many and reads nothing.
pub(super) fn bad(agent: SocketAddr) {
    for turn in 0_usize.. {
        if stop::sleep(PAUSE) {
            return;
        }
        // Refused or cut off is what such clients must expect.
        let _ = one_bad(agent, turn % 3);
    }
}

fn one_bad(agent: SocketAddr, kind: usize) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(agent)?;
    let request = b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n";
    match kind {
        0 => {
            stream.write_all(request)?;
            stream.read_exact(&mut [0; 100])?;
        }
        1 => stream.write_all(&request[..20])?,
        _ => {
            stream.set_write_timeout(Some(HOLD))?;
            stream.write_all(&request.repeat(PIPELINED))?;
        }
    }
    stop::sleep(HOLD);
    Ok(())
}

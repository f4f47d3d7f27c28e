//! Ports for programs that can't tell which one they got.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

/// First of the ports. Whoever asks for any port gets one from 32768 up (`ip_local_port_range`): nobody takes these
/// between choice and use.
const FIRST: u32 = 20_000;
/// How many there are.
const COUNT: u32 = 10_000;
/// Distance between the first choices of two processes whose identifiers are neighbours.
const DISTANCE: u32 = 37;

/// A port on 127.0.0.1 that nobody listens on. Each call gives another one.
///
/// # Errors
/// When all are in use.
pub fn free() -> io::Result<SocketAddr> {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    for _ in 0..COUNT {
        let number = process::id().wrapping_mul(DISTANCE).wrapping_add(CALLS.fetch_add(1, Ordering::Relaxed));
        let port = (FIRST + number % COUNT) as u16;
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            return listener.local_addr();
        }
    }
    Err(io::ErrorKind::AddrInUse.into())
}

#[cfg(test)]
mod tests;

//! A minimal HTTP client for the tests.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// Status and body of a GET. `None`: no listener, or an incomplete answer.
pub(crate) fn get(address: SocketAddr, path: &str, accept: &str) -> Option<(u16, String)> {
    // In HTTP/1.0 an answer comes in one piece and ends with the connection.
    exchange(address, &format!("GET {path} HTTP/1.0\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n"))
}

/// Status and body of a POST with one form field.
pub(crate) fn post(address: SocketAddr, path: &str, field: &str, value: &str) -> Option<(u16, String)> {
    let body = format!("{field}={}", encoded(value));
    let head = "Content-Type: application/x-www-form-urlencoded";
    exchange(
        address,
        &format!("POST {path} HTTP/1.0\r\nHost: localhost\r\n{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()),
    )
}

/// Status and body of a POST of JSON.
pub(crate) fn post_json(address: SocketAddr, path: &str, body: &str) -> Option<(u16, String)> {
    let head = format!("Content-Type: application/json\r\nContent-Length: {}", body.len());
    exchange(address, &format!("POST {path} HTTP/1.0\r\nHost: localhost\r\n{head}\r\n\r\n{body}"))
}

fn exchange(address: SocketAddr, request: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    stream.write_all(request.as_bytes()).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

fn encoded(text: &str) -> String {
    let one = |byte: u8| {
        if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(one).collect()
}

/// A proxy that requests the text format from the agent. Prometheus before 2.49 has no setting for the format.
pub(crate) struct TextProxy {
    pub(crate) address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl TextProxy {
    pub(crate) fn start(agent: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                let _ = relay(stream, agent);
            }
        });
        Self { address, stop, thread: Some(thread) }
    }
}

fn relay(mut client: TcpStream, agent: SocketAddr) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") && client.read(&mut byte)? == 1 {
        request.push(byte[0]);
    }
    let mut server = TcpStream::connect(agent)?;
    server.write_all(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\nAccept: text/plain;version=0.0.4\r\n\r\n")?;
    std::io::copy(&mut server, &mut client)?;
    Ok(())
}

impl Drop for TextProxy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes it.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

//! A small HTTP server that keeps what it was sent.

use std::{
    collections::BTreeMap,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU16, Ordering},
    },
    thread,
    time::Duration,
};

/// One request.
#[derive(Clone, Debug)]
pub struct Letter {
    /// Method, path and version.
    pub line: String,
    /// By name in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
}

/// The server; it ends when dropped.
#[derive(Debug)]
pub struct Inbox {
    address: SocketAddr,
    letters: Arc<Mutex<Vec<Letter>>>,
    status: Arc<AtomicU16>,
    ended: Arc<AtomicBool>,
}

impl Inbox {
    /// Serves on this listener, and answers each request with 200.
    ///
    /// # Errors
    /// When the listener has no address.
    pub fn new(listener: TcpListener) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let this =
            Self { address, letters: Arc::default(), status: Arc::new(AtomicU16::new(200)), ended: Arc::default() };
        let (letters, status, ended) = (Arc::clone(&this.letters), Arc::clone(&this.status), Arc::clone(&this.ended));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                // A broken request is no letter.
                if let Ok(letter) = read(stream, status.load(Ordering::Relaxed)) {
                    letters.lock().unwrap_or_else(PoisonError::into_inner).push(letter);
                }
            }
        });
        Ok(this)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers with this status from now on.
    pub fn answer_with(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    /// All requests so far.
    pub fn letters(&self) -> Vec<Letter> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Letter>> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // Wakes it, where it can be reached.
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_millis(100));
    }
}

fn read(stream: TcpStream, status: u16) -> io::Result<Letter> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|value: &String| value.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let head = format!("HTTP/1.1 {status} Status\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    reader.get_mut().write_all(head.as_bytes())?;
    Ok(Letter { line: line.trim_end().to_owned(), headers, body: String::from_utf8_lossy(&body).into_owned() })
}

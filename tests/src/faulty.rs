//! An API server that misbehaves. The test gives its answers byte by byte, because no healthy server sends them.

use std::{
    io::{self, BufReader, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// One request: the fields that tests read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Time since the server began.
    pub at: Duration,
    /// Such as `GET`.
    pub method: String,
    /// Path without the query.
    pub path: String,
    /// Query without the question mark.
    pub query: String,
    /// Body; empty for requests that only read.
    pub body: String,
}

impl Asked {
    /// A parameter's value.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query
            .split('&')
            .find_map(|part| part.split_once('=').filter(|(key, _)| *key == name).map(|(_, value)| value))
    }

    /// Whether it asks for a watch.
    pub fn is_watch(&self) -> bool {
        self.parameter("watch") == Some("true")
    }
}

/// How an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// As HTTP wants it.
    Proper,
    /// The connection is closed in the midst of the body.
    Cut,
    /// The server's half of the connection is closed, and the rest stays open.
    HalfClosed,
    /// Nothing more is said, and the connection stays open.
    Silent,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Status line's code and text; empty: not even that is sent.
    pub status: String,
    /// Further header lines.
    pub headers: Vec<String>,
    /// The body's parts with a pause before each.
    pub parts: Vec<(Duration, Vec<u8>)>,
    /// How it ends.
    pub end: End,
}

impl Reply {
    /// 200 with this body.
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::status("200 OK", body)
    }

    /// Another status with this body.
    pub fn status(status: &str, body: impl Into<Vec<u8>>) -> Self {
        let parts = vec![(Duration::ZERO, body.into())];
        Self { status: status.to_owned(), headers: Vec::new(), parts, end: End::Proper }
    }

    /// A Kubernetes `Status` as the body of a refusal.
    pub fn refusal(code: u16, reason: &str, message: &str) -> Self {
        let body = format!(
            "{{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{{}},\"status\":\"Failure\",\
             \"message\":\"{message}\",\"reason\":\"{reason}\",\"code\":{code}}}"
        );
        Self::status(&format!("{code} {reason}"), body)
    }

    /// Nothing at all: the request is taken, and that is it.
    pub fn none() -> Self {
        Self { status: String::new(), headers: Vec::new(), parts: Vec::new(), end: End::Silent }
    }

    /// A watch: one line each.
    pub fn watch(lines: &[String], end: End) -> Self {
        let parts = lines.iter().map(|line| (Duration::ZERO, format!("{line}\n").into_bytes())).collect();
        Self { status: "200 OK".to_owned(), headers: Vec::new(), parts, end }
    }
}

type Script = Box<dyn FnMut(&Asked) -> Reply + Send>;

struct Shared {
    script: Mutex<Script>,
    asked: Mutex<Vec<Asked>>,
    begun: Instant,
    over: AtomicBool,
}

/// The server; stops when dropped.
pub struct FaultyServer {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

impl FaultyServer {
    /// Begins to answer as `script` says.
    ///
    /// # Errors
    /// When no port on loopback is to be had.
    pub fn start(script: impl FnMut(&Asked) -> Reply + Send + 'static) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            script: Mutex::new(Box::new(script)),
            asked: Mutex::default(),
            begun: Instant::now(),
            over: AtomicBool::new(false),
        });
        let serving = shared.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if serving.over.load(Ordering::Relaxed) {
                    break;
                }
                let serving = serving.clone();
                thread::spawn(move || {
                    // A client that goes away is no failure of the server.
                    let _ = serve(&serving, stream);
                });
            }
        });
        Ok(Self { address, shared })
    }

    /// All requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A kubeconfig that leads here.
    pub fn kubeconfig(&self) -> String {
        kubeconfig(&format!("http://{}", self.address), "")
    }
}

impl Drop for FaultyServer {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        // Wakes the listener.
        let _ = TcpStream::connect(self.address);
    }
}

/// A kubeconfig for one server; `user` is the user's fields as flow YAML without braces.
pub fn kubeconfig(server: &str, user: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: test\n\
         clusters:\n- name: test\n  cluster: {{server: '{server}', insecure-skip-tls-verify: true}}\n\
         users:\n- name: test\n  user: {{{user}}}\ncontexts:\n- name: test\n  context: \
         {{cluster: test, user: test}}\n"
    )
}

fn serve(shared: &Shared, mut stream: TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let Some(asked) = read(&mut reader, shared.begun)? else { return Ok(()) };
        shared.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked.clone());
        let reply = (shared.script.lock().unwrap_or_else(PoisonError::into_inner))(&asked);
        if !answer(shared, &mut stream, &reply)? {
            return Ok(());
        }
    }
}

fn read(reader: &mut impl io::BufRead, begun: Instant) -> io::Result<Option<Asked>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut length = 0;
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header)? == 0 || header.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = header.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some(Asked {
        at: begun.elapsed(),
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        body: String::from_utf8_lossy(&body).into_owned(),
    }))
}

/// Whether the connection can take another request.
fn answer(shared: &Shared, stream: &mut TcpStream, reply: &Reply) -> io::Result<bool> {
    if !reply.status.is_empty() {
        let mut head =
            format!("HTTP/1.1 {}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n", reply.status);
        for header in &reply.headers {
            head.push_str(header);
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes())?;
    }
    for (pause, part) in &reply.parts {
        thread::sleep(*pause);
        let mut chunk = format!("{:x}\r\n", part.len()).into_bytes();
        chunk.extend_from_slice(part);
        chunk.extend_from_slice(b"\r\n");
        stream.write_all(&chunk)?;
    }
    match reply.end {
        End::Proper => {
            stream.write_all(b"0\r\n\r\n")?;
            return Ok(true);
        }
        End::Cut => {
            // A chunk that promises more than it brings.
            stream.write_all(b"ff\r\n{\"type\":")?;
            stream.shutdown(Shutdown::Both)?;
        }
        End::HalfClosed => {
            stream.shutdown(Shutdown::Write)?;
            wait(shared);
        }
        End::Silent => wait(shared),
    }
    Ok(false)
}

/// Holds a connection open until the server stops; a minute at most.
fn wait(shared: &Shared) {
    let begun = Instant::now();
    while !shared.over.load(Ordering::Relaxed) && begun.elapsed() < Duration::from_secs(60) {
        thread::sleep(Duration::from_millis(50));
    }
}

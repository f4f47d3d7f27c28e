//! An API server without agents, and proxies to it.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// A server, and what it was asked. It ends with the process.
pub(crate) struct Api {
    pub(crate) url: String,
    address: SocketAddr,
    asked: Arc<Mutex<String>>,
}

impl Api {
    /// Every list has one object without anything but a name, and that of Pods with all their fields is empty. One Pod
    /// has two containers.
    pub(crate) fn start() -> Self {
        serve("http", |mut stream, asked| {
            while let Some(head) = read_head(&mut stream) {
                asked.lock().unwrap().push_str(&head.to_ascii_lowercase());
                let item = if head.contains("PartialObjectMetadata") { NAMED } else { "" };
                let list = format!("{{\"kind\":\"List\",\"apiVersion\":\"v1\",\"metadata\":{{}},\"items\":[{item}]}}");
                let body = if head.contains("/pods/two-containers ") { TWO_CONTAINERS.to_owned() } else { list };
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
                );
                if stream.write_all(answer.as_bytes()).is_err() {
                    return;
                }
            }
        })
    }

    /// It never answers.
    pub(crate) fn silent() -> Self {
        serve("http", |mut stream, _| while read_head(&mut stream).is_some() {})
    }

    /// The heads of all requests since the last call, in lower case; or where a proxy was asked to connect to.
    pub(crate) fn take(&self) -> String {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

const TWO_CONTAINERS: &str = r#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"two-containers"},
    "spec":{"containers":[{"name":"app"},{"name":"proxy"}]}}"#;
const NAMED: &str = r#"{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{"name":"payment-1"}}"#;

/// An HTTP proxy that connects to the server, whatever it is asked for, or refuses.
pub(crate) fn proxy(api: &Api, status: &'static str) -> Api {
    let target = api.address;
    serve("http", move |mut stream, asked| {
        let Some(head) = read_head(&mut stream) else { return };
        let place = head.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next()).unwrap_or("no CONNECT");
        place.clone_into(&mut asked.lock().unwrap());
        if stream.write_all(format!("HTTP/1.1 {status}\r\n\r\n").as_bytes()).is_ok() && status.starts_with("200") {
            pass_on(stream, target);
        }
    })
}

/// A SOCKS 5 proxy that connects to the server if its reply is 0. It understands only names.
pub(crate) fn socks(api: &Api, reply: u8) -> Api {
    let target = api.address;
    serve("socks5", move |mut stream, asked| {
        let mut methods = [0; 3];
        let mut head = [0; 5];
        stream.read_exact(&mut methods).unwrap();
        stream.write_all(&[5, 0]).unwrap();
        stream.read_exact(&mut head).unwrap();
        let mut name = vec![0; usize::from(head[4])];
        let mut port = [0; 2];
        stream.read_exact(&mut name).unwrap();
        stream.read_exact(&mut port).unwrap();
        let place = format!("{}:{}", String::from_utf8_lossy(&name), u16::from_be_bytes(port));
        place.clone_into(&mut asked.lock().unwrap());
        stream.write_all(&[5, reply, 0, 1, 0, 0, 0, 0, 0, 0]).unwrap();
        if reply == 0 {
            pass_on(stream, target);
        }
    })
}

fn serve(scheme: &str, talk: impl Fn(TcpStream, &Mutex<String>) + Clone + Send + 'static) -> Api {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(Mutex::new(String::new()));
    let record = Arc::clone(&asked);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (talk, record) = (talk.clone(), Arc::clone(&record));
            thread::spawn(move || talk(stream, &record));
        }
    });
    Api { url: format!("{scheme}://{address}"), address, asked }
}

fn pass_on(client: TcpStream, target: SocketAddr) {
    let server = TcpStream::connect(target).unwrap();
    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    thread::spawn(move || std::io::copy(&mut from, &mut to));
    let (mut from, mut to) = (server, client);
    let _ = std::io::copy(&mut from, &mut to);
}

/// Up to the empty line. `None`: the connection ended.
fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    Some(String::from_utf8_lossy(&head).into_owned())
}

//! Agents of the version before and of the next one, as they run beside today's during an upgrade.

use std::io;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// Longest head of a request, bytes.
const HEAD: usize = 16 << 10;

/// Answers of an earlier agent, whose Node is `node-a`.
const HINTS: &str = include_str!("../../../tests/earlier/answers/hints.json");
const PODS: &str = include_str!("../../../tests/earlier/answers/pods.json");
const EDGES: &str = include_str!("../../../tests/earlier/answers/edges.json");
const PEERS: &str = include_str!("../../../tests/earlier/answers/peers.json");
const INFO: &str = include_str!("../../../tests/earlier/answers/info.json");
/// A meaning that today's plugin doesn't know, in a key that it does.
const CHANGED: &str = "[{\"node\":{\"of\":\"a newer agent\"}}]";

/// A version beside today's.
#[derive(Clone, Copy)]
pub(crate) enum Neighbour {
    /// It lacks keys that today's answers have.
    Earlier,
    /// It has keys that today's answers lack. Its rows by peer Node changed their meaning.
    Newer,
}

impl Neighbour {
    /// Its version: another minor one.
    fn version(self) -> String {
        let mut numbers = env!("CARGO_PKG_VERSION").split('.').map(|number| number.parse::<u64>().unwrap_or(0));
        let (major, minor) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        let minor = match self {
            Self::Earlier => minor.saturating_sub(1),
            Self::Newer => minor + 1,
        };
        format!("{major}.{minor}.0")
    }

    /// The answer for a path with its query. `None`: it has no such path.
    fn body(self, path: &str, node: &str) -> Option<String> {
        let by_node = path.contains("by=peer_node");
        let kept = match path.split_once('?').map_or(path, |(path, _)| path) {
            "/api/v1/hints" => HINTS,
            "/api/v1/pods" => PODS,
            "/api/v1/edges" if by_node && matches!(self, Self::Newer) => CHANGED,
            "/api/v1/edges" if by_node => PEERS,
            "/api/v1/edges" => EDGES,
            "/api/v1/info" => INFO,
            _ => return None,
        };
        let named = kept.replace("\"node-a\"", &format!("\"{node}\""));
        Some(match self {
            Self::Earlier => named,
            Self::Newer => named.replace("\"node\":", "\"of_a_newer_agent\":[1,null],\"node\":"),
        })
    }
}

/// Answers every request as the agent of `node`.
pub(crate) async fn serve(listener: TcpListener, neighbour: Neighbour, node: String) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(answer(stream, neighbour, node.clone()));
    }
}

/// One request of a connection: the client makes a new one for the next.
async fn answer(mut stream: TcpStream, neighbour: Neighbour, node: String) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < HEAD {
        if stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let head = String::from_utf8_lossy(&head);
    let path = head.split(' ').nth(1).unwrap_or_default();
    let (status, body) = match neighbour.body(path, &node) {
        Some(body) => ("200 OK", body),
        None => ("404 Not Found", "{\"error\":\"no such path\"}".to_owned()),
    };
    let answer = format!(
        "HTTP/1.1 {status}\r\nserver: netwhy-agent/{}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{body}",
        neighbour.version(),
        body.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

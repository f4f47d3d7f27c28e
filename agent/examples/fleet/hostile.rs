//! Agents that want to fill the memory of whoever asks them.

use std::io;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// Longest answer, bytes: above what the plugin reads.
const LENGTH: usize = 24 << 20;

/// A text that is repeated.
struct Body {
    begin: &'static [u8],
    again: &'static [u8],
    end: &'static [u8],
    times: usize,
}

/// Bodies of agents, one after the other.
const BODIES: [Body; 5] = [
    // Without end, as far as a client can tell.
    Body { begin: b"", again: b" ", end: b"", times: LENGTH },
    // Nested as deep as its length.
    Body { begin: b"", again: b"[", end: b"", times: LENGTH },
    // Valid hints with as many small texts as fit into what a client may read.
    Body { begin: HINT, again: b"\",\"", end: END, times: 2 << 20 },
    // Valid hints with one long text.
    Body { begin: HINT, again: b"xxxxxxxxxxxxxxxx", end: END, times: 470_000 },
    // Many small texts that just fit, from every agent.
    Body { begin: HINT, again: b"\",\"abcd", end: END, times: 4_000 },
];
const HINT: &[u8] = b"[{\"id\":\"x\",\"state\":\"firing\",\"subject\":{\"kind\":\"\",\"namespace\":\"\",\"name\":\"\",\
    \"workload\":\"\",\"node\":\"\"},\"symptom\":\"\",\"cause\":\"path_loss\",\"blame\":{\"kind\":\"none\",\"name\":\"\",\
    \"alternatives\":[]},\"confidence\":1,\"summary\":\"\",\"evidence\":[],\"ruled_out\":[],\"chain\":[\"";
const END: &[u8] = b"\"],\"action\":\"\",\"first_seen\":\"\",\"last_seen\":\"\",\"window_seconds\":1}]";

/// Answers every request with the body of this number.
pub(crate) async fn serve(listener: TcpListener, number: usize) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(answer(stream, number));
    }
}

async fn answer(mut stream: TcpStream, number: usize) -> io::Result<()> {
    let _ = stream.read(&mut [0; 4096]).await?;
    let Body { begin, again, end, times } = &BODIES[number % BODIES.len()];
    let length = begin.len() + again.len() * times + end.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\nserver: netwhy-agent/{}\r\ncontent-length: {length}\r\n\r\n",
        env!("CARGO_PKG_VERSION")
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(begin).await?;
    let block = again.repeat(4096);
    for _ in 0..times / 4096 {
        stream.write_all(&block).await?;
    }
    stream.write_all(&again.repeat(times % 4096)).await?;
    stream.write_all(end).await?;
    stream.flush().await
}

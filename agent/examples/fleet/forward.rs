//! Port-forward over a WebSocket, as a kubelet speaks it behind the API server: each message begins with a channel, 0 for
//! data and 1 for an error, and each channel first repeats the port.

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use futures::{SinkExt as _, StreamExt as _};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, handshake::derive_accept_key, protocol::Role},
};

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Answers the request and forwards the port, whichever it is, to `address`.
pub(crate) fn response(request: &mut Request, address: SocketAddr, port: u16) -> Response {
    let Some(accept) = accept(request.headers()) else {
        return (StatusCode::BAD_REQUEST, "Upgrade request required").into_response();
    };
    let upgrade = hyper::upgrade::on(request);
    tokio::spawn(async move {
        if let Err(error) = forward(upgrade, address, port).await {
            eprintln!("port-forward to {address}: {error:#}");
        }
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("v4.channel.k8s.io"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    response
}

fn accept(headers: &HeaderMap) -> Option<HeaderValue> {
    let protocols = headers.get(header::SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()?;
    protocols.contains("v4.channel.k8s.io").then_some(())?;
    HeaderValue::from_str(&derive_accept_key(headers.get(header::SEC_WEBSOCKET_KEY)?.as_bytes())).ok()
}

async fn forward(upgrade: OnUpgrade, address: SocketAddr, port: u16) -> anyhow::Result<()> {
    let mut socket = WebSocketStream::from_raw_socket(TokioIo::new(upgrade.await?), Role::Server, None).await;
    let [low, high] = port.to_le_bytes();
    for channel in [0, 1] {
        socket.send(Message::binary(vec![channel, low, high])).await?;
    }
    match TcpStream::connect(address).await {
        // A client that goes away is no failure.
        Ok(stream) => drop(copy(&mut socket, stream).await),
        Err(error) => {
            let text = format!("error forwarding port {port}: failed to connect to localhost:{port}: {error}");
            socket.send(Message::binary([&[1], text.as_bytes()].concat())).await?;
        }
    }
    // The client may have closed it already.
    let _ = socket.close(None).await;
    Ok(())
}

async fn copy(socket: &mut Socket, mut stream: TcpStream) -> anyhow::Result<()> {
    let mut buffer = vec![0; 32 << 10];
    loop {
        tokio::select! {
            message = socket.next() => match message.transpose()? {
                Some(Message::Binary(bytes)) if bytes.first() == Some(&0) => stream.write_all(&bytes[1..]).await?,
                Some(Message::Close(_)) | None => return Ok(()),
                Some(_) => {}
            },
            read = stream.read(&mut buffer[1..]) => match read? {
                0 => return Ok(()),
                length => {
                    let message = buffer.get(..=length).unwrap_or_default().to_vec();
                    socket.send(Message::binary(message)).await?;
                }
            },
        }
    }
}

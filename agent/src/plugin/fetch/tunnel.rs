//! A byte stream to a port on a Pod's loopback: port-forward through the API server.
//!
//! kubelets speak it over a WebSocket whose messages begin with a channel: 0 has data, 1 an error. The first message of
//! each channel repeats the port (`portforward/websocket.go` of the kubelet). Nothing is read ahead, so that a Pod that
//! sends more than it was asked for fills no memory.

use bytes::{Buf as _, Bytes};
use futures::{Sink, SinkExt as _, StreamExt as _};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use kube::{Client, core::Request};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        protocol::{Role, WebSocketConfig},
    },
};

/// Longest accepted message, bytes. kubelets send at most 32 KiB.
const MAX_MESSAGE: usize = 1 << 20;
/// Bytes that are read from the connection at once.
const READ_BUFFER: usize = 16 << 10;
/// Channels of the only port.
const DATA: usize = 0;
const ERROR: usize = 1;

/// A stream of bytes to and from the Pod's port.
#[derive(Debug)]
pub(super) struct Tunnel<S = TokioIo<Upgraded>> {
    socket: WebSocketStream<S>,
    /// Received and not read yet.
    unread: Bytes,
    /// Whether each channel has announced its port.
    is_open: [bool; 2],
}

impl Tunnel {
    /// Opens it. The kubelet connects to the port later: an error of that fails the first read.
    ///
    /// # Errors
    /// When the API server refuses.
    pub(super) async fn open(client: &Client, namespace: &str, pod: &str, port: u16) -> Result<Self, kube::Error> {
        let request = Request::new(format!("/api/v1/namespaces/{namespace}/pods"));
        let request = request.portforward(pod, &[port]).map_err(kube::Error::BuildRequest)?;
        let socket = client.connect(request).await?.into_stream();
        Ok(Self::over(socket.into_inner()).await)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Tunnel<S> {
    /// Over a connection that has become a WebSocket.
    pub(super) async fn over(connection: S) -> Self {
        let limits = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE));
        let socket = WebSocketStream::from_raw_socket(connection, Role::Client, Some(limits)).await;
        Self { socket, unread: Bytes::new(), is_open: [false; 2] }
    }

    fn take(&mut self, mut message: Bytes) -> io::Result<()> {
        if message.is_empty() {
            return Ok(());
        }
        let channel = usize::from(message.get_u8());
        let Some(is_open) = self.is_open.get_mut(channel) else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("port-forward sent channel {channel}")));
        };
        if !std::mem::replace(is_open, true) {
            let is_port = message.len() == size_of::<u16>();
            return if is_port { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) };
        }
        if channel == ERROR {
            return Err(io::Error::other(String::from_utf8_lossy(&message).into_owned()));
        }
        self.unread = message;
        Ok(())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Tunnel<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        while self.unread.is_empty() {
            match ready!(self.socket.poll_next_unpin(cx)) {
                None | Some(Ok(Message::Close(_))) => return Poll::Ready(Ok(())),
                Some(Ok(Message::Binary(message))) => self.take(message)?,
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
            }
        }
        let length = self.unread.len().min(buffer.remaining());
        buffer.put_slice(&self.unread.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Tunnel<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.socket.poll_ready_unpin(cx)).map_err(io::Error::other)?;
        let mut message = Vec::with_capacity(1 + bytes.len());
        message.push(DATA as u8);
        message.extend_from_slice(bytes);
        self.socket.start_send_unpin(Message::binary(message)).map_err(io::Error::other)?;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_flush_unpin(cx).map_err(io::Error::other)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_close(cx).map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests;

use super::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

/// A tunnel and the kubelet's end.
async fn pair() -> (Tunnel<DuplexStream>, WebSocketStream<DuplexStream>) {
    let (near, far) = tokio::io::duplex(1 << 20);
    (Tunnel::over(near).await, WebSocketStream::from_raw_socket(far, Role::Server, None).await)
}

/// Bytes that the tunnel reads after these messages and the end.
async fn read(messages: &[&[u8]]) -> io::Result<Vec<u8>> {
    let (mut tunnel, mut kubelet) = pair().await;
    for message in messages {
        kubelet.send(Message::binary(message.to_vec())).await.unwrap();
    }
    kubelet.send(Message::Close(None)).await.unwrap();
    let mut all = Vec::new();
    tunnel.read_to_end(&mut all).await.map(|_| all)
}

/// 9812 on both channels.
const OPENED: [&[u8]; 2] = [&[0, 0x54, 0x26], &[1, 0x54, 0x26]];

#[tokio::test]
async fn data_of_the_port_arrive_without_their_channel() {
    let all = read(&[OPENED[0], OPENED[1], b"\0ab", b"", b"\0", b"\0c"]).await.unwrap();
    assert_eq!(all, b"abc");
    assert_eq!(read(&OPENED).await.unwrap(), b"");
}

#[tokio::test]
async fn an_error_of_the_kubelet_is_the_error_of_the_read() {
    let error = read(&[OPENED[0], OPENED[1], b"\x01dial tcp4 127.0.0.1:9812: connection refused"]).await.unwrap_err();
    assert_eq!(error.to_string(), "dial tcp4 127.0.0.1:9812: connection refused");
}

#[tokio::test]
async fn other_channels_and_long_messages_are_refused() {
    let error = read(&[OPENED[0], b"\x02x"]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    let error = read(&[b"\0long"]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    let (mut tunnel, mut kubelet) = pair().await;
    let sent = tokio::spawn(async move { kubelet.send(Message::binary(vec![0; MAX_MESSAGE + 1])).await });
    tunnel.read_to_end(&mut Vec::new()).await.unwrap_err();
    drop(tunnel);
    sent.await.unwrap().ok();
}

#[tokio::test]
async fn written_bytes_go_out_on_the_data_channel() {
    let (mut tunnel, mut kubelet) = pair().await;
    tunnel.write_all(b"GET /").await.unwrap();
    tunnel.flush().await.unwrap();
    assert_eq!(kubelet.next().await.unwrap().unwrap().into_data(), b"\0GET /"[..]);
    tunnel.shutdown().await.unwrap();
    assert!(kubelet.next().await.unwrap().unwrap().is_close());
}

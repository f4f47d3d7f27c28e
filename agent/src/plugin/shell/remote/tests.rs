use super::*;
use tokio::io::DuplexStream;

/// The kubelet's end, and all that `converse` takes.
struct Side {
    kubelet: WebSocketStream<DuplexStream>,
    inputs: mpsc::Sender<Sent>,
    outputs: mpsc::Receiver<(Stream, Bytes)>,
    end: tokio::task::JoinHandle<End>,
}

async fn session(ends_input: bool, buffer: usize) -> Side {
    session_with(Pulse::now(), ends_input, buffer).await
}

async fn session_with(pulse: Pulse, ends_input: bool, buffer: usize) -> Side {
    let (near, far) = tokio::io::duplex(buffer);
    let kubelet = WebSocketStream::from_raw_socket(far, Role::Server, None).await;
    let near = socket(near).await;
    let (inputs, sent) = mpsc::channel(4);
    let (shown, outputs) = mpsc::channel(4);
    // Its cells are of one thread, as the session is.
    let end = tokio::task::spawn_local(async move { converse(near, ends_input, sent, shown, &pulse).await });
    Side { kubelet, inputs, outputs, end }
}

async fn local<F: Future>(test: F) -> F::Output {
    tokio::task::LocalSet::new().run_until(test).await
}

impl Side {
    async fn says(&mut self, bytes: &[u8]) {
        self.kubelet.send(Message::binary(bytes.to_vec())).await.unwrap();
    }

    /// The next message that is no ping.
    async fn hears(&mut self) -> Vec<u8> {
        loop {
            match self.kubelet.next().await.unwrap().unwrap() {
                Message::Binary(bytes) => return bytes.to_vec(),
                _ => continue,
            }
        }
    }
}

fn failure(code: &str) -> String {
    let causes = serde_json::json!([{"reason": "ExitCode", "message": code}]);
    let status = serde_json::json!({
        "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode", "details": {"causes": causes},
        "message": "command terminated with non-zero exit code"
    });
    format!("\x03{status}")
}

#[tokio::test]
async fn input_goes_out_on_its_channel_and_output_comes_in_by_stream() {
    local(async {
        let mut side = session(true, 1 << 16).await;
        side.inputs.send(Sent::Size(Size { columns: 80, rows: 24 })).await.unwrap();
        side.inputs.send(Sent::Input(Bytes::from_static(b"ls\x03"))).await.unwrap();
        side.inputs.send(Sent::EndOfInput).await.unwrap();
        assert_eq!(side.hears().await, b"\x04{\"Height\":24,\"Width\":80}");
        assert_eq!(side.hears().await, b"\0ls\x03");
        assert_eq!(side.hears().await, [255, 0]);
        for message in [&b"\x01"[..], b"", b"\x01out", b"\x02err", b"\x07?"] {
            side.says(message).await;
        }
        assert_eq!(side.outputs.recv().await.unwrap(), (Stream::Out, Bytes::from_static(b"out")));
        assert_eq!(side.outputs.recv().await.unwrap(), (Stream::Err, Bytes::from_static(b"err")));
        side.says(b"\x03{\"metadata\":{},\"status\":\"Success\"}").await;
        assert_eq!(side.end.await.unwrap(), End::Exit(0));
    })
    .await;
}

#[tokio::test]
async fn exit_codes_and_reasons_are_told_apart() {
    for (message, expected) in [
        (failure("7"), End::Exit(7)),
        (failure("many"), End::NotRun("command terminated with non-zero exit code".into())),
        (
            "\x03{\"metadata\":{},\"status\":\"Failure\",\"message\":\"no such file\"}".to_owned(),
            End::NotRun("no such file".into()),
        ),
    ] {
        local(async {
            let mut side = session(true, 1 << 16).await;
            side.says(message.as_bytes()).await;
            assert_eq!(side.end.await.unwrap(), expected);
        })
        .await;
    }
    assert!(matches!(status(b"{"), End::Lost(why) if why.contains("can't be read")));
}

#[tokio::test]
async fn a_connection_that_ends_first_is_lost() {
    local(async {
        let mut side = session(true, 1 << 16).await;
        side.says(b"\x01half").await;
        drop(side.kubelet);
        assert_eq!(side.outputs.recv().await.unwrap().1, b"half"[..]);
        assert!(matches!(side.end.await.unwrap(), End::Lost(_)));
    })
    .await;
}

#[tokio::test]
async fn an_old_server_gets_no_end_of_input() {
    local(async {
        let mut side = session(false, 1 << 16).await;
        side.inputs.send(Sent::EndOfInput).await.unwrap();
        side.inputs.send(Sent::Input(Bytes::from_static(b"x"))).await.unwrap();
        assert_eq!(side.hears().await, b"\0x");
        side.says(b"\x03{\"metadata\":{},\"status\":\"Success\"}").await;
        assert_eq!(side.end.await.unwrap(), End::Exit(0));
    })
    .await;
}

/// `cat` of more than all buffers hold: neither side may wait for the other.
#[tokio::test]
async fn input_and_output_do_not_block_each_other() {
    local(async {
        let Side { kubelet, inputs, mut outputs, end } = session(true, 1 << 10).await;
        let (mut sink, mut stream) = kubelet.split();
        let echo = tokio::task::spawn_local(async move {
            while let Some(Ok(message)) = stream.next().await {
                match message {
                    Message::Binary(bytes) if bytes[0] == 0 => {
                        let back = [b"\x01", &bytes[1..]].concat();
                        sink.send(Message::binary(back)).await.unwrap();
                    }
                    Message::Binary(_) => {
                        sink.send(Message::binary(failure("0").into_bytes())).await.unwrap();
                        return;
                    }
                    _ => {}
                }
            }
        });
        tokio::task::spawn_local(async move {
            for _ in 0..500 {
                inputs.send(Sent::Input(Bytes::from(vec![b'x'; 4096]))).await.unwrap();
            }
            inputs.send(Sent::EndOfInput).await.unwrap();
            // Keys could still come.
            std::future::pending::<()>().await;
        });
        let mut bytes = 0;
        while let Some((_, piece)) = outputs.recv().await {
            bytes += piece.len();
        }
        assert_eq!((bytes, end.await.unwrap()), (500 * 4096, End::Exit(0)));
        echo.await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn output_that_nobody_reads_ends_the_session() {
    local(async {
        let mut side = session(true, 1 << 16).await;
        drop(side.outputs);
        side.kubelet.send(Message::binary(b"\x01x".to_vec())).await.unwrap();
        assert_eq!(side.end.await.unwrap(), End::Unread);
    })
    .await;
}

/// Its last answer may be to a ping that went out before the stdin.
#[tokio::test]
async fn a_server_that_holds_stdin_is_not_lost() {
    local(async {
        let (ping, silence) = (Duration::from_millis(10), Duration::from_millis(30));
        let mut side = session_with(Pulse { ping, silence, ..Pulse::now() }, true, 1 << 16).await;
        let Some(Ok(Message::Ping(sum))) = side.kubelet.next().await else { panic!("no ping") };
        assert_eq!(sum, [0_u8; 8][..]);
        side.inputs.send(Sent::Input(Bytes::from(vec![b'x'; 4096]))).await.unwrap();
        assert_eq!(side.hears().await.len(), 4097);
        side.kubelet.flush().await.unwrap();
        tokio::time::sleep(silence * 5).await;
        assert!(!side.end.is_finished());
        // The command has read it.
        loop {
            if let Some(Ok(Message::Ping(sum))) = side.kubelet.next().await
                && sum == 4096_u64.to_be_bytes()[..]
            {
                break;
            }
        }
        side.kubelet.flush().await.unwrap();
        assert!(matches!(side.end.await.unwrap(), End::Lost(why) if why.contains("silent")));
    })
    .await;
}

#[tokio::test]
async fn a_server_that_answered_pings_and_falls_silent_is_lost() {
    local(async {
        let (ping, silence) = (Duration::from_millis(10), Duration::from_millis(30));
        let mut side = session_with(Pulse { ping, silence, ..Pulse::now() }, true, 1 << 16).await;
        // Reads the first ping, which answers it.
        let _ = side.kubelet.next().await;
        side.kubelet.flush().await.unwrap();
        assert!(matches!(side.end.await.unwrap(), End::Lost(why) if why.contains("silent")));
    })
    .await;
}

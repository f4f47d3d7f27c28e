//! Why busy sockets wait: the peer's window, the local send buffer, or neither.

use crate::{
    socket::{Pair, TcpInfo},
    stage::{PATIENCE, Watch, id, needs, stage, wait_until},
};
use netwhy_agent::sample::Tally;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with, sockopt};
use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    os::fd::AsRawFd,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

/// How long a limited sender sends.
const LONG: Duration = Duration::from_millis(1_500);
/// Bytes that the first receive window takes with room to spare.
const SHORT: usize = 16 << 10;
/// How long a call may block before its thread checks whether the test is over.
const TURN: Duration = Duration::from_millis(50);

/// Sends for a while; the reader takes `chunk` bytes every `pause`.
fn send_to_reader(pair: &mut Pair, chunk: usize, pause: Duration) {
    let Pair { client, server } = pair;
    let over = AtomicBool::new(false);
    server.set_read_timeout(Some(TURN)).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut room = vec![0; chunk];
            while !over.load(Ordering::Relaxed) {
                // The pace of the reader is what is tested.
                std::thread::sleep(pause);
                match server.read(&mut room) {
                    Ok(bytes) => assert_ne!(bytes, 0),
                    // The sender may be done before it says so.
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                    Err(error) => panic!("{error}"),
                }
            }
        });
        let begin = Instant::now();
        let data = vec![0; 256 << 10];
        client.set_write_timeout(Some(TURN)).unwrap();
        while begin.elapsed() < LONG {
            match client.write(&data) {
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => panic!("{error}"),
            }
        }
        over.store(true, Ordering::Relaxed);
    });
    client.set_write_timeout(Some(PATIENCE)).unwrap();
    pair.server.set_read_timeout(Some(PATIENCE)).unwrap();
}

/// Limits a socket's rate, bytes per second.
fn pace(socket: &impl AsRawFd, rate: u32) {
    let length = size_of::<u32>() as libc::socklen_t;
    // SAFETY: the pointer is to a u32 that lives through the call, and the length is its own.
    let rc = unsafe {
        let value = (&raw const rate).cast();
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_MAX_PACING_RATE, value, length)
    };
    assert_eq!(rc, 0, "{}", std::io::Error::last_os_error());
}

/// Jiffies as the kernel tells them in microseconds agree with what was counted: to a jiffy or two for each of three
/// clocks, because the walk comes a little later.
fn agrees(watch: &Watch, counted: &Tally, before: &TcpInfo, after: &TcpInfo) {
    let hz = f64::from(watch.last.hz.expect("two walks half a second apart have measured HZ"));
    let seconds = |jiffies: u64| jiffies as f64 / hz;
    let slack = 3.0 / hz;
    for (what, jiffies, low_us, high_us) in [
        ("busy", counted.busy_jiffies, before.busy_us, after.busy_us),
        ("receiver", counted.rwnd_jiffies, before.rwnd_limited_us, after.rwnd_limited_us),
        ("send buffer", counted.sndbuf_jiffies, before.sndbuf_limited_us, after.sndbuf_limited_us),
    ] {
        let (low, high) = (low_us as f64 / 1e6 - slack, high_us as f64 / 1e6 + slack);
        let counted = seconds(jiffies);
        assert!((low..=high).contains(&counted), "{what}: {counted} s, the socket says {low} to {high} s");
    }
}

#[test]
fn a_slow_reader_shows_as_receiver_limited_and_its_window_closes() {
    needs!(LIVING);
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    sockopt::set_socket_recv_buffer_size(&listener, 16 << 10).unwrap();
    let mut pair = Pair::open(&stage, &client, &listener, stage.address(&server, &listener));
    send_to_reader(&mut pair, 2_000, Duration::from_millis(20));
    let before = TcpInfo::of(&pair.client);
    watch.read();
    let after = TcpInfo::of(&pair.client);
    let counted = watch.of(id(&client));
    let share = counted.receiver_limited_share().unwrap();
    assert!(share >= 0.8, "{share}: {before:?}");
    agrees(&watch, &counted, &before, &after);
    // Nobody reads any more: the window closes with data waiting.
    wait_until("the window is closed", || {
        watch.read();
        watch.of(id(&client)).zero_window > 0
    });
    assert_eq!(watch.of(id(&server)).zero_window, 0, "the reader has nothing to send");
    wait_until("the reader's own buffer is seen full", || {
        watch.read();
        watch.of(id(&server)).unread_full > 0
    });
    assert_eq!(watch.of(id(&client)).unread_full, 0, "nobody sends to the sender");
}

#[test]
fn a_reader_that_keeps_up_leaves_nothing_unread() {
    needs!(LIVING);
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let mut pair = Pair::open(&stage, &client, &listener, stage.address(&server, &listener));
    for _ in 0..20 {
        pair.bulk(1 << 20);
        watch.read();
    }
    let (server, client) = (watch.of(id(&server)), watch.of(id(&client)));
    assert_eq!((server.unread_full, client.unread_full), (0, 0));
    assert_eq!((server.late_readers, client.late_readers), (0, 0));
}

#[test]
fn what_a_reader_leaves_unread_from_one_walk_to_the_next_is_counted_while_it_reads() {
    needs!(LIVING);
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let mut pair = Pair::open(&stage, &client, &listener, stage.address(&server, &listener));
    // It fits into the first window: the sender never waits.
    pair.client.write_all(&[0; SHORT]).unwrap();
    let mut room = [0; SHORT];
    wait_until("all has arrived", || pair.server.peek(&mut room).unwrap() == SHORT);
    watch.read();
    watch.read();
    assert_eq!(watch.of(id(&server)).late_readers, 0, "it read nothing");
    for (read, late_bytes) in [(1, SHORT - 1_000), (2, 2 * SHORT - 3_000)] {
        pair.server.read_exact(&mut room[..1_000]).unwrap();
        watch.read();
        let counted = watch.of(id(&server));
        assert_eq!((counted.late_readers, counted.late_bytes), (read, late_bytes as u64));
        assert_eq!(counted.unread_full, 0, "there is room");
    }
    // It reads on until hardly anything is left.
    pair.server.read_exact(&mut room[..SHORT - 3_000]).unwrap();
    watch.read();
    watch.read();
    let counted = (watch.of(id(&server)), watch.of(id(&client)));
    assert_eq!((counted.0.late_readers, counted.1.late_readers), (2, 0));
}

#[test]
fn a_small_send_buffer_on_a_long_path_shows_as_send_buffer_limited() {
    needs!(LIVING);
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let to = stage.address(&server, &listener);
    let _path = stage.lab.delay(stage.node("b"), &["--delay-ms", "5"]).unwrap();
    let socket = stage.inside(&client, || {
        let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
        sockopt::set_tcp_congestion(&socket, "cubic").unwrap();
        sockopt::set_socket_send_buffer_size(&socket, 32 << 10).unwrap();
        // The kernel calls a sender limited by its buffer when the last of it leaves while the application waits for
        // room: pacing makes it leave then, and takes a tenth of a round trip.
        pace(&socket, 64 << 20);
        connect(&socket, &to).unwrap();
        socket
    });
    let mut pair = Pair::of(TcpStream::from(socket), &listener);
    send_to_reader(&mut pair, 256 << 10, Duration::ZERO);
    let before = TcpInfo::of(&pair.client);
    watch.read();
    let after = TcpInfo::of(&pair.client);
    let counted = watch.of(id(&client));
    let share = counted.send_buffer_limited_share().unwrap();
    // How much of the time the buffer was the limit depends on how soon this machine wakes the application: a tenth to
    // most of it. The socket's own account must say the same.
    assert!(share >= 0.05, "{share}: {before:?}");
    assert!(counted.receiver_limited_share().unwrap() < share / 2.0, "{counted:?}");
    agrees(&watch, &counted, &before, &after);
}

#[test]
fn a_fast_reader_on_a_long_path_leaves_the_network_as_the_limit() {
    needs!(LIVING);
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let _path = stage.lab.delay(stage.node("b"), &["--delay-ms", "10"]).unwrap();
    let mut pair = Pair::open(&stage, &client, &listener, stage.address(&server, &listener));
    rustix::net::sockopt::set_tcp_congestion(&pair.client, "cubic").unwrap();
    // Requests smaller than the first window, each of which waits for the path.
    let begin = Instant::now();
    while begin.elapsed() < LONG {
        pair.exchange(8_000, 10);
    }
    let before = TcpInfo::of(&pair.client);
    watch.read();
    let after = TcpInfo::of(&pair.client);
    let counted = watch.of(id(&client));
    let share = counted.network_limited_share().unwrap();
    assert!(share >= 0.9, "{share}: {before:?}");
    agrees(&watch, &counted, &before, &after);
}

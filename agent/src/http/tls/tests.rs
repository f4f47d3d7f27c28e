use super::*;
use crate::http::{
    Limits, Protection,
    testing::{Authority, Folder, Pair, load},
    tests::{PATIENCE, Server, is_closed, keep_little, large_view, resident},
};
use std::{net::SocketAddr, time::Instant};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
    },
};

type Stream = tokio_rustls::client::TlsStream<TcpStream>;

/// A client that trusts one CA.
#[derive(Clone)]
struct Client(TlsConnector);

impl Client {
    fn new(authority: &Authority, own: Option<&Pair>) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
        let config = match own {
            None => builder.with_no_client_auth(),
            Some(Pair { certificate, key }) => {
                let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
                builder.with_client_auth_cert(vec![certificate], key).unwrap()
            }
        };
        Self(TlsConnector::from(Arc::new(config)))
    }

    async fn connect(&self, addr: SocketAddr) -> io::Result<Stream> {
        let socket = tokio::net::TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(4096)?;
        self.0.connect(ServerName::try_from("localhost").unwrap(), socket.connect(addr).await?).await
    }

    /// The whole answer to one request.
    async fn get(&self, addr: SocketAddr, path: &str) -> io::Result<String> {
        let mut stream = self.connect(addr).await?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    /// The certificate that the server shows now.
    async fn certificate(&self, addr: SocketAddr) -> Vec<u8> {
        let stream = self.connect(addr).await.unwrap();
        stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
    }
}

fn protection(tls: &Tls) -> Protection {
    Protection::new(Some(tls.clone()), None)
}

#[tokio::test]
async fn scrapes_come_over_tls_and_nothing_in_plain_text() {
    let (folder, authority) = (Folder::new(), Authority::new());
    folder.write_pair(&authority.issue("localhost"));
    let (tls, _renewal) = load(&folder.config(""));
    let server = Server::start_protected(Limits::default(), protection(&tls)).await;
    let answer = Client::new(&authority, None).get(server.addr, "/metrics").await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("pod=\"payment-1\""), "{answer}");
    assert!(answer.contains("netwhy_agent_tls_reloads_total{result=\"ok\"} 0"), "{answer}");
    let other = Client::new(&Authority::new(), None).get(server.addr, "/metrics").await.unwrap_err();
    assert!(other.to_string().contains("invalid peer certificate"), "{other}");

    let mut plain = TcpStream::connect(server.addr).await.unwrap();
    plain.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    let text = String::from_utf8_lossy(&answer);
    assert!(!text.contains("HTTP/1.1") && !text.contains("payment-1"), "{text}");
}

#[tokio::test]
async fn with_a_client_ca_only_its_certificates_get_in() {
    let (folder, authority, clients) = (Folder::new(), Authority::new(), Authority::new());
    folder.write_pair(&authority.issue("localhost"));
    folder.write("ca.crt", clients.pem());
    let (tls, _renewal) = load(&folder.with_client_ca(""));
    let protection = protection(&tls);
    let server = Server::start_protected(Limits::default(), protection.clone()).await;
    let right = Client::new(&authority, Some(&clients.issue("prometheus")));
    assert!(right.get(server.addr, "/metrics").await.unwrap().starts_with("HTTP/1.1 200"));
    let without = Client::new(&authority, None).get(server.addr, "/metrics").await.unwrap_err();
    assert!(without.to_string().contains("CertificateRequired"), "{without}");
    let foreign = Client::new(&authority, Some(&authority.issue("prometheus")));
    foreign.get(server.addr, "/metrics").await.expect_err("signed by another CA");
    let answer = right.get(server.addr, "/metrics").await.unwrap();
    assert!(answer.contains("netwhy_agent_http_refusals_total{reason=\"handshake\"} 2"), "{answer}");
}

#[tokio::test]
async fn changed_files_apply_to_new_connections_and_bad_ones_change_nothing() {
    let (folder, authority) = (Folder::new(), Authority::new());
    folder.write_pair(&authority.issue("localhost"));
    let (tls, mut renewal) = load(&folder.config(""));
    let server = Server::start_protected(Limits::default(), protection(&tls)).await;
    let client = Client::new(&authority, None);
    let first = client.certificate(server.addr).await;
    let mut open = client.connect(server.addr).await.unwrap();
    renewal.renew();
    assert_eq!(tls.reloads(), TlsReloads::default(), "nothing changed");

    let next = authority.issue("localhost");
    folder.write("tls.crt", &next.certificate);
    renewal.renew();
    renewal.renew();
    assert_eq!(tls.reloads(), TlsReloads { ok: 0, failed: 1 }, "the key is missing yet; said once");
    assert_eq!(client.certificate(server.addr).await, first);
    std::fs::remove_file(folder.0.join("tls.key")).unwrap();
    renewal.renew();
    renewal.renew();
    assert_eq!(tls.reloads(), TlsReloads { ok: 0, failed: 2 });
    assert_eq!(client.certificate(server.addr).await, first);

    folder.write("tls.key", &next.key);
    renewal.renew();
    assert_eq!(tls.reloads(), TlsReloads { ok: 1, failed: 2 });
    assert_ne!(client.certificate(server.addr).await, first);
    open.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    open.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "an open connection goes on: {answer}");
}

#[tokio::test]
async fn another_client_ca_counts_from_the_next_connection_on() {
    let (folder, authority, old, new) = (Folder::new(), Authority::new(), Authority::new(), Authority::new());
    folder.write_pair(&authority.issue("localhost"));
    folder.write("ca.crt", old.pem());
    let (tls, mut renewal) = load(&folder.with_client_ca(""));
    let server = Server::start_protected(Limits::default(), protection(&tls)).await;
    // One client for all connections, which would resume its session if it could.
    let client = Client::new(&authority, Some(&old.issue("prometheus")));
    client.get(server.addr, "/livez").await.unwrap();
    folder.write("ca.crt", new.pem());
    renewal.renew();
    client.get(server.addr, "/livez").await.expect_err("its CA is no longer trusted");
    let client = Client::new(&authority, Some(&new.issue("prometheus")));
    client.get(server.addr, "/livez").await.unwrap();
}

#[tokio::test]
async fn handshakes_obey_the_time_and_the_places_of_the_listener() {
    let (folder, authority) = (Folder::new(), Authority::new());
    folder.write_pair(&authority.issue("localhost"));
    let config = folder.config("read_timeout_seconds: 3, max_connections_per_peer: 2");
    let (tls, _renewal) = load(&config);
    let server = Server::start_protected(Limits::from(&config.http), protection(&tls)).await;
    // The beginning of a handshake record, and then nothing.
    let mut slow = TcpStream::connect(server.addr).await.unwrap();
    slow.write_all(&[22, 3, 1, 2, 0, 1]).await.unwrap();
    let began = Instant::now();
    let mut rest = Vec::new();
    let read = timeout(Duration::from_secs(8), slow.read_to_end(&mut rest)).await;
    let _ = read.expect("closed by the server");
    assert!(began.elapsed() >= Duration::from_millis(2_900), "{:?}", began.elapsed());

    let mut first = TcpStream::connect(server.addr).await.unwrap();
    let _second = TcpStream::connect(server.addr).await.unwrap();
    let answer = Client::new(&authority, None).get(server.addr, "/livez").await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(is_closed(&mut first).await, "the longest idle handshake made room");
}

#[tokio::test]
async fn unread_scrapes_and_half_handshakes_stay_within_the_memory_bound() {
    const CLIENTS: usize = 24;
    keep_little();
    let (folder, authority) = (Folder::new(), Authority::new());
    folder.write_pair(&authority.issue("localhost"));
    let keys = "max_connections: 50, max_connections_per_peer: 50, max_response_bytes: 1048576";
    let config = folder.config(&format!("{keys}, write_timeout_seconds: 300, read_timeout_seconds: 300"));
    let (tls, _renewal) = load(&config);
    let limits = Limits::from(&config.http);
    let server = Server::start_protected(limits, protection(&tls)).await;
    let views = [large_view(), large_view()];
    server.view.send_replace(Arc::clone(&views[1]));
    let client = Client::new(&authority, None);
    let scrape = client.get(server.addr, "/metrics").await.unwrap().len() as u64;
    let before = resident();
    let mut clients = Vec::new();
    let mut halves = Vec::new();
    for number in 0..CLIENTS {
        server.view.send_replace(Arc::clone(&views[number % 2]));
        let mut stream = client.connect(server.addr).await.unwrap();
        let _ = stream.write_all("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(12).as_bytes()).await;
        let _ = stream.flush().await;
        // A handshake message that claims to be as long as possible, without its end.
        let mut half = TcpStream::connect(server.addr).await.unwrap();
        let record = [&[22, 3, 1, 0x40, 0, 1, 0, 0xff, 0xff][..], &[0; 0x3ffc]].concat();
        let _ = half.write_all(&record).await;
        halves.push(half);
        timeout(PATIENCE, client.get(server.addr, "/livez")).await.expect("it answers meanwhile").unwrap();
        // Sooner, the next client would get the same bytes.
        let mut begin = [0; 12];
        timeout(PATIENCE, stream.read_exact(&mut begin)).await.expect("an answer begins").unwrap();
        assert_eq!(String::from_utf8_lossy(&begin), "HTTP/1.1 200");
        clients.push(stream);
    }
    let growth = resident().saturating_sub(before);
    // Nobody asks the API here.
    let bound = Limits { answer_bytes: 0, ..limits }.memory_bound(scrape);
    assert!(CLIENTS as u64 * scrape > bound, "the test needs larger scrapes: {scrape} bytes, bound {bound}");
    assert!(growth <= bound, "{growth} bytes more, bound {bound}");
    // The newest reader is cut once it has taken nothing for a second.
    let began = Instant::now();
    while !client.get(server.addr, "/metrics").await.unwrap().starts_with("HTTP/1.1 200") {
        assert!(began.elapsed() < PATIENCE, "clients that don't read make room");
    }
}

#[tokio::test]
async fn a_stop_ends_handshakes_at_once() {
    let (folder, authority) = (Folder::new(), Authority::new());
    folder.write_pair(&authority.issue("localhost"));
    let (tls, _renewal) = load(&folder.config(""));
    let server = Server::start_protected(Limits::default(), protection(&tls)).await;
    let mut half = TcpStream::connect(server.addr).await.unwrap();
    half.write_all(&[22, 3, 1]).await.unwrap();
    Client::new(&authority, None).get(server.addr, "/livez").await.unwrap();
    let began = Instant::now();
    server.stop().await;
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

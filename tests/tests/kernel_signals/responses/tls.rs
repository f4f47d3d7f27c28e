//! Response times of TLS connections: the handshake is no request, and what follows is measured as clear text is.

use super::exchange::Scene;
use crate::stage::{needs, stage};
use netwhy_abi::{Counter, Role};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, Stream, SupportedProtocolVersion,
    version::{TLS12, TLS13},
};
use std::{
    io::{Read as _, Write as _},
    sync::Arc,
    time::Duration,
};

const THINK: Duration = Duration::from_millis(30);

/// Both ends of a TLS connection that trust each other.
fn ends(version: &'static SupportedProtocolVersion) -> (ClientConnection, ServerConnection) {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["server".to_owned()]).unwrap().self_signed(&key).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(&[version]).unwrap();
    let client = client.with_root_certificates(roots).with_no_client_auth();
    let server = ServerConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
    let server = server.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key.into()).unwrap();
    let name = "server".try_into().unwrap();
    (ClientConnection::new(Arc::new(client), name).unwrap(), ServerConnection::new(Arc::new(server)).unwrap())
}

/// Six requests, of which the first goes along with the end of the handshake.
fn is_measured_from_its_first_requests_on(version: &'static SupportedProtocolVersion) {
    needs!(RESPONSES);
    let stage = stage!("a", "b");
    let mut scene = Scene::open(&stage);
    let pair = scene.connect_unused();
    let (mut client, mut server) = ends(version);
    let (mut at_client, mut at_server) = (pair.client, pair.server);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut stream = Stream::new(&mut server, &mut at_server);
            for _ in 0..6 {
                stream.read_exact(&mut [0; 100]).unwrap();
                std::thread::sleep(THINK);
                stream.write_all(&[0; 200]).unwrap();
            }
        });
        let mut stream = Stream::new(&mut client, &mut at_client);
        for _ in 0..6 {
            stream.write_all(&[0; 100]).unwrap();
            stream.read_exact(&mut [0; 200]).unwrap();
        }
    });
    drop((at_client, at_server));
    crate::stage::wait_until("the server's last answer is seen", || scene.of(Role::Server).durations.count() >= 5);
    for role in Role::ALL {
        let times = scene.of(role);
        // The first request may be left out with the handshake, and none of the handshake's messages counts.
        assert!((5..=6).contains(&times.durations.count()), "{times:?}");
        let mean = times.durations.mean_us().unwrap();
        assert!((29_500.0..60_000.0).contains(&mean), "{times:?}");
        assert_eq!(times.durations.count_up_to(20_000), 0, "{times:?}");
    }
    assert!(scene.watch.counter(Counter::ResponsesLeftOut) >= 2);
}

#[test]
fn handshakes_of_tls_1_3_are_no_requests() {
    is_measured_from_its_first_requests_on(&TLS13);
}

#[test]
fn handshakes_of_tls_1_2_are_no_requests() {
    is_measured_from_its_first_requests_on(&TLS12);
}

use super::*;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::io;
use tokio_rustls::{
    TlsAcceptor, TlsConnector,
    rustls::{
        DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme,
        client::danger::HandshakeSignatureValid,
        pki_types::{ServerName, UnixTime},
        server::danger::{ClientCertVerified, ClientCertVerifier},
    },
};

/// `openssl x509 -req` without extensions makes X.509 version 1: `O=system:masters, CN=admin`, until 2126.
const VERSION_1: &str = "-----BEGIN CERTIFICATE-----
MIIBNjCB3gIUQHegapbz7KySjmK41lGHSIORUTswCgYIKoZIzj0EAwIwEjEQMA4G
A1UEAwwHdGVzdC1jYTAgFw0yNjExMzAwMDQ1MDdaGA8yMTI2MTEwNjAwNDUwN1ow
KTEXMBUGA1UECgwOc3lzdGVtOm1hc3RlcnMxDjAMBgNVBAMMBWFkbWluMFkwEwYH
KoZIzj0CAQYIKoZIzj0DAQcDQgAEXakSd5fpzCZA89qtzIgMG3SYTi2Xx7j+a0kx
C9dqx7tEXHBMSESAdVSiUzkNtY69hV8a2Vx+OZSWBUaNkORxgjAKBggqhkjOPQQD
AgNHADBEAiBfyVucWQpwkWKqgKT6VHqk6zwg0elTMHfQL5lK4war5AIgC2i8kMO5
NcmQSNZXOXUJ4xQJqvhL/B82kv8CPhZX/bA=
-----END CERTIFICATE-----
";

/// Takes every client certificate, as a server in Go takes those of version 1.
#[derive(Debug)]
struct AnyClient;

impl ClientCertVerifier for AnyClient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

struct Server {
    authority: CertifiedIssuer<'static, KeyPair>,
    certificate: rcgen::Certificate,
    config: Arc<ServerConfig>,
}

fn server(change: impl Fn(&mut CertificateParams)) -> Server {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["api.test".to_owned()]).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, "api.test");
    change(&mut params);
    let certificate = params.signed_by(&key, &authority).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = builder
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(Arc::new(AnyClient))
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap());
    Server { authority, certificate, config: Arc::new(config.unwrap()) }
}

/// The client's verdict on the server, and the client certificate that the server sees.
async fn meet(
    server: &Server,
    authority: Option<String>,
    user: &AuthInfo,
    name: &str,
) -> (io::Result<()>, Option<Vec<u8>>) {
    let cluster = Cluster {
        certificate_authority_data: authority.as_ref().map(|pem| STANDARD.encode(pem)),
        insecure_skip_tls_verify: authority.is_none().then_some(true),
        ..Cluster::default()
    };
    let identity = Identity::of_user(user, "ann").unwrap();
    let settings = settings(&cluster, &"https://api.test".parse().unwrap(), identity).unwrap();
    let (here, there) = tokio::io::duplex(64 << 10);
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let (ours, theirs) = tokio::join!(
        TlsConnector::from(Arc::new(settings)).connect(name, here),
        TlsAcceptor::from(Arc::clone(&server.config)).accept(there)
    );
    let seen = theirs.ok().and_then(|stream| Some(stream.get_ref().1.peer_certificates()?[0].to_vec()));
    (ours.map(drop), seen)
}

fn nobody() -> AuthInfo {
    AuthInfo::default()
}

#[tokio::test]
async fn a_client_certificate_of_version_1_is_shown() {
    let key = KeyPair::generate().unwrap().serialize_pem();
    let user = AuthInfo {
        client_certificate_data: Some(STANDARD.encode(VERSION_1)),
        client_key_data: Some(STANDARD.encode(key).into()),
        ..AuthInfo::default()
    };
    let server = server(|_| {});
    let (ours, seen) = meet(&server, Some(server.authority.pem()), &user, "api.test").await;
    ours.unwrap();
    assert_eq!(seen.as_deref(), Some(CertificateDer::from_pem_slice(VERSION_1.as_bytes()).unwrap().as_ref()));
}

#[tokio::test]
async fn a_server_is_trusted_by_its_authority_or_by_its_own_certificate() {
    let leaf = server(|_| {});
    let self_made = server(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    for server in [&leaf, &self_made] {
        let own = meet(server, Some(server.certificate.pem()), &nobody(), "api.test").await.0;
        own.expect("named itself");
        let other_name = meet(server, Some(server.certificate.pem()), &nobody(), "other.test").await.0;
        assert!(other_name.unwrap_err().to_string().contains("not valid for name"), "the name counts");
    }
    meet(&leaf, Some(leaf.authority.pem()), &nobody(), "api.test").await.0.expect("by its authority");
    let stranger = meet(&leaf, Some(self_made.authority.pem()), &nobody(), "api.test").await.0.unwrap_err();
    assert!(stranger.to_string().contains("invalid peer certificate"), "{stranger}");
    meet(&leaf, None, &nobody(), "other.test").await.0.expect("nothing is verified");
}

#[tokio::test]
async fn an_expired_certificate_is_no_authority_for_itself() {
    let old = server(|params| params.not_after = rcgen::date_time_ymd(2020, 1, 1));
    let expired = meet(&old, Some(old.certificate.pem()), &nobody(), "api.test").await.0.unwrap_err();
    assert!(expired.to_string().contains("xpired"), "{expired}");
}

#[test]
fn unusable_files_are_named_with_their_user() {
    let pair = |params: CertificateParams| {
        let key = KeyPair::generate().unwrap();
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    };
    let (chain, key) = pair(CertificateParams::new(Vec::new()).unwrap());
    let other_key = KeyPair::generate().unwrap().serialize_pem();
    let failure = |chain: Option<&str>, key: Option<&str>| {
        let user = AuthInfo {
            client_certificate_data: chain.map(|text| STANDARD.encode(text)),
            client_key_data: key.map(|text| STANDARD.encode(text).into()),
            ..AuthInfo::default()
        };
        Identity::of_user(&user, "ann").map(drop).err().map(|failure| failure.to_string()).unwrap_or_default()
    };
    assert_eq!(failure(Some(&chain), Some(&key)), "");
    assert!(failure(Some(&chain), Some(&other_key)).contains("is not the key of the client certificate of user ann"));
    assert!(failure(Some("hello"), Some(&key)).contains("client certificate of user ann"));
    assert!(failure(Some(&chain), Some("hello")).contains("client key of user ann"));
    assert!(failure(Some(&chain), None).contains("has no key"));
    assert!(failure(None, Some(&key)).contains("has no certificate"));
    let missing = AuthInfo { client_certificate: Some("/nonexistent".to_owned()), ..AuthInfo::default() };
    let text = Identity::of_user(&missing, "ann").map(drop).unwrap_err().to_string();
    assert!(text.contains("client certificate of user ann (/nonexistent)"), "{text}");
}

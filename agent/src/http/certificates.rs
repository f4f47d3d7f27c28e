//! Certificate and key files: their contents as a TLS configuration, and the mistake in them.

use crate::config::Http;
use sha2::{Digest as _, Sha256};
use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio_rustls::rustls::{
    self, InconsistentKeys, RootCertStore, ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject as _},
    },
    server::{NoServerSessionStorage, WebPkiClientVerifier, danger::ClientCertVerifier},
};

/// Largest allowed file, bytes. The file with the CA certificates of all public CAs has 220 kB.
const MAX_BYTES: u64 = 1 << 20;
/// Rounds in which all files must stay the same for one read.
const ROUNDS: usize = 3;

/// A file of the TLS configuration, and the setting that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFile {
    setting: &'static str,
    path: PathBuf,
}

/// The files that make the listener speak TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    certificate: TlsFile,
    key: TlsFile,
    /// `None`: clients need no certificate.
    client_ca: Option<TlsFile>,
}

/// A file that can't be used. One line: the setting, the file, the mistake and its remedy.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file can't be read.
    #[error("{} {}: {why}", file.setting, file.path.display())]
    Unreadable {
        /// The file.
        file: TlsFile,
        /// Why.
        why: String,
    },
    /// The file holds nothing that TLS can use.
    #[error("{} {}: {why}; give {wanted}", file.setting, file.path.display())]
    Unusable {
        /// The file.
        file: TlsFile,
        /// Why.
        why: String,
        /// Contents that can be used.
        wanted: &'static str,
    },
    /// Certificate and key are not a pair.
    #[error(
        "{} {}: the key does not belong to the certificate {}; give the two files of one pair",
        key.setting, key.path.display(), certificate.display()
    )]
    Mismatch {
        /// The key's file.
        key: TlsFile,
        /// The certificate's file.
        certificate: PathBuf,
    },
    /// The files changed during each attempt to read them.
    #[error("{} {}: the files change all the time; write them once, or replace their folder", .0.setting, .0.path.display())]
    Unstable(TlsFile),
}

/// Bytes of the files at one moment.
#[derive(PartialEq, Eq)]
pub(super) struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

const CERTIFICATES: &str = "certificates in PEM (BEGIN CERTIFICATE)";
const KEY: &str = "one private key in PEM (PKCS#8, PKCS#1 or SEC1), RSA, ECDSA or Ed25519, without a passphrase";

impl TlsFiles {
    /// The files of the configuration. `None`: the listener speaks plain HTTP.
    pub fn of(config: &Http) -> Option<Self> {
        let file = |setting, path: &Path| TlsFile { setting, path: path.to_owned() };
        Some(Self {
            certificate: file("http.tls_certificate_file", config.tls_certificate_file()?),
            key: file("http.tls_key_file", config.tls_key_file()?),
            client_ca: config.tls_client_ca_file().map(|path| file("http.tls_client_ca_file", path)),
        })
    }

    /// Reads all files until two reads agree: a certificate and a key of different times are no pair.
    pub(super) fn read(&self) -> Result<Contents, TlsError> {
        let mut before = self.read_once()?;
        for _ in 0..ROUNDS {
            let now = self.read_once()?;
            if now == before {
                return Ok(now);
            }
            before = now;
        }
        Err(TlsError::Unstable(self.certificate.clone()))
    }

    fn read_once(&self) -> Result<Contents, TlsError> {
        Ok(Contents {
            certificate: self.certificate.read()?,
            key: self.key.read()?,
            client_ca: self.client_ca.as_ref().map(TlsFile::read).transpose()?,
        })
    }

    /// The TLS configuration with these contents.
    pub(super) fn server_config(&self, contents: &Contents) -> Result<ServerConfig, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let chain = certificates(&self.certificate, &contents.certificate)?;
        let key = PrivateKeyDer::from_pem_slice(&contents.key)
            .map_err(|error| self.key.unusable(pem_error(&error, "no private key that can be read"), KEY))?;
        let verifier = self.client_verifier(contents, &provider)?;
        let builder = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| self.certificate.unusable(error.to_string(), CERTIFICATES))?;
        let builder = match verifier {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|error| self.rejected(&error))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // Nothing is kept of a client. Each connection proves its certificate again, also against another CA.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }

    fn client_verifier(
        &self,
        contents: &Contents,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
        let (Some(file), Some(bytes)) = (&self.client_ca, &contents.client_ca) else { return Ok(None) };
        let mut roots = RootCertStore::empty();
        for certificate in certificates(file, bytes)? {
            roots.add(certificate).map_err(|error| file.unusable(error.to_string(), CERTIFICATES))?;
        }
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
        builder.build().map(Some).map_err(|error| file.unusable(error.to_string(), CERTIFICATES))
    }

    /// The file that rustls rejects.
    fn rejected(&self, error: &rustls::Error) -> TlsError {
        match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                TlsError::Mismatch { key: self.key.clone(), certificate: self.certificate.path.clone() }
            }
            rustls::Error::InvalidCertificate(_) => self.certificate.unusable(error.to_string(), CERTIFICATES),
            _ => self.key.unusable(error.to_string(), KEY),
        }
    }
}

impl Contents {
    /// A fingerprint, so that the key itself need not be kept to notice a change.
    pub(super) fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        for bytes in [Some(&self.certificate), Some(&self.key), self.client_ca.as_ref()].into_iter().flatten() {
            digest.update((bytes.len() as u64).to_le_bytes());
            digest.update(bytes);
        }
        digest.finalize().into()
    }
}

impl TlsFile {
    fn read(&self) -> Result<Vec<u8>, TlsError> {
        let unreadable = |why: String| TlsError::Unreadable { file: self.clone(), why };
        let explain = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => unreadable("no such file; check the path, or the Secret that is mounted".into()),
            io::ErrorKind::PermissionDenied => {
                unreadable("permission denied; make it readable for the agent's user".into())
            }
            io::ErrorKind::IsADirectory => unreadable("is a directory; name the file in it".into()),
            _ => unreadable(error.to_string()),
        };
        let mut bytes = Vec::new();
        let file = File::open(&self.path).map_err(explain)?;
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(explain)?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(unreadable("larger than 1 MiB; name a PEM file".into()));
        }
        Ok(bytes)
    }

    fn unusable(&self, why: String, wanted: &'static str) -> TlsError {
        TlsError::Unusable { file: self.clone(), why, wanted }
    }
}

/// The certificates of a file: at least one.
fn certificates(file: &TlsFile, bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        Ok(_) => Err(file.unusable("no certificate".into(), CERTIFICATES)),
        Err(error) => Err(file.unusable(pem_error(&error, "no certificate"), CERTIFICATES)),
    }
}

/// The mistake in PEM text. It never quotes the text, which may be a key.
fn pem_error(error: &pem::Error, nothing: &str) -> String {
    match error {
        pem::Error::NoItemsFound => nothing.to_owned(),
        pem::Error::MissingSectionEnd { .. } => "a section without its END line".to_owned(),
        pem::Error::IllegalSectionStart { .. } => "a BEGIN line that is not PEM".to_owned(),
        pem::Error::Base64Decode(_) => "a section that is not base64".to_owned(),
        _ => "not PEM".to_owned(),
    }
}

#[cfg(test)]
mod tests;

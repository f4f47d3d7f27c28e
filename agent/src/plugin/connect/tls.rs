//! TLS settings: the authorities, and the client certificate.

use super::{super::Failure, trust::Authorities};
use crate::kube::one_line;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hyper::Uri;
use kube::{
    Config,
    client::ConfigExt as _,
    config::{AuthInfo, Cluster},
};
use secrecy::ExposeSecret as _;
use std::{fmt::Display, fs, sync::Arc};
use tokio_rustls::rustls::{
    ClientConfig, Error, InconsistentKeys,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::{CertifiedKey, SingleCertAndKey},
};

/// Settings for connections to this cluster. `server`: its URL.
///
/// # Errors
/// A file that can't be read, or that has something else in it.
pub(super) fn settings(cluster: &Cluster, server: &Uri, identity: Option<Identity>) -> Result<ClientConfig, Failure> {
    let provider = Arc::new(ring::default_provider());
    let skips = cluster.insecure_skip_tls_verify.unwrap_or(false);
    let bundle = load(
        &Place::authority(),
        cluster.certificate_authority_data.as_deref(),
        cluster.certificate_authority.as_deref(),
    )?;
    let mut settings = match bundle.filter(|_| !skips) {
        Some((pem, place)) => {
            let named: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&pem).flatten().collect();
            let authorities = Authorities::new(named, Arc::clone(&provider))
                .map_err(|_| Failure::new(format!("{place} has no certificate in PEM"), "correct the kubeconfig"))?;
            let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
            let builder = builder.map_err(|error| Failure::new(format!("can't use TLS: {error}"), ""))?;
            builder.dangerous().with_custom_certificate_verifier(Arc::new(authorities)).with_no_client_auth()
        }
        // The authorities of this machine, or none at all.
        None => {
            let mut config = Config::new(server.clone());
            config.accept_invalid_certs = skips;
            // Who verifies nothing needs no authorities of the machine.
            config.root_cert = skips.then(Vec::new);
            let settings = config.rustls_client_config();
            settings.map_err(|error| {
                let what = format!("can't use this machine's certificate authorities: {}", one_line(&error));
                Failure::new(what, "pass --certificate-authority FILE")
            })?
        }
    };
    if let Some(Identity(key)) = identity {
        settings.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(key));
    }
    Ok(settings)
}

/// A client certificate with its key.
pub(super) struct Identity(CertifiedKey);

impl Identity {
    /// From the kubeconfig. `None`: the user has no certificate.
    ///
    /// # Errors
    /// A file that can't be read, or that has something else in it.
    pub(super) fn of_user(user: &AuthInfo, name: &str) -> Result<Option<Self>, Failure> {
        let place = |what| Place { what, user: Some(name) };
        let key_data = user.client_key_data.as_ref().map(|data| data.expose_secret());
        let chain = load(
            &place("client certificate"),
            user.client_certificate_data.as_deref(),
            user.client_certificate.as_deref(),
        )?;
        let key = load(&place("client key"), key_data, user.client_key.as_deref())?;
        match (chain, key) {
            (Some(chain), Some(key)) => Self::read(chain, key).map(Some),
            (None, None) => Ok(None),
            (Some((_, place)), None) => Err(Failure::new(format!("{place} has no key"), "add client-key to the user")),
            (None, Some((_, place))) => {
                Err(Failure::new(format!("{place} has no certificate"), "add client-certificate to the user"))
            }
        }
    }

    /// As a credential plugin of `user` issued it.
    ///
    /// # Errors
    /// Text that is something else.
    pub(super) fn issued(chain: &str, key: &str, user: &str) -> Result<Self, Failure> {
        let named = |pem: &str, what| {
            (pem.as_bytes().to_vec(), format!("the {what} from the credential plugin of user {user}"))
        };
        Self::read(named(chain, "certificate"), named(key, "key"))
    }

    /// PEM and its place in messages.
    fn read((chain, chain_place): (Vec<u8>, String), (key, key_place): (Vec<u8>, String)) -> Result<Self, Failure> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&chain).flatten().collect();
        if chain.is_empty() {
            return Err(Failure::new(format!("{chain_place} has no certificate in PEM"), "correct the kubeconfig"));
        }
        let remedy = "write it as PKCS#8, PKCS#1 or SEC1 in PEM, without a passphrase";
        let unusable = |error: &dyn Display| Failure::new(format!("{key_place} can't be used: {error}"), remedy);
        let key = PrivateKeyDer::from_pem_slice(&key).map_err(|error| unusable(&error))?;
        let provider: CryptoProvider = ring::default_provider();
        let key = provider.key_provider.load_private_key(key).map_err(|error| unusable(&error))?;
        let pair = CertifiedKey::new(chain, key);
        // rustls can't look into certificates of X.509 version 1, but servers in Go accept them. Only a sure mismatch
        // is an error here.
        if let Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) = pair.keys_match() {
            return Err(Failure::new(format!("{key_place} is not the key of {chain_place}"), "correct the kubeconfig"));
        }
        Ok(Self(pair))
    }
}

/// A setting of the kubeconfig in messages.
struct Place<'a> {
    what: &'static str,
    user: Option<&'a str>,
}

impl Place<'static> {
    const fn authority() -> Self {
        Self { what: "certificate-authority", user: None }
    }
}

impl Place<'_> {
    fn named(&self, file: &str) -> String {
        let Self { what, user } = self;
        let of = user.map(|user| format!(" of user {user}")).unwrap_or_default();
        format!("the {what}{of} ({file})")
    }
}

/// Bytes of a setting, and where they are from. Data beats the file, as in client-go.
fn load(place: &Place<'_>, data: Option<&str>, file: Option<&str>) -> Result<Option<(Vec<u8>, String)>, Failure> {
    let filled = |text: &&str| !text.is_empty();
    if let Some(data) = data.filter(filled) {
        let name = place.named("data of the kubeconfig");
        let compact: String = data.split_whitespace().collect();
        let bytes = STANDARD.decode(compact);
        let bytes =
            bytes.map_err(|error| Failure::new(format!("{name} is not base64: {error}"), "correct the kubeconfig"))?;
        return Ok(Some((bytes, name)));
    }
    let Some(file) = file.filter(filled) else { return Ok(None) };
    let bytes = fs::read(file).map_err(|error| {
        Failure::new(format!("can't read {}: {error}", place.named(file)), "correct the kubeconfig, or log in again")
    })?;
    Ok(Some((bytes, place.named(file))))
}

#[cfg(test)]
mod tests;

//! Protection of the main listener: TLS, and authorization by bearer token.

use super::{
    Authorization, Tls,
    authorization::Guard,
    refusals::{Refusal, Refusals},
    stream::ClientStream,
};
use crate::api::ProtectionStats;
use std::{sync::Arc, time::Duration};
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

/// A client's stream, in plain text or encrypted.
pub(super) type Transport = Either<ClientStream, Box<TlsStream<ClientStream>>>;

/// Protection of a listener. The default has none.
#[derive(Clone, Default)]
pub struct Protection {
    /// `None`: plain HTTP.
    tls: Option<Tls>,
    /// `None`: every client that can connect may read everything.
    authorization: Option<Authorization>,
    refusals: Arc<Refusals>,
}

impl Protection {
    /// TLS and authorization. `None`: without it.
    pub fn new(tls: Option<Tls>, authorization: Option<Authorization>) -> Self {
        Self { tls, authorization, refusals: Arc::default() }
    }

    /// The check of each request's token. `None`: no request needs one.
    pub(super) fn guard(&self) -> Option<Guard> {
        let authorization = self.authorization.clone()?;
        Some(Guard { authorization, refusals: Arc::clone(&self.refusals) })
    }

    /// Performs the TLS handshake, where TLS is on. `None`: it failed.
    pub(super) async fn secure(&self, stream: ClientStream, limit: Duration) -> Option<Transport> {
        let Some(tls) = &self.tls else { return Some(Either::Left(stream)) };
        match tls.handshake(stream, limit).await {
            Ok(stream) => Some(Either::Right(Box::new(stream))),
            Err(error) => {
                self.refusals.count(Refusal::Handshake);
                tracing::debug!(%error, "a TLS handshake failed");
                None
            }
        }
    }

    /// Its figures. `None`: nothing is protected.
    pub(super) fn stats(&self) -> Option<ProtectionStats> {
        let is_on = self.tls.is_some() || self.authorization.is_some();
        is_on.then(|| ProtectionStats {
            refusals: self.refusals.by_reason(),
            tls_reloads: self.tls.as_ref().map(Tls::reloads),
        })
    }
}

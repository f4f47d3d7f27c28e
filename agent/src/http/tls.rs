//! TLS of the main listener: handshakes with the newest certificate, and its renewal when the files change.

use super::{
    certificates::{TlsError, TlsFiles},
    limits::UNSENT,
    stream::ClientStream,
};
use crate::api::TlsReloads;
use std::{
    future::Future,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{sync::watch, task::spawn_blocking, time::timeout};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig, server::TlsStream};

/// Time between two reads of the files. The kubelet itself takes up to a minute to renew a mounted Secret.
const INTERVAL: Duration = Duration::from_secs(5);

/// The listener's side of TLS. Clones share the certificate.
#[derive(Clone)]
pub struct Tls {
    config: watch::Receiver<Arc<ServerConfig>>,
    reloads: Arc<Reloads>,
}

#[derive(Default)]
struct Reloads {
    ok: AtomicU64,
    failed: AtomicU64,
}

/// Reads the files again when they change.
pub struct Renewal {
    files: TlsFiles,
    /// Fingerprint of the newest contents, accepted or not.
    seen: [u8; 32],
    /// The newest failure to read them. `None`: they were read.
    unreadable: Option<String>,
    config: watch::Sender<Arc<ServerConfig>>,
    reloads: Arc<Reloads>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// The mistake in a file.
    pub fn load(files: TlsFiles) -> Result<(Self, Renewal), TlsError> {
        let contents = files.read()?;
        let (sender, config) = watch::channel(Arc::new(files.server_config(&contents)?));
        let reloads = Arc::new(Reloads::default());
        let seen = contents.digest();
        let renewal = Renewal { files, seen, unreadable: None, config: sender, reloads: Arc::clone(&reloads) };
        Ok((Self { config, reloads }, renewal))
    }

    /// Performs the handshake with a client.
    ///
    /// # Errors
    /// When it takes longer than `limit`, when the client breaks off, or when it lacks a valid certificate.
    pub(super) async fn handshake(&self, stream: ClientStream, limit: Duration) -> io::Result<TlsStream<ClientStream>> {
        let config = Arc::clone(&self.config.borrow());
        let accept = TlsAcceptor::from(config).accept_with(stream, |session| session.set_buffer_limit(Some(UNSENT)));
        let late = || io::Error::new(io::ErrorKind::TimedOut, "the client does not finish its TLS handshake");
        timeout(limit, accept).await.unwrap_or_else(|_| Err(late()))
    }

    /// Readings of changed files so far.
    pub(super) fn reloads(&self) -> TlsReloads {
        let Reloads { ok, failed } = &*self.reloads;
        TlsReloads { ok: ok.load(Ordering::Relaxed), failed: failed.load(Ordering::Relaxed) }
    }
}

impl Renewal {
    /// Whether this process can read the files.
    ///
    /// # Errors
    /// The file that it can't read.
    pub fn check(&self) -> Result<(), TlsError> {
        self.files.read().map(drop)
    }

    /// Follows the files until `stopped`. A bad file changes nothing: the listener keeps its certificate.
    ///
    /// # Errors
    /// When the thread that reads panics.
    pub async fn run(mut self, stopped: impl Future<Output = ()>) -> anyhow::Result<()> {
        let mut stopped = std::pin::pin!(stopped);
        loop {
            tokio::select! {
                () = &mut stopped => return Ok(()),
                () = tokio::time::sleep(INTERVAL) => {}
            }
            // A file system that hangs delays this task alone, and not its stop.
            self = tokio::select! {
                () = &mut stopped => return Ok(()),
                renewed = spawn_blocking(move || { self.renew(); self }) => renewed?,
            };
        }
    }

    /// Reads the files once. Each state of them is reported once.
    pub(super) fn renew(&mut self) {
        let contents = match self.files.read() {
            Ok(contents) => contents,
            Err(error) => {
                let error = error.to_string();
                if self.unreadable.as_ref() != Some(&error) {
                    self.failed(&error);
                }
                self.unreadable = Some(error);
                return;
            }
        };
        self.unreadable = None;
        let digest = contents.digest();
        if digest == self.seen {
            return;
        }
        self.seen = digest;
        match self.files.server_config(&contents) {
            Ok(config) => {
                self.config.send_replace(Arc::new(config));
                self.reloads.ok.fetch_add(1, Ordering::Relaxed);
                tracing::info!("the changed TLS files apply to new connections");
            }
            Err(error) => self.failed(&error.to_string()),
        }
    }

    fn failed(&self, error: &str) {
        self.reloads.failed.fetch_add(1, Ordering::Relaxed);
        tracing::error!("the TLS certificate is unchanged: {error}");
    }
}

#[cfg(test)]
mod tests;

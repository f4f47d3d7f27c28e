//! The HTTP listeners: bound before the agent attaches, so that a mistake ends it early, and served by tasks.

use super::Failure;
use crate::{
    config::Http,
    http::{self, ApiPlace, Authorization, Protection, Renewal, Tls, TlsError, TlsFiles},
    tasks::{Stopped, Tasks},
};
use std::net::TcpListener;

/// Bound listeners, and the protection of the main one.
pub(super) struct Listeners {
    main: TcpListener,
    /// `None`: probes use the main listener.
    probes: Option<TcpListener>,
    api: ApiPlace,
    /// `None`: the main listener speaks plain HTTP.
    tls: Option<(Tls, Renewal)>,
    /// `None`: the main listener asks for no token.
    pub(super) authorization: Option<Authorization>,
}

impl Listeners {
    /// Binds them and reads the certificate.
    ///
    /// # Errors
    /// When a port can't be had, or a certificate file is bad.
    pub(super) fn bind(config: &Http) -> Result<Self, Failure> {
        let main = http::bind(config.listen())?;
        let probes = http::bind_probes(config)?;
        let api = ApiPlace::bind(config)?;
        let tls = TlsFiles::of(config).map(Tls::load).transpose().map_err(Failure::usage)?;
        Ok(Self { main, probes, api, tls, authorization: None })
    }

    /// Reads the certificate again, with the rights that the agent keeps.
    ///
    /// # Errors
    /// When a file can't be read any more. Then a renewal could not be read either.
    pub(super) fn check_renewal(&self) -> Result<(), TlsError> {
        self.tls.as_ref().map_or(Ok(()), |(_, renewal)| renewal.check())
    }

    /// Starts a task for each. The probe listener has a thread and a runtime of its own.
    pub(super) fn serve(self, tasks: &mut Tasks, config: &Http, shared: http::Shared, stopped: &Stopped) {
        let Self { main, probes, api, tls, authorization } = self;
        match probes {
            None => tracing::warn!(
                "another process listens on {}: only the main listener answers probes; choose a port with \
                 --probe-listen",
                http::probe_address(config)
            ),
            Some(listener) => {
                let (shared, stop) = (shared.clone(), stopped.clone().wait());
                tasks.spawn_blocking("probes", move || http::serve_probes(listener, shared, stop));
            }
        }
        let tls = tls.map(|(tls, renewal)| {
            tasks.spawn("tls", renewal.run(stopped.clone().wait()));
            tls
        });
        if let ApiPlace::Taken(addr) = &api {
            tracing::warn!(
                "another process listens on {addr}: nobody answers /api/v1; choose a port with http.api_port"
            );
        }
        let protection = Protection::new(tls, authorization);
        let limits = http::Limits::from(config);
        tasks.spawn("http", http::serve(limits, (main, api), shared, protection, stopped.clone().wait()));
    }
}

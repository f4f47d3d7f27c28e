//! The bearer token of a credential plugin, renewed before it expires.

use super::{
    super::Failure,
    exec::{self, Issued},
};
use hyper::{
    Request,
    header::{AUTHORIZATION, HeaderValue},
};
use jiff::{SignedDuration, Timestamp};
use kube::{
    client::Body,
    config::{ExecAuthCluster, ExecConfig},
};
use tokio::sync::Mutex;

/// A token is renewed so long before its end.
const EARLY: SignedDuration = SignedDuration::from_secs(60);

/// A plugin, and what it issued last.
pub(super) struct Credentials {
    exec: ExecConfig,
    cluster: Option<ExecAuthCluster>,
    user: String,
    issued: Mutex<Issued>,
}

impl Credentials {
    pub(super) fn new(exec: ExecConfig, cluster: Option<ExecAuthCluster>, user: String, issued: Issued) -> Self {
        Self { exec, cluster, user, issued: Mutex::new(issued) }
    }

    /// Adds the token to a request. A plugin that issued a certificate has none.
    ///
    /// # Errors
    /// When the token has expired and can't be renewed.
    pub(super) async fn authorize(&self, mut request: Request<Body>) -> Result<Request<Body>, Failure> {
        let mut issued = self.issued.lock().await;
        if issued.token.is_some() && issued.expiration_timestamp.is_some_and(|end| Timestamp::now() + EARLY >= end) {
            // A screen may be drawn now, so that the plugin may not ask.
            *issued = exec::run(&self.exec, self.cluster.as_ref(), &self.user, false).await?;
        }
        if let Some(token) = &issued.token {
            let value = HeaderValue::try_from(format!("Bearer {token}"));
            let mut value = value
                .map_err(|_| Failure::new(format!("user {}: the token has forbidden characters", self.user), ""))?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        Ok(request)
    }
}

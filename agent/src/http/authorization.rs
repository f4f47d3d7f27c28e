//! Authorization by bearer token, as the API server decides it.

use super::{
    refusals::{Refusal, Refusals},
    routes::short,
    verdicts::{Verdicts, key},
};
use crate::kube::{Reviews, Verdict};
use axum::{
    extract::{Extension, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use std::{
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

/// The non-resource URL that a client's user must be allowed to get, whatever it asks for. The paths of `/api/v1` would
/// not do: Kubernetes lets every user get `/api/*` of an API server (ClusterRole `system:discovery`).
const PATH: &str = "/metrics";

/// Longest refusal, which quotes the user's name, bytes.
const MAX_REFUSAL: usize = 1 << 10;

/// Asks the API server about bearer tokens, and keeps its verdicts for a minute. Clones share them.
#[derive(Clone)]
pub struct Authorization {
    reviews: Reviews,
    verdicts: Arc<Mutex<Verdicts>>,
    /// Failures since the last verdict.
    failures: Arc<AtomicU64>,
}

/// Address of a request's client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) IpAddr);

/// The decision about a request.
enum Decision {
    Allowed,
    Refused(Refusal, String),
}

/// The state of [`check`].
#[derive(Clone)]
pub(super) struct Guard {
    pub(super) authorization: Authorization,
    pub(super) refusals: Arc<Refusals>,
}

impl Authorization {
    /// Without any verdict yet.
    pub fn new(reviews: Reviews) -> Self {
        Self { reviews, verdicts: Arc::default(), failures: Arc::default() }
    }

    async fn decide(&self, token: &str, peer: IpAddr) -> Decision {
        let place = {
            let mut verdicts = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
            verdicts.place(key(token), peer, Instant::now())
        };
        let Some(answer) = place else {
            let why = "too many unknown tokens within a minute: try again in a minute";
            return Decision::Refused(Refusal::Throttled, why.to_owned());
        };
        // Requests with the same token at the same moment ask once.
        match answer.get_or_init(|| self.ask(token)).await {
            Ok(Verdict::Allowed) => Decision::Allowed,
            Ok(Verdict::Unauthenticated) => {
                let why = "the API server does not accept this bearer token: get a new one";
                Decision::Refused(Refusal::Unauthenticated, why.to_owned())
            }
            Ok(Verdict::Forbidden { user }) => {
                let why = format!(
                    "user {user:?} may not get {PATH}: bind it to a ClusterRole with the verb get on this \
                     nonResourceURL"
                );
                Decision::Refused(Refusal::Forbidden, why)
            }
            Err(_) => {
                let why = "the API server can't be asked about this token: try again; the agent's log has the reason";
                Decision::Refused(Refusal::Unavailable, why.to_owned())
            }
        }
    }

    async fn ask(&self, token: &str) -> Result<Verdict, String> {
        let verdict = self.reviews.verdict(token, PATH).await;
        match &verdict {
            Ok(_) => self.failures.store(0, Ordering::Relaxed),
            Err(why) => {
                let n = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
                // The first of a series, then ever more rarely.
                if n.is_power_of_two() {
                    tracing::warn!(failures = n, "failed to check a client's token: {why}");
                }
            }
        }
        verdict
    }
}

/// Passes on requests whose token may get [`PATH`].
pub(super) async fn check(
    State(Guard { authorization, refusals }): State<Guard>,
    Extension(Peer(peer)): Extension<Peer>,
    request: Request,
    next: Next,
) -> Response {
    let decision = match bearer_token(request.headers()) {
        Some(token) => authorization.decide(token, peer).await,
        None => {
            let why = "send a bearer token: \"Authorization: Bearer TOKEN\"";
            Decision::Refused(Refusal::Unauthenticated, why.to_owned())
        }
    };
    match decision {
        Decision::Allowed => next.run(request).await,
        Decision::Refused(reason, why) => {
            refusals.count(reason);
            refused(reason, why)
        }
    }
}

fn refused(reason: Refusal, why: String) -> Response {
    let status = match reason {
        Refusal::Handshake | Refusal::Unauthenticated => StatusCode::UNAUTHORIZED,
        Refusal::Forbidden => StatusCode::FORBIDDEN,
        Refusal::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Refusal::Throttled => StatusCode::TOO_MANY_REQUESTS,
    };
    let mut response = (status, short(why, MAX_REFUSAL) + "\n").into_response();
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// The token of `Authorization: Bearer TOKEN` (RFC 6750, section 2.1). The scheme's case does not matter.
fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

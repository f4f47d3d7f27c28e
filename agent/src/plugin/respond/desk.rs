//! The webhook: checks a request, puts its look-ups into the queue, and answers at once.

use super::{
    counts::{Count, Counts},
    plan::{Job, Plan},
    secrets,
    seen::Seen,
    target::Naming,
    webhook,
};
use axum::{
    Router,
    body::to_bytes,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use sha2::{Digest as _, Sha256};
use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::{
    sync::{Semaphore, mpsc},
    time::timeout,
};

/// Longest body, bytes.
const MAX_BODY: usize = 1 << 20;
/// Usual time for a client to send it.
pub(super) const BODY_TIME: Duration = Duration::from_secs(10);
/// Most bodies in memory at once.
const READERS: usize = 4;
/// Alertmanager does not read it, but others may.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("10");

/// Everything that the webhook needs.
pub(super) struct Desk {
    pub(super) queue: mpsc::Sender<Job>,
    pub(super) seen: Arc<Mutex<Seen>>,
    pub(super) counts: Arc<Counts>,
    /// File with the token that requests must have. `None`: no token.
    pub(super) token_file: Option<PathBuf>,
    pub(super) naming: Naming,
    /// Places for bodies that are read.
    pub(super) readers: Semaphore,
    /// Time for a client to send its body.
    pub(super) body_time: Duration,
}

impl Desk {
    pub(super) fn readers() -> Semaphore {
        Semaphore::new(READERS)
    }

    /// The paths and their answers.
    pub(super) fn routes(self) -> Router {
        Router::new()
            .route("/webhook", post(webhook))
            .route("/livez", get(|| async { "ok\n" }))
            .route("/metrics", get(metrics))
            .with_state(Arc::new(self))
    }

    /// Puts the look-ups of a request into the queue. `None`: there is no room, and nothing was queued.
    fn take(&self, delivery: webhook::Delivery, now: Instant) -> Option<Plan> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut plan = Plan::new(delivery, &seen, self.naming, now);
        let room = match plan.jobs.len() {
            0 => None,
            number => Some(self.queue.try_reserve_many(number).ok()?),
        };
        plan.count(&self.counts);
        for key in &plan.over {
            seen.forget(key);
        }
        for (place, job) in room.into_iter().flatten().zip(plan.jobs.drain(..)) {
            for alert in &job.alerts {
                seen.add(alert.key, alert.begin, now);
            }
            place.send(job);
        }
        Some(plan)
    }

    fn refuse(&self, status: StatusCode, why: &str) -> Response {
        let overloaded = status == StatusCode::SERVICE_UNAVAILABLE;
        self.counts.add(if overloaded { Count::DeliveryOverload } else { Count::DeliveryRefused });
        let mut response = (status, format!("{why}\n")).into_response();
        if overloaded {
            response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }

    /// The refusal of a request without the token. The file is read anew: Secrets are renewed.
    async fn refusal(&self, headers: &HeaderMap) -> Option<Response> {
        let file = self.token_file.as_ref()?;
        let Ok(token) = secrets::read(file).await else {
            // Alertmanager repeats what fails with 5xx.
            return Some(self.refuse(StatusCode::INTERNAL_SERVER_ERROR, "the token's file can't be read"));
        };
        let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.split_once(' '));
        // Hashes: a comparison of them tells nothing of the token by its time.
        let equal = |sent: &str| Sha256::digest(sent.trim()) == Sha256::digest(&token);
        match sent {
            Some((scheme, sent)) if scheme.eq_ignore_ascii_case("bearer") && equal(sent) => None,
            _ => {
                let why = "send the bearer token: http_config.authorization of Alertmanager's webhook_configs";
                Some(self.refuse(StatusCode::UNAUTHORIZED, why))
            }
        }
    }
}

async fn webhook(State(desk): State<Arc<Desk>>, request: Request) -> Response {
    if let Some(refusal) = desk.refusal(request.headers()).await {
        return refusal;
    }
    let overload = |why: &str| desk.refuse(StatusCode::SERVICE_UNAVAILABLE, why);
    let Ok(_reader) = desk.readers.try_acquire() else {
        return overload("too many requests at once: send it again");
    };
    let body = match timeout(desk.body_time, to_bytes(request.into_body(), MAX_BODY)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => {
            let why = "the body is longer than 1 MiB, or broke off: set max_alerts of Alertmanager's webhook_configs";
            return desk.refuse(StatusCode::PAYLOAD_TOO_LARGE, why);
        }
        Err(_) => return desk.refuse(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"),
    };
    let delivery = match webhook::read(&body) {
        Ok(delivery) => delivery,
        Err(why) => return desk.refuse(StatusCode::BAD_REQUEST, &why),
    };
    match desk.take(delivery, Instant::now()) {
        Some(plan) => {
            desk.counts.add(Count::DeliveryTaken);
            if plan.left_out() > 0 {
                crate::text::complain(&format!("warning: left out {} alerts of one request", plan.left_out()));
            }
            (StatusCode::ACCEPTED, "taken\n").into_response()
        }
        None => overload("too many look-ups wait: send it again"),
    }
}

async fn metrics(State(desk): State<Arc<Desk>>) -> Response {
    let waiting = desk.queue.max_capacity() - desk.queue.capacity();
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (kind, desk.counts.text(waiting)).into_response()
}

#[cfg(test)]
mod tests;

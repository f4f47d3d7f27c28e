//! Paths and their responses.

use super::{
    Limits, Protection, Shared,
    answers::Answers,
    api_routes::api,
    authorization,
    budget::{self, Budget},
    connections::Connections,
    monotonic_now,
    past::Archive,
    reader::Reader,
    ready,
    scrapes::Scrapes,
};
use crate::{
    api::ApiError,
    metrics::{self, Format},
};
use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::{any, get},
};
use std::sync::{Arc, PoisonError};

/// Time after which a client may ask again, s: stalled clients have lost their connections by then.
const RETRY_AFTER_SECONDS: &str = "2";

/// `Server` header of every response.
const SERVER: &str = concat!("netwhy-agent/", env!("CARGO_PKG_VERSION"));

/// Longest message of an error, bytes. JSON writes some of them as six.
const MAX_MESSAGE: usize = 1 << 10;
/// Longest text about health, bytes.
const MAX_HEALTH: usize = 4 << 10;

const INDEX: &str = "\
netwhy-agent
/metrics        OpenMetrics text, Prometheus text or protobuf
/livez          200, or 503 with the reason
/readyz         200, or 503 with the reasons
";
const API_INDEX: &str = "\
/api/v1/hints   hints; ?namespace=&pod=&state=firing|resolved
/api/v1/pods    one row per Pod; ?namespace=&pod=
/api/v1/edges   one row per (Pod, remote address); ?namespace=&pod=; by=peer_node: one row per Node at the other end,
                 split=ADDRESS,…: and one per such address
/api/v1/node    this Node
/api/v1/info    the agent: version, probes, overhead
/api/v1/history what the flight recorder has; ?from=TIME&to=TIME (RFC 3339)
                The first four answer of the past too: ?at=TIME; hints also ?from=TIME&to=TIME
";

/// The routes of the main listener, and those of the API's own. `refusal`: why the main one does not answer `/api/v1`.
/// With authorization, each request to the main listener about Pods and the Node needs a token.
pub(super) fn routers(
    shared: Shared,
    limits: Limits,
    connections: Arc<Connections>,
    protection: Protection,
    refusal: Option<String>,
) -> (Router, Router) {
    let budget = Budget::new(limits.response_bytes, connections);
    let answers = Arc::new(Answers::new(budget.clone(), limits.answer_bytes));
    let scrapes = Arc::new(Scrapes::new(budget));
    let guard = protection.guard();
    let archive = Archive::new(shared.past.clone());
    let reader = Reader { shared, archive, scrapes, answers, protection, shared_row: Arc::default() };
    let metrics = Router::new().route("/metrics", get(scrape));
    let (guarded, open) = match refusal {
        None => (metrics.merge(api()), index(format!("{INDEX}{API_INDEX}"))),
        Some(refusal) => (metrics, index(format!("{INDEX}{refusal}\n")).merge(elsewhere(refusal))),
    };
    let guarded = match guard {
        Some(guard) => guarded.route_layer(axum::middleware::from_fn_with_state(guard, authorization::check)),
        None => guarded,
    };
    let main = guarded
        .merge(open)
        .route("/livez", get(|State(reader): State<Reader>| async move { livez(&reader.shared) }))
        .route("/readyz", get(|State(reader): State<Reader>| async move { readyz(&reader.shared) }));
    let own = api().merge(index(format!("netwhy-agent\n{API_INDEX}")));
    (finish(main, &reader), finish(own, &reader))
}

fn index(text: String) -> Router<Reader> {
    Router::new().route("/", get(|| async { text }))
}

/// The API is answered elsewhere.
fn elsewhere(refusal: String) -> Router<Reader> {
    let refuse = || async { error(StatusCode::MISDIRECTED_REQUEST, refusal) };
    Router::new().route("/api/v1/{*path}", any(refuse))
}

/// Adds the parts that all paths have in common.
fn finish(router: Router<Reader>, reader: &Reader) -> Router {
    router
        .fallback(|uri: Uri| async move { error(StatusCode::NOT_FOUND, format!("no such path: {}", uri.path())) })
        .method_not_allowed_fallback(|| async {
            error(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are supported".to_owned())
        })
        .with_state(reader.clone())
        .layer(axum::middleware::map_response(named))
}

/// The routes of the probe listener.
pub(super) fn probes(shared: Shared) -> Router {
    Router::new()
        .route("/livez", get(|State(shared): State<Shared>| async move { livez(&shared) }))
        .route("/readyz", get(|State(shared): State<Shared>| async move { readyz(&shared) }))
        .with_state(shared)
        .layer(axum::middleware::map_response(named))
}

/// Adds the version to every response, errors included: a plugin of another version may not understand the body.
async fn named(mut response: Response) -> Response {
    response.headers_mut().insert(header::SERVER, HeaderValue::from_static(SERVER));
    response
}

async fn scrape(State(reader): State<Reader>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let format = Format::from_accept(accept);
    let scrapes = Arc::clone(&reader.scrapes);
    let encode = move || {
        let view = reader.view();
        let options = *reader.shared.options.borrow();
        let mut shared_row = reader.shared_row.lock().unwrap_or_else(PoisonError::into_inner);
        metrics::encode_next(&mut shared_row, &view, &reader.agent(&view), &options, format)
    };
    let Some(body) = scrapes.text(format, encode).await else { return budget::unavailable() };
    ([(header::CONTENT_TYPE, format.content_type()), (header::VARY, "accept")], body).into_response()
}

fn livez(shared: &Shared) -> Response {
    health(ready::alive(&shared.view.borrow(), shared.started, monotonic_now()).map(|()| Vec::new()))
}

fn readyz(shared: &Shared) -> Response {
    let agent = Arc::clone(&shared.agent.borrow());
    health(ready::ready(&shared.view.borrow(), &agent, monotonic_now()).map(|()| ready::degraded(&agent)))
}

/// `ok` and the degraded parts, one per line; or the reason why not.
fn health(verdict: Result<Vec<String>, String>) -> Response {
    match verdict {
        Ok(degraded) => {
            let lines = ["ok".to_owned()].into_iter().chain(degraded);
            short(lines.map(|line| line + "\n").collect(), MAX_HEALTH).into_response()
        }
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, short(why + "\n", MAX_HEALTH)).into_response(),
    }
}

/// An error as every path answers it.
pub(super) fn error(status: StatusCode, message: String) -> Response {
    let mut response = (status, Json(ApiError { error: short(message, MAX_MESSAGE) })).into_response();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
    }
    response
}

/// Cuts a text, which may quote what others sent: short responses take no room of the budget.
pub(super) fn short(mut text: String, most: usize) -> String {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.push('…');
    }
    text
}

//! Paths and their responses.

use super::{
    Limits, Protection, Shared, authorization,
    budget::{self, Budget, Counted},
    connections::Connections,
    monotonic_now,
    past::Archive,
    ready,
    scrapes::Scrapes,
};
use crate::{
    api::{AgentStats, ApiError, Hint, HintState, MemoryLevel},
    metrics::{self, Format, SharedRow},
    responses,
    state::{NodeView, SubjectId},
};
use axum::{
    Json, Router,
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::{any, get},
};
use serde::Deserialize;
use std::{
    collections::BTreeSet,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

/// `Server` header of every response.
const SERVER: &str = concat!("netwhy-agent/", env!("CARGO_PKG_VERSION"));

/// Most addresses with rows of their own: each adds at most one row per Node at the other end.
const MAX_SPLIT: usize = 16;

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
    let scrapes = Arc::new(Scrapes::new(budget.clone()));
    let guard = protection.guard();
    let archive = Archive::new(shared.past.clone());
    let reader = Reader { shared, archive, scrapes, protection, shared_row: Arc::default() };
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
    (finish(main, &reader, &budget), finish(own, &reader, &budget))
}

fn index(text: String) -> Router<Reader> {
    Router::new().route("/", get(|| async { text }))
}

/// The API is answered elsewhere.
fn elsewhere(refusal: String) -> Router<Reader> {
    let refuse = || async { error(StatusCode::MISDIRECTED_REQUEST, refusal) };
    Router::new().route("/api/v1/{*path}", any(refuse))
}

/// The routes of the API.
fn api() -> Router<Reader> {
    Router::new()
        .route("/api/v1/hints", get(hints))
        .route("/api/v1/pods", get(pods))
        .route("/api/v1/edges", get(edges))
        .route("/api/v1/node", get(node))
        .route("/api/v1/info", get(info))
        .route("/api/v1/history", get(history))
}

/// Adds the parts that all paths have in common.
fn finish(router: Router<Reader>, reader: &Reader, budget: &Budget) -> Router {
    router
        .fallback(|uri: Uri| async move { error(StatusCode::NOT_FOUND, format!("no such path: {}", uri.path())) })
        .method_not_allowed_fallback(|| async {
            error(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are supported".to_owned())
        })
        .with_state(reader.clone())
        .layer(axum::middleware::from_fn_with_state(budget.clone(), budget::count))
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

/// State of the handlers.
#[derive(Clone)]
struct Reader {
    shared: Shared,
    archive: Archive,
    scrapes: Arc<Scrapes>,
    protection: Protection,
    /// Subjects that share the row `~other`. Scrapes are encoded one at a time, so nobody waits for it.
    shared_row: Arc<Mutex<SharedRow>>,
}

impl Reader {
    fn view(&self) -> Arc<NodeView> {
        Arc::clone(&self.shared.view.borrow())
    }

    /// The view of a time; empty: of now.
    async fn view_at(&self, at: &str) -> Result<Arc<NodeView>, Response> {
        if at.is_empty() { Ok(self.view()) } else { self.archive.view(at, self.memory_level()).await }
    }

    fn memory_level(&self) -> MemoryLevel {
        self.shared.agent.borrow().memory.level
    }

    /// The agent's status with the figures of scrapes and of their protection.
    fn agent(&self, view: &NodeView) -> Arc<AgentStats> {
        self.archive.forget_old();
        let mut agent = Arc::clone(&self.shared.agent.borrow());
        let age = ready::age(view, monotonic_now());
        let stats = Arc::make_mut(&mut agent);
        stats.scrape = self.scrapes.stats(age);
        stats.protection = self.protection.stats();
        agent
    }
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
    let mut response =
        ([(header::CONTENT_TYPE, format.content_type()), (header::VARY, "accept")], body).into_response();
    response.extensions_mut().insert(Counted);
    response
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
            lines.map(|line| line + "\n").collect::<String>().into_response()
        }
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, why + "\n").into_response(),
    }
}

/// Filter of subjects. An absent or empty key matches all.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct SubjectFilter {
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    pod: String,
    #[serde(default)]
    at: String,
}

impl SubjectFilter {
    fn shows(&self, subject: &SubjectId) -> bool {
        shows(&self.namespace, &subject.namespace) && shows(&self.pod, &subject.name)
    }
}

/// Filter of edges, and their grouping.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct EdgeFilter {
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    pod: String,
    #[serde(default)]
    by: String,
    /// Addresses with rows of their own, with commas between.
    #[serde(default)]
    split: String,
    #[serde(default)]
    at: String,
}

/// Filter of hints.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct HintFilter {
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    pod: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    at: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
}

/// A time; empty: now.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Moment {
    #[serde(default)]
    at: String,
}

/// A range of time. Both ends must be there.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TimeRange {
    from: String,
    to: String,
}

fn shows(wanted: &str, value: &str) -> bool {
    wanted.is_empty() || wanted == value
}

async fn hints(State(reader): State<Reader>, filter: Result<Query<HintFilter>, QueryRejection>) -> Response {
    let filter = match filter {
        Ok(Query(filter)) => filter,
        Err(rejection) => return bad_query(&rejection),
    };
    let state = match filter.state.as_str() {
        "" => None,
        "firing" => Some(HintState::Firing),
        "resolved" => Some(HintState::Resolved),
        other => return error(StatusCode::BAD_REQUEST, format!("state must be firing or resolved, not {other:?}")),
    };
    let is_wanted = |h: &&Hint| {
        shows(&filter.namespace, &h.subject.namespace)
            && shows(&filter.pod, &h.subject.name)
            && state.is_none_or(|s| s == h.state)
    };
    if filter.from.is_empty() && filter.to.is_empty() {
        return match reader.view_at(&filter.at).await {
            Ok(view) => Json(view.hints.iter().filter(is_wanted).collect::<Vec<_>>()).into_response(),
            Err(response) => response,
        };
    }
    if !filter.at.is_empty() {
        return error(StatusCode::BAD_REQUEST, "at does not go with from and to: omit one of them".to_owned());
    }
    match reader.archive.hints((&filter.from, &filter.to), reader.memory_level()).await {
        Ok(hints) => Json(hints.iter().filter(is_wanted).collect::<Vec<_>>()).into_response(),
        Err(response) => response,
    }
}

async fn history(State(reader): State<Reader>, range: Result<Query<TimeRange>, QueryRejection>) -> Response {
    let Query(TimeRange { from, to }) = match range {
        Ok(range) => range,
        Err(rejection) => return bad_query(&rejection),
    };
    match reader.archive.history(&from, &to).await {
        Ok(history) => Json(history).into_response(),
        Err(response) => response,
    }
}

async fn pods(State(reader): State<Reader>, filter: Result<Query<SubjectFilter>, QueryRejection>) -> Response {
    let filter = match filter {
        Ok(Query(filter)) => filter,
        Err(rejection) => return bad_query(&rejection),
    };
    match reader.view_at(&filter.at).await {
        Ok(view) => {
            let agent = Arc::clone(&reader.shared.agent.borrow());
            Json(responses::pods(&view, &agent.probes, |s| filter.shows(s))).into_response()
        }
        Err(response) => response,
    }
}

/// A comma-separated list of addresses.
fn addresses(list: &str) -> Result<BTreeSet<IpAddr>, String> {
    let one = |text: &str| text.parse().map_err(|_| format!("split must list addresses, not {text:?}"));
    let all: BTreeSet<IpAddr> = list.split(',').filter(|text| !text.is_empty()).map(one).collect::<Result<_, _>>()?;
    match all.len() {
        0..=MAX_SPLIT => Ok(all),
        more => Err(format!("split lists {more} addresses, more than {MAX_SPLIT}")),
    }
}

async fn edges(State(reader): State<Reader>, filter: Result<Query<EdgeFilter>, QueryRejection>) -> Response {
    let Query(filter) = match filter {
        Ok(filter) => filter,
        Err(rejection) => return bad_query(&rejection),
    };
    let EdgeFilter { namespace, pod, by, split, at } = filter;
    let split = match addresses(&split) {
        Ok(split) => split,
        Err(what) => return error(StatusCode::BAD_REQUEST, what),
    };
    let wanted = SubjectFilter { namespace, pod, at: String::new() };
    let view = match reader.view_at(&at).await {
        Ok(view) => view,
        Err(response) => return response,
    };
    match by.as_str() {
        "" => Json(responses::edges(&view, |s| wanted.shows(s))).into_response(),
        "peer_node" => Json(responses::peers(&view, &split, |s| wanted.shows(s))).into_response(),
        other => error(StatusCode::BAD_REQUEST, format!("by must be peer_node, not {other:?}")),
    }
}

async fn node(State(reader): State<Reader>, moment: Result<Query<Moment>, QueryRejection>) -> Response {
    let Query(Moment { at }) = match moment {
        Ok(moment) => moment,
        Err(rejection) => return bad_query(&rejection),
    };
    match reader.view_at(&at).await {
        Ok(view) => Json(responses::node(&view)).into_response(),
        Err(response) => response,
    }
}

async fn info(State(reader): State<Reader>) -> Response {
    Json(reader.agent(&reader.view())).into_response()
}

fn bad_query(rejection: &QueryRejection) -> Response {
    error(StatusCode::BAD_REQUEST, rejection.body_text().replace('\n', " "))
}

/// An error as every path answers it.
pub(super) fn error(status: StatusCode, message: String) -> Response {
    (status, Json(ApiError { error: message })).into_response()
}

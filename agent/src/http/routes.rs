//! Paths and their responses.

use super::{Shared, monotonic_now, ready};
use crate::{
    api::{AgentStats, ApiError, HintState, ScrapeStats},
    metrics::{self, Format},
    responses,
    state::{NodeView, SubjectId},
};
use axum::{
    Json, Router,
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Deserialize;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// `Server` header of every response.
const SERVER: &str = concat!("netwhy-agent/", env!("CARGO_PKG_VERSION"));

const INDEX: &str = "\
netwhy-agent
/metrics        OpenMetrics or Prometheus text
/livez          200, or 503 with the reason
/readyz         200, or 503 with the reasons
/api/v1/hints   hints; ?namespace=&pod=&state=firing|resolved
/api/v1/pods    one row per Pod; ?namespace=&pod=
/api/v1/edges   one row per (Pod, remote address); ?namespace=&pod=; by=peer_node: one row per Node at the other end
/api/v1/node    this Node
/api/v1/info    the agent: version, probes, overhead
";

/// All routes.
pub(super) fn router(shared: Shared) -> Router {
    Router::new()
        .route("/", get(|| async { INDEX }))
        .route("/metrics", get(scrape))
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/api/v1/hints", get(hints))
        .route("/api/v1/pods", get(pods))
        .route("/api/v1/edges", get(edges))
        .route("/api/v1/node", get(node))
        .route("/api/v1/info", get(info))
        .fallback(|uri: Uri| async move { error(StatusCode::NOT_FOUND, format!("no such path: {}", uri.path())) })
        .method_not_allowed_fallback(|| async {
            error(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are supported".to_owned())
        })
        .with_state(Reader { shared, scrapes: Arc::default() })
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
    scrapes: Arc<Scrapes>,
}

/// Figures of scrapes, which only the server knows.
#[derive(Default)]
struct Scrapes {
    count: AtomicU64,
    /// Duration of the newest scrape, ns.
    last_ns: AtomicU64,
}

impl Reader {
    fn view(&self) -> Arc<NodeView> {
        Arc::clone(&self.shared.view.borrow())
    }

    /// The agent's status with the figures of scrapes.
    fn agent(&self, view: &NodeView) -> Arc<AgentStats> {
        let mut agent = Arc::clone(&self.shared.agent.borrow());
        let count = self.scrapes.count.load(Ordering::Relaxed);
        let last = Duration::from_nanos(self.scrapes.last_ns.load(Ordering::Relaxed));
        Arc::make_mut(&mut agent).scrape = ScrapeStats {
            count,
            last_seconds: (count > 0).then_some(last.as_secs_f64()),
            view_age_seconds: ready::age(view, monotonic_now()).map(|age| age.as_secs_f64()),
        };
        agent
    }
}

async fn scrape(State(reader): State<Reader>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let format = Format::from_accept(accept);
    let began = Instant::now();
    let view = reader.view();
    let options = *reader.shared.options.borrow();
    let body = metrics::encode(&view, &reader.agent(&view), &options, format);
    let took = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
    reader.scrapes.last_ns.store(took, Ordering::Relaxed);
    reader.scrapes.count.fetch_add(1, Ordering::Relaxed);
    ([(header::CONTENT_TYPE, format.content_type()), (header::VARY, "accept")], body).into_response()
}

async fn livez(State(reader): State<Reader>) -> Response {
    health(ready::alive(&reader.view(), monotonic_now()).map(|()| Vec::new()))
}

async fn readyz(State(reader): State<Reader>) -> Response {
    let agent = Arc::clone(&reader.shared.agent.borrow());
    health(ready::ready(&reader.view(), &agent, monotonic_now()).map(|()| ready::degraded(&agent)))
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
    let view = reader.view();
    let wanted = view.hints.iter().filter(|h| {
        shows(&filter.namespace, &h.subject.namespace)
            && shows(&filter.pod, &h.subject.name)
            && state.is_none_or(|s| s == h.state)
    });
    Json(wanted.collect::<Vec<_>>()).into_response()
}

async fn pods(State(reader): State<Reader>, filter: Result<Query<SubjectFilter>, QueryRejection>) -> Response {
    match filter {
        Ok(Query(filter)) => Json(responses::pods(&reader.view(), |s| filter.shows(s))).into_response(),
        Err(rejection) => bad_query(&rejection),
    }
}

async fn edges(State(reader): State<Reader>, filter: Result<Query<EdgeFilter>, QueryRejection>) -> Response {
    let Query(filter) = match filter {
        Ok(filter) => filter,
        Err(rejection) => return bad_query(&rejection),
    };
    let EdgeFilter { namespace, pod, by } = filter;
    let wanted = SubjectFilter { namespace, pod };
    let view = reader.view();
    match by.as_str() {
        "" => Json(responses::edges(&view, |s| wanted.shows(s))).into_response(),
        "peer_node" => Json(responses::peers(&view, |s| wanted.shows(s))).into_response(),
        other => error(StatusCode::BAD_REQUEST, format!("by must be peer_node, not {other:?}")),
    }
}

async fn node(State(reader): State<Reader>) -> Response {
    Json(responses::node(&reader.view())).into_response()
}

async fn info(State(reader): State<Reader>) -> Response {
    Json(reader.agent(&reader.view())).into_response()
}

fn bad_query(rejection: &QueryRejection) -> Response {
    error(StatusCode::BAD_REQUEST, rejection.body_text().replace('\n', " "))
}

fn error(status: StatusCode, message: String) -> Response {
    (status, Json(ApiError { error: message })).into_response()
}

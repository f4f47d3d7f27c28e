//! Paths of the page, without the token, and their answers: files, and the reports of the commands as JSON.

use super::{
    super::{
        Failure,
        fetch::{Connection, Session},
        model::{Target, is_namespace},
        reports,
    },
    files::{self, Asset},
    timeline::{Timeline, timeline},
};
use crate::text;
use axum::{
    Router,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{Mutex, Semaphore},
    time::{Instant, timeout},
};

/// Look-ups that run at the same time.
const LOOK_UPS: usize = 4;
/// Of [`Pages::patience`].
const PATIENCE: Duration = Duration::from_secs(20);
/// Agents replay their history for a timeline: several tabs share one for this long.
const TIMELINE: Duration = Duration::from_secs(10);
/// Views beside that of a target.
const VIEWS: [&str; 3] = ["hints", "map", "nodes"];
/// Longest timeline, hours.
const MAX_HOURS: u8 = 48;

/// The newest timeline: context, namespace and hours; when it was made; the answer.
type Newest = ((Option<String>, Option<String>, u8), Instant, Arc<Timeline>);

/// What the paths answer from.
#[derive(Clone)]
pub(super) struct Pages {
    sessions: Arc<[Session]>,
    look_ups: Arc<Semaphore>,
    /// Longest wait for the end of another look-up.
    patience: Duration,
    timeline: Arc<Mutex<Option<Newest>>>,
}

impl Pages {
    /// For these contexts, at least one.
    pub(super) fn new(sessions: &[Session]) -> Self {
        Self {
            sessions: sessions.into(),
            look_ups: Arc::new(Semaphore::new(LOOK_UPS)),
            patience: PATIENCE,
            timeline: Arc::default(),
        }
    }
}

/// What a look-up is about. An empty key: as the command's flags say.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Question {
    context: String,
    /// `*`: all.
    namespace: String,
    target: String,
    at: String,
    hours: String,
}

impl Question {
    /// The session that it is about.
    fn session(&self, pages: &Pages) -> Result<Session, Failure> {
        let is_wanted = |session: &&Session| match &session.context {
            Some(name) => self.context.is_empty() || *name == self.context,
            None => self.context.is_empty(),
        };
        let found = pages.sessions.iter().find(is_wanted);
        let session = found.ok_or_else(|| Failure::new(format!("no context {:?}", self.context), ""))?;
        let namespace = match self.namespace.as_str() {
            "" => session.namespace.clone(),
            "*" => None,
            name if is_namespace(name) => Some(name.to_owned()),
            // Without Kubernetes the place of a unit is the path of its cgroup.
            path if matches!(session.connection, Connection::Direct(_)) && is_path(path) => Some(path.to_owned()),
            name => return Err(Failure::new(format!("{name:?} is no name of a namespace"), "")),
        };
        let session = Session { namespace, ..session.clone() };
        match self.at.as_str() {
            "" => Ok(session),
            at => {
                at.parse().map(|at| session.about(at)).map_err(|_| Failure::new(format!("at {at:?}"), "write RFC 3339"))
            }
        }
    }

    fn target(&self) -> Result<Target, Failure> {
        self.target.parse().map_err(|why: String| Failure::new(format!("target {:?}", self.target), why))
    }

    fn hours(&self) -> Result<u8, Failure> {
        match self.hours.as_str() {
            "" => Ok(6),
            hours => hours.parse().ok().filter(|hours| (1..=MAX_HOURS).contains(hours)).ok_or_else(|| {
                Failure::new(format!("hours {hours:?}"), format!("write a whole number from 1 to {MAX_HOURS}"))
            }),
        }
    }
}

/// Characters that mean nothing in a query.
fn is_path(text: &str) -> bool {
    text.len() <= 512 && text.chars().all(|c| c.is_ascii_alphanumeric() || "-._@:/".contains(c))
}

/// The paths.
pub(super) fn router(pages: Pages) -> Router {
    Router::new()
        .route("/", get(|| async { files::find("index.html").map_or_else(nothing, file) }))
        .route("/assets/{name}", get(|Path(name): Path<String>| async move { named(&name) }))
        .route("/api/about", get(about))
        .route("/api/hints", get(hints))
        .route("/api/timeline", get(hours))
        .route("/api/map", get(map))
        .route("/api/matrix", get(matrix))
        .route("/api/nodes", get(nodes))
        .route("/api/why", get(why))
        .fallback(|| async { nothing() })
        .with_state(pages)
}

fn named(name: &str) -> Response {
    files::find(name).map_or_else(nothing, file)
}

fn file(asset: &'static Asset) -> Response {
    ([(header::CONTENT_TYPE, asset.kind)], asset.bytes).into_response()
}

fn nothing() -> Response {
    failed(StatusCode::NOT_FOUND, &Failure::new("no such path", ""))
}

/// JSON with hidden characters escaped.
fn body(json: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], json).into_response()
}

fn written(value: &impl Serialize) -> Result<String, Failure> {
    let json =
        serde_json::to_string(value).map_err(|error| Failure::new(format!("can't write the answer: {error}"), ""))?;
    Ok(text::json(&json).into_owned())
}

fn failed(status: StatusCode, failure: &Failure) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], json!(failure).to_string()).into_response()
}

fn wrong(failure: &Failure) -> Response {
    failed(StatusCode::BAD_REQUEST, failure)
}

type Asked = Result<Query<Question>, QueryRejection>;

/// Contexts, their namespaces, and the version.
async fn about(State(pages): State<Pages>) -> Response {
    let context = |session: &Session| json!({ "name": session.context, "namespace": session.namespace });
    let contexts: Vec<_> = pages.sessions.iter().map(context).collect();
    let agent = pages.sessions.first().and_then(|session| session.global.agent.clone());
    let about = json!({ "version": env!("CARGO_PKG_VERSION"), "contexts": contexts, "agent": agent, "views": VIEWS });
    body(text::json(&about.to_string()).into_owned())
}

/// Answers a look-up with a report. `detail`: what it needs of the question beside the session.
async fn look_up<D, R, Ask>(
    pages: &Pages,
    asked: Asked,
    detail: impl FnOnce(&Question) -> Result<D, Failure>,
    ask: Ask,
) -> Response
where
    R: Serialize,
    Ask: AsyncFnOnce(Session, D) -> Result<R, Failure>,
{
    let question = match asked {
        Ok(Query(question)) => question,
        Err(rejection) => return wrong(&Failure::new(rejection.body_text(), "")),
    };
    let (session, detail) = match question.session(pages).and_then(|session| Ok((session, detail(&question)?))) {
        Ok(read) => read,
        Err(failure) => return wrong(&failure),
    };
    let Ok(Ok(_turn)) = timeout(pages.patience, pages.look_ups.acquire()).await else {
        let failure = Failure::new("other look-ups run", "close other tabs of this page");
        return failed(StatusCode::SERVICE_UNAVAILABLE, &failure);
    };
    match ask(session, detail).await.and_then(|report| written(&report)) {
        Ok(json) => body(json),
        Err(failure) => failed(StatusCode::BAD_GATEWAY, &failure),
    }
}

/// Needs nothing but the session.
fn plain(_: &Question) -> Result<(), Failure> {
    Ok(())
}

async fn hints(State(pages): State<Pages>, asked: Asked) -> Response {
    look_up(&pages, asked, plain, async |session, ()| reports::hints(&session).await).await
}

async fn map(State(pages): State<Pages>, asked: Asked) -> Response {
    look_up(&pages, asked, plain, async |session, ()| reports::map(&session).await).await
}

async fn matrix(State(pages): State<Pages>, asked: Asked) -> Response {
    look_up(&pages, asked, plain, async |session, ()| reports::all_pairs(&session).await).await
}

async fn nodes(State(pages): State<Pages>, asked: Asked) -> Response {
    look_up(&pages, asked, plain, async |session, ()| reports::all_nodes(&session).await).await
}

async fn why(State(pages): State<Pages>, asked: Asked) -> Response {
    let ask = async |session: Session, target: Target| reports::why(&session, &target).await;
    look_up(&pages, asked, Question::target, ask).await
}

/// Hints of the last hours. One is made at a time, because each costs the agents a replay.
async fn hours(State(pages): State<Pages>, asked: Asked) -> Response {
    let newest = Arc::clone(&pages.timeline);
    let ask = async move |session: Session, hours: u8| {
        let key = (session.context.clone(), session.namespace.clone(), hours);
        let mut newest = newest.lock().await;
        if let Some((known, made, answer)) = newest.as_ref()
            && *known == key
            && made.elapsed() < TIMELINE
        {
            return Ok(Arc::clone(answer));
        }
        let answer = Arc::new(timeline(&session, hours, Timestamp::now()).await?);
        *newest = Some((key, Instant::now(), Arc::clone(&answer)));
        Ok(answer)
    };
    look_up(&pages, asked, Question::hours, ask).await
}

#[cfg(test)]
mod tests;

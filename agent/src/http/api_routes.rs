//! The paths of `/api/v1`. An answer is made from its view as it is written, row by row, once there is room for it.

use super::{answers::Each, reader::Reader, routes::error};
use crate::{
    api::{Hint, HintState},
    responses::{self, PeerRows, PodRows},
    state::SubjectId,
};
use axum::{
    Router,
    extract::{Query, State, rejection::QueryRejection},
    http::StatusCode,
    response::Response,
    routing::get,
};
use serde::Deserialize;
use serde_json::to_writer;
use std::{collections::BTreeSet, io, net::IpAddr, sync::Arc};

/// Most addresses with rows of their own: each adds at most one row per Node at the other end.
const MAX_SPLIT: usize = 16;

/// The routes of the API.
pub(super) fn api() -> Router<Reader> {
    Router::new()
        .route("/api/v1/hints", get(hints))
        .route("/api/v1/pods", get(pods))
        .route("/api/v1/edges", get(edges))
        .route("/api/v1/node", get(node))
        .route("/api/v1/info", get(info))
        .route("/api/v1/history", get(history))
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

impl HintFilter {
    /// Writes the hints that it lets through. `state`: the one that it names.
    fn write(&self, hints: &[Hint], state: Option<HintState>, out: &mut dyn io::Write) -> serde_json::Result<()> {
        let is_wanted = |hint: &&Hint| {
            shows(&self.namespace, &hint.subject.namespace)
                && shows(&self.pod, &hint.subject.name)
                && state.is_none_or(|state| state == hint.state)
        };
        let is_wanted = &is_wanted;
        to_writer(out, &Each(move || hints.iter().filter(is_wanted)))
    }
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
    if filter.from.is_empty() && filter.to.is_empty() {
        return match reader.view_at(&filter.at).await {
            Ok(view) => reader.answers.json(move |out| filter.write(&view.get().hints, state, out)).await,
            Err(response) => response,
        };
    }
    if !filter.at.is_empty() {
        return error(StatusCode::BAD_REQUEST, "at does not go with from and to: omit one of them".to_owned());
    }
    match reader.archive.hints((&filter.from, &filter.to), reader.memory_level()).await {
        Ok(found) => reader.answers.json(move |out| filter.write(found.get(), state, out)).await,
        Err(response) => response,
    }
}

async fn history(State(reader): State<Reader>, range: Result<Query<TimeRange>, QueryRejection>) -> Response {
    let Query(TimeRange { from, to }) = match range {
        Ok(range) => range,
        Err(rejection) => return bad_query(&rejection),
    };
    match reader.archive.history(&from, &to).await {
        Ok(found) => reader.answers.json(move |out| to_writer(out, found.get())).await,
        Err(response) => response,
    }
}

async fn pods(State(reader): State<Reader>, filter: Result<Query<SubjectFilter>, QueryRejection>) -> Response {
    let filter = match filter {
        Ok(Query(filter)) => filter,
        Err(rejection) => return bad_query(&rejection),
    };
    let view = match reader.view_at(&filter.at).await {
        Ok(view) => view,
        Err(response) => return response,
    };
    let agent = reader.shared.agent.clone();
    let write = move |out: &mut dyn io::Write| {
        let (view, agent) = (view.get(), Arc::clone(&agent.borrow()));
        let rows = PodRows::new(&view, &agent.probes);
        let shows = |subject: &SubjectId| filter.shows(subject);
        let (rows, shows) = (&rows, &shows);
        to_writer(out, &Each(move || rows.each(shows)))
    };
    reader.answers.json(write).await
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
    let is_by_node = match by.as_str() {
        "" => false,
        "peer_node" => true,
        other => return error(StatusCode::BAD_REQUEST, format!("by must be peer_node, not {other:?}")),
    };
    let wanted = SubjectFilter { namespace, pod, at: String::new() };
    let view = match reader.view_at(&at).await {
        Ok(view) => view,
        Err(response) => return response,
    };
    let write = move |out: &mut dyn io::Write| {
        let view = view.get();
        let shows = |subject: &SubjectId| wanted.shows(subject);
        let (view, shows) = (&*view, &shows);
        if is_by_node {
            let rows = PeerRows::new(view, &split, shows);
            let rows = &rows;
            return to_writer(out, &Each(move || rows.each()));
        }
        to_writer(out, &Each(move || responses::each_edge(view, shows)))
    };
    reader.answers.json(write).await
}

async fn node(State(reader): State<Reader>, moment: Result<Query<Moment>, QueryRejection>) -> Response {
    let Query(Moment { at }) = match moment {
        Ok(moment) => moment,
        Err(rejection) => return bad_query(&rejection),
    };
    match reader.view_at(&at).await {
        Ok(view) => reader.answers.json(move |out| to_writer(out, &responses::node(&view.get()))).await,
        Err(response) => response,
    }
}

async fn info(State(reader): State<Reader>) -> Response {
    let answers = Arc::clone(&reader.answers);
    answers.json(move |out| to_writer(out, &reader.agent(&reader.view()))).await
}

fn bad_query(rejection: &QueryRejection) -> Response {
    error(StatusCode::BAD_REQUEST, rejection.body_text().replace('\n', " "))
}

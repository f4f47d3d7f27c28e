//! One function per report: ask the agents, build the report.

mod changed;
mod compare;

pub(super) use changed::changed;
pub(super) use compare::diff;

use super::{
    Failure,
    fetch::{self, Connection, Session},
    model::{
        Target,
        diagnose::{Diagnosis, diagnose, suspects},
        hints::{HintFilter, Hints},
        map::{ServiceMap, service_map},
        matrix::{Matrix, matrix},
        nodes::{Nodes, nodes},
        settle::{needs_others, settle},
        status,
        why::{Explanation, explain},
    },
    terminal::now_ms,
};
use crate::{
    api::{Hint, PeerRow, PodInfo, PodRow},
    hints::{Family, RULES},
    pods::pod_info,
};
use jiff::Timestamp;
use std::sync::Arc;

fn hint_filter(session: &Session) -> HintFilter {
    HintFilter { namespace: session.namespace.clone(), since: session.global.since, now_ms: now_ms() }
}

/// The report of `why`.
///
/// # Errors
/// When the target is unknown, or no agent on its Nodes answers.
pub(super) async fn why(session: &Session, target: &Target) -> Result<Explanation, Failure> {
    let now_ms = moment_ms(session);
    let facts = fetch::why(session, target, now_ms).await?;
    let (hints, rows) = (facts.hints.clone(), facts.peer_rows.clone());
    let mut case = explain(facts, &all_namespaces(session, now_ms));
    // Today's facts say nothing about the past.
    if session.at.is_none() {
        compare::add_to_why(session, &mut case, &hints, &rows).await;
    }
    changed::add_to_why(session, &mut case).await;
    Ok(case)
}

/// The same without how the blamed Node differs, for which other agents would be asked.
///
/// # Errors
/// As [`why`].
pub(super) async fn verdict(session: &Session, target: &Target) -> Result<Explanation, Failure> {
    let now_ms = moment_ms(session);
    Ok(explain(fetch::why(session, target, now_ms).await?, &all_namespaces(session, now_ms)))
}

fn moment_ms(session: &Session) -> i64 {
    session.at.map_or_else(now_ms, Timestamp::as_millisecond)
}

/// Peers can be in another namespace than the target.
fn all_namespaces(session: &Session, now_ms: i64) -> HintFilter {
    HintFilter { namespace: None, now_ms, ..hint_filter(session) }
}

/// The report of `hints`.
///
/// # Errors
/// When no agent answers.
pub(super) async fn hints(session: &Session) -> Result<Hints, Failure> {
    let filter = hint_filter(session);
    let mut path = String::from("/api/v1/hints?");
    if session.global.since.is_none() {
        path.push_str("state=firing&");
    }
    if let Some(namespace) = &session.namespace {
        path.push_str(&format!("namespace={namespace}&"));
    }
    let answers = session.ask_all::<Vec<Hint>>(path.trim_end_matches(['?', '&'])).await?;
    let agents = answers.got.len();
    let mut all: Vec<Hint> = answers.got.into_iter().flat_map(|(_, hints)| hints).collect();
    // One agent can't decide these. One that does not answer now is in `answers.silent` already.
    let rows = rows_about(session, &all).await?;
    settle(&mut all, &rows);
    Ok(Hints::new(all, &filter, agents, answers.silent))
}

/// The rows of all agents, as far as they say more about hints. Some say more about each other without.
async fn rows_about(session: &Session, hints: &[Hint]) -> Result<Vec<PeerRow>, Failure> {
    if !hints.iter().any(needs_others) {
        return Ok(Vec::new());
    }
    let rows = fetch::witnesses(session, hints, |_| None).await?;
    Ok(rows.got.into_iter().flat_map(|(_, rows)| rows).collect())
}

/// The report of `nodes`, with how blamed Nodes differ.
///
/// # Errors
/// When no agent answers.
pub(super) async fn nodes_with_differences(session: &Session) -> Result<Nodes, Failure> {
    let mut report = all_nodes(session).await?;
    compare::add_to_nodes(session, &mut report).await;
    Ok(report)
}

/// The same without differences.
///
/// # Errors
/// When no agent answers.
pub(super) async fn all_nodes(session: &Session) -> Result<Nodes, Failure> {
    let answers = session.ask_all::<Vec<Hint>>("/api/v1/hints?state=firing").await?;
    let hints: Vec<Hint> = answers.got.into_iter().flat_map(|(_, hints)| hints).collect();
    // One that does not answer now is missing in `rows` too.
    let rows = fetch::witnesses(session, &hints, |_| None).await?;
    // The Node of an agent given by URL is known only from its rows.
    let name = |(node, rows): &(String, Vec<PeerRow>)| match (node.as_str(), rows.first()) {
        ("", Some(row)) => row.node.clone(),
        _ => node.clone(),
    };
    let names: Vec<String> = rows.got.iter().map(name).collect();
    let all: Vec<PeerRow> = rows.got.into_iter().flat_map(|(_, rows)| rows).collect();
    Ok(nodes(&all, &hints, &names, rows.silent))
}

/// The report of `matrix`.
///
/// # Errors
/// When no agent answers.
pub(super) async fn all_pairs(session: &Session) -> Result<Matrix, Failure> {
    let answers = session.ask_all::<Vec<PeerRow>>("/api/v1/edges?by=peer_node").await?;
    let agents = answers.got.len();
    let rows: Vec<PeerRow> = answers.got.into_iter().flat_map(|(_, rows)| rows).collect();
    Ok(matrix(&rows, agents, answers.silent))
}

/// The report of `map`.
///
/// # Errors
/// When no agent answers.
pub(super) async fn map(session: &Session) -> Result<ServiceMap, Failure> {
    let mut facts = fetch::map(session).await?;
    // One agent can't decide these. One that does not answer now is in `not_answered` already.
    let rows = rows_about(session, &facts.hints).await?;
    settle(&mut facts.hints, &rows);
    Ok(service_map(facts))
}

/// The report of `diagnose`.
///
/// # Errors
/// When the API server refuses the list of Pods, or the agent does not answer.
pub(super) async fn diagnosis(session: &Session) -> Result<Diagnosis, Failure> {
    let Connection::Cluster(client) = &session.connection else { return direct_diagnosis(session).await };
    let pods = fetch::pods(session, client).await?;
    let known: Vec<(String, Arc<PodInfo>)> = pods
        .iter()
        .filter_map(|pod| {
            let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).unwrap_or_default();
            Some((node, Arc::new(pod_info(pod)?)))
        })
        .collect();
    let hints = status::judge(&known, now_ms());
    let mut report = diagnose(&known, &hints, Vec::new());
    let suspects = suspects(&known, &report);
    compare::add_to_diagnosis(session, &mut report, &suspects).await;
    Ok(report)
}

/// The Pods of one agent.
async fn direct_diagnosis(session: &Session) -> Result<Diagnosis, Failure> {
    let rows = session.ask_all::<Vec<PodRow>>("/api/v1/pods").await?;
    let hints = session.ask_all::<Vec<Hint>>("/api/v1/hints?state=firing").await?;
    let in_namespace = |namespace: &str| session.namespace.as_ref().is_none_or(|wanted| wanted == namespace);
    let rows = rows.got.into_iter().flat_map(|(_, rows)| rows).filter(|row| in_namespace(&row.namespace));
    let pods: Vec<(String, Arc<PodInfo>)> = rows
        .map(|row| {
            // Without Kubernetes there is a name but no status.
            let nameless =
                || Arc::new(PodInfo { namespace: row.namespace.clone(), name: row.name.clone(), ..PodInfo::default() });
            (row.node.clone(), row.status.clone().unwrap_or_else(nameless))
        })
        .collect();
    let is_status = |hint: &Hint| RULES.iter().any(|rule| rule.id == hint.cause && rule.family == Family::Status);
    let hints: Vec<Hint> = hints.got.into_iter().flat_map(|(_, hints)| hints).filter(is_status).collect();
    Ok(diagnose(&pods, &hints, Vec::new()))
}

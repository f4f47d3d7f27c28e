//! Targets for fuzzing: the answers of agents and of a Prometheus, from their bytes to the reports on a terminal, and the
//! webhook of an Alertmanager.

use super::{
    cli::Format,
    fetch,
    model::{
        diagnose::diagnose,
        hints::{HintFilter, Hints},
        incidents::Incidents,
        map::{MapFacts, service_map},
        matrix::matrix,
        nodes::nodes,
        why::{Facts, TargetPod, explain},
    },
    render::{Paint, Report, View, change_line, write},
};
use crate::{
    api::{AgentStats, EdgeRow, Hint, PeerRow, PodInfo, PodRow},
    text::is_printable,
};
use std::sync::Arc;

/// The time of all reports, ms since 1970.
const NOW_MS: i64 = 1_767_225_612_000;
const VIEW: View = View { paint: Paint::PLAIN, wide: false, width: 100, now_ms: NOW_MS };

/// Reads bytes as each answer, and shows the reports of those that they are.
pub(crate) fn answers(data: &[u8]) {
    let _ = fetch::message(&String::from_utf8_lossy(data));
    if let Ok(list) = serde_json::from_slice::<Vec<Hint>>(data) {
        hints(&list);
    }
    if let Ok(rows) = serde_json::from_slice::<Vec<PeerRow>>(data) {
        let names: Vec<String> = rows.iter().map(|row| row.node.clone()).collect();
        show(|| nodes(&rows, &[], &names, Vec::new()));
        show(|| matrix(&rows, names.len(), Vec::new()));
    }
    if let Ok(edges) = serde_json::from_slice::<Vec<EdgeRow>>(data) {
        show(|| explain(Facts { edges: edges.clone(), callee_edges: edges.clone(), ..target(&[]) }, &filter()));
        show(|| service_map(MapFacts { edges: edges.clone(), ..MapFacts::default() }));
    }
    if let Ok(rows) = serde_json::from_slice::<Vec<PodRow>>(data) {
        pods(&rows);
    }
    if let Some(firings) = fetch::firings(data) {
        show(|| Incidents::group(firings.clone(), Default::default()));
    }
    if let Ok(agent) = serde_json::from_slice::<AgentStats>(data) {
        show(|| explain(Facts { agents: vec![agent.clone()], ..target(&[]) }, &filter()));
    }
}

/// Reads bytes as the body of Alertmanager's webhook.
pub(crate) fn webhook(data: &[u8]) {
    super::respond::fuzz::webhook(data);
}

fn filter() -> HintFilter {
    HintFilter { namespace: None, since: None, now_ms: NOW_MS }
}

/// A question about these Pods.
fn target(rows: &[PodRow]) -> Facts {
    let pod = |row: &PodRow| TargetPod {
        namespace: row.namespace.clone(),
        name: row.name.clone(),
        node: row.node.clone(),
        info: row.status.clone(),
        row: Some(row.clone()),
    };
    let pods = rows.iter().map(pod).collect();
    Facts { kind: "Pod".into(), namespace: "shop".into(), name: "payment-1".into(), pods, ..Facts::default() }
}

fn hints(list: &[Hint]) {
    show(|| Hints::new(list.iter().cloned(), &filter(), 1, Vec::new()));
    show(|| nodes(&[], list, &["node-a".to_owned()], Vec::new()));
    show(|| explain(Facts { hints: list.to_vec(), ..target(&[]) }, &filter()));
    show(|| service_map(MapFacts { hints: list.to_vec(), ..MapFacts::default() }));
    for hint in list {
        assert!(is_printable(&change_line(hint, &VIEW)), "a line of `hints -w`: {hint:?}");
    }
}

fn pods(rows: &[PodRow]) {
    show(|| explain(Facts { callees: rows.to_vec(), ..target(rows) }, &filter()));
    let status = |row: &PodRow| row.status.clone().unwrap_or_else(|| Arc::new(PodInfo::default()));
    let pods: Vec<(String, Arc<PodInfo>)> = rows.iter().map(|row| (row.node.clone(), status(row))).collect();
    show(|| diagnose(&pods, &super::model::status::judge(&pods, NOW_MS), Vec::new()));
}

/// Writes a report in every format; a reader sees every character of it.
fn show<R: Report>(make: impl Fn() -> R) {
    for format in [Format::Table, Format::Wide, Format::Json, Format::Yaml, Format::Mermaid] {
        let text = write(&[(None, make())], format, &VIEW).expect("every report can be written");
        assert!(is_printable(&text), "{format:?} has hidden characters:\n{text:?}");
    }
    if R::HTML {
        let page = write(&[(None, make())], Format::Html, &VIEW).expect("every page can be written");
        assert!(is_printable(&page), "the page has hidden characters:\n{page:?}");
    }
}

#[cfg(test)]
mod tests;

//! Answers about the past.

use super::*;
use crate::{
    api::{History, MemoryLevel, PodRow},
    history::testing::{Recorded, recorded},
    http::past::Archive,
    responses,
};

async fn server(recorded: &Recorded) -> Server {
    Server::start_recorded(Limits::default(), Protection::default(), Some(recorded.past.clone())).await
}

fn stamp(unix_ms: u64) -> String {
    jiff::Timestamp::from_millisecond(i64::try_from(unix_ms).unwrap()).unwrap().to_string()
}

#[tokio::test]
async fn paths_answer_as_they_would_have_then() {
    let recorded = recorded(3, 30);
    let server = server(&recorded).await;
    let view = &recorded.views[25];
    let at = stamp(view.unix_ms);
    let rows: Vec<PodRow> = serde_json::from_value(server.json(&format!("/api/v1/pods?at={at}")).await).unwrap();
    let names = |rows: &[PodRow]| rows.iter().map(|row| (row.namespace.clone(), row.name.clone())).collect::<Vec<_>>();
    assert_eq!(names(&rows), names(&responses::pods(view, &[], |_| true)));
    assert_eq!(rows.len(), 3);
    let one = &rows[0];
    let filtered = server.json(&format!("/api/v1/pods?at={at}&namespace={}&pod={}", one.namespace, one.name)).await;
    assert_eq!(filtered.as_array().unwrap().len(), 1);
    let edges = server.json(&format!("/api/v1/edges?at={at}")).await;
    assert_eq!(edges.as_array().unwrap().len(), responses::edges(view, |_| true).len());
    let peers = server.json(&format!("/api/v1/edges?at={at}&by=peer_node")).await;
    assert!(!peers.as_array().unwrap().is_empty());
    assert!(server.json(&format!("/api/v1/node?at={at}")).await["node"].is_string());
    let hints = server.json(&format!("/api/v1/hints?at={at}")).await;
    assert_eq!(hints.as_array().unwrap().len(), view.hints.len());
    let now = server.json("/api/v1/pods").await;
    assert_eq!(now[0]["name"], "payment-1", "without a time it is now");
    server.stop().await;
}

#[tokio::test]
async fn nothing_else_is_replayed_before_an_answer_is_encoded() {
    let recorded = recorded(1, 5);
    let archive = Archive::new(Some(recorded.past.clone()));
    let [first, last] = [0, 4].map(|tick| stamp(recorded.views[tick].unix_ms));
    let Ok(found) = archive.view(&last, MemoryLevel::Ok).await else { panic!("it is recorded") };
    let second = archive.hints((&first, &last), MemoryLevel::Ok);
    let early = tokio::time::timeout(Duration::from_millis(300), second).await;
    assert!(early.is_err(), "two answers would wait for room");
    assert_eq!(found.get().unix_ms, recorded.views[4].unix_ms);
    drop(found);
    assert!(archive.hints((&first, &last), MemoryLevel::Ok).await.is_ok());
}

#[tokio::test]
async fn times_without_a_record_are_gone_with_the_reason() {
    let recorded = recorded(1, 5);
    let server = server(&recorded).await;
    let (first, last) = (recorded.views[0].unix_ms, recorded.views[4].unix_ms);
    for (at, why) in [(first - 60_000, "older than the history"), (last + 3_600_000, "not recorded")] {
        let answer = server.get(&format!("/api/v1/pods?at={}", stamp(at))).await;
        assert_eq!(answer.status, 410);
        assert!(answer.error().contains(why), "{}", answer.body);
    }
    let path = format!("/api/v1/history?from={}&to={}", stamp(first - 60_000), stamp(last));
    let history: History = serde_json::from_value(server.json(&path).await).unwrap();
    assert_eq!((history.spans.len(), history.gaps.len()), (1, 1));
    assert!(history.gaps[0].why.contains("older"));
    server.stop().await;
    let none = Server::start().await;
    let answer = none.get(&format!("/api/v1/hints?from={}&to={}", stamp(first), stamp(last))).await;
    assert_eq!(answer.status, 410);
    assert!(answer.error().contains("records no history"));
}

#[tokio::test]
async fn wrong_times_are_refused_by_name() {
    let recorded = recorded(1, 2);
    let server = server(&recorded).await;
    for (path, what) in [
        ("/api/v1/pods?at=noon", "at must be a time"),
        ("/api/v1/hints?from=2026-01-01T00:00:00Z", "to must be a time"),
        ("/api/v1/hints?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "from must not be after to"),
        ("/api/v1/hints?at=2026-01-01T00:00:00Z&to=2026-01-01T00:00:00Z", "at does not go with from and to"),
        ("/api/v1/history?from=2026-01-01T00:00:00Z", "missing field `to`"),
        ("/api/v1/node?when=1", "unknown field `when`"),
    ] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 400, "{path}");
        assert!(answer.error().contains(what), "{path}: {}", answer.body);
    }
}

#[tokio::test]
async fn nothing_is_replayed_near_the_memory_limit() {
    let recorded = recorded(1, 3);
    let server = server(&recorded).await;
    server.agent.send_modify(|agent| Arc::make_mut(agent).memory.level = MemoryLevel::Near);
    let answer = server.get(&format!("/api/v1/pods?at={}", stamp(recorded.views[2].unix_ms))).await;
    assert_eq!(answer.status, 503);
    assert!(answer.error().contains("memory limit"));
}

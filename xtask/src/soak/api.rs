//! An API server whose objects come and go, and which fails in turns.

use super::world::{Kind, NODE, NODES, PODS};
use anyhow::{Context as _, Result};
use netwhy_tests::faulty::{Asked, End, FaultyServer, Reply};
use serde_json::json;
use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

/// Length of each turn.
const TURN: Duration = Duration::from_secs(8);
/// Length of each watch. The agent takes one of less than 5 s for a failed one and waits ever longer before the next: it
/// would ask some six times in two minutes, perhaps in healthy turns alone. At 6 s, some watch ends in each turn.
const WATCH: Duration = Duration::from_secs(6);
/// A watch from further back than this is told to list again.
const HISTORY: u64 = 200;

/// The server's behaviour in a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// Healthy.
    Well,
    /// Watches end in the midst of a change.
    Cuts,
    /// Every request is refused with 500.
    Refuses,
    /// Requests are taken and not answered.
    Silent,
    /// Every watch is told that its resource version is too old.
    Forgets,
    /// Watches end without an end of the connection.
    HalfCloses,
}

/// Every second turn is healthy.
const TURNS: [Turn; 10] = [
    Turn::Well,
    Turn::Cuts,
    Turn::Well,
    Turn::Refuses,
    Turn::Well,
    Turn::Forgets,
    Turn::Well,
    Turn::Silent,
    Turn::Well,
    Turn::HalfCloses,
];

/// Starts it and writes a kubeconfig that leads to it.
pub(super) fn start(begun: Instant, kubeconfig: &Path) -> Result<FaultyServer> {
    let server = FaultyServer::start(move |asked| answer(asked, begun.elapsed())).context("start the API server")?;
    fs::write(kubeconfig, server.kubeconfig()).with_context(|| format!("write {}", kubeconfig.display()))?;
    Ok(server)
}

fn answer(asked: &Asked, now: Duration) -> Reply {
    let turn = TURNS[(now.as_nanos() / TURN.as_nanos()) as usize % TURNS.len()];
    match turn {
        Turn::Refuses => return Reply::refusal(500, "InternalError", "the soak test refuses everything for a while"),
        Turn::Silent => return Reply::none(),
        _ => {}
    }
    match asked.path.strip_prefix("/api/v1/") {
        Some("pods") => objects(&PODS, asked, now, turn),
        Some("nodes") => objects(&NODES, asked, now, turn),
        Some("events") => Reply::ok(r#"{"kind":"EventList","apiVersion":"v1","metadata":{},"items":[]}"#),
        Some(path) => path
            .strip_prefix("nodes/")
            .and_then(|name| NODES.named(name, NODES.step_at(now)))
            .map_or_else(not_found, |node| Reply::ok(node.to_string())),
        None => not_found(),
    }
}

fn not_found() -> Reply {
    Reply::refusal(404, "NotFound", &format!("the soak test has Pods of {NODE} and Nodes"))
}

fn objects(kind: &Kind, asked: &Asked, now: Duration, turn: Turn) -> Reply {
    let step = kind.step_at(now);
    if !asked.is_watch() {
        return Reply::ok(kind.list(step));
    }
    let since: u64 = asked.parameter("resourceVersion").and_then(|text| text.parse().ok()).unwrap_or(step);
    if turn == Turn::Forgets || step.saturating_sub(since) > HISTORY {
        return Reply::watch(&[gone()], End::Proper);
    }
    let mut at = now;
    let end = now + WATCH;
    let mut parts = Vec::new();
    for next in since + 1.. {
        let due = kind.time_of(next).max(at);
        if due > end {
            break;
        }
        parts.push((due - at, kind.changes(next).into_bytes()));
        at = due;
    }
    let bookmark = json!({"type": "BOOKMARK", "object": {
        "kind": kind.name, "apiVersion": "v1", "metadata": {"resourceVersion": kind.step_at(end).max(since).to_string()},
    }});
    parts.push((end - at, format!("{bookmark}\n").into_bytes()));
    let end = match turn {
        Turn::Cuts => End::Cut,
        Turn::HalfCloses => End::HalfClosed,
        _ => End::Proper,
    };
    Reply { parts, end, ..Reply::ok("") }
}

/// The line of a watch whose resource version is too old.
fn gone() -> String {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "too old resource version", "reason": "Expired", "code": 410,
    });
    json!({"type": "ERROR", "object": status}).to_string()
}

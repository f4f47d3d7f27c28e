//! What fills up, by the agents' flight recorders: replays of some moments of the recorded time.

use super::{
    super::{
        Failure,
        model::{
            forecast::{FIGURES, Figure, Filling, Forecast, Line, MIN_SAMPLES, Measured, Summary, moments},
            health::Fact,
        },
    },
    agent::Agent,
    session::{Connection, Session},
};
use crate::api::{History, NodeRow, SignalRow};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// Moments that an agent replays. Each costs it a look at a minute or more of its record. The first one may be in a
/// segment that goes meanwhile.
const MOMENTS: usize = MIN_SAMPLES as usize + 2;
/// Most agents that are asked: all of them replay.
const MAX_AGENTS: usize = 50;
/// A line says little about a time that is more than so many times as long.
const MAX_AHEAD: u64 = 24;
/// Unit of TCP's memory in the kernel.
const PAGES: &str = "pages";
/// The signal that tells how long they are on that Node, bytes. Records of older agents lack it.
const PAGE: &str = "tcp_memory_page";
/// Length of a page where none is told, bytes: the only one of x86, and the usual one of ARM.
const USUAL_PAGE: u64 = 4096;

/// One agent's values: seconds, use and limit, per figure.
struct Recorded {
    node: String,
    points: Vec<Vec<(f64, f64, f64)>>,
    /// Whether pages were taken to have the usual length.
    guesses_page: bool,
}

/// All figures that flight recorders have, from lines through at most the last `range` before `now`.
///
/// # Errors
/// When no agent answers, none has a record, or there are so many that a Prometheus should be asked.
pub async fn recorded_figures(
    session: &Session,
    now: Timestamp,
    range: Duration,
    within: Duration,
) -> Result<Forecast, Failure> {
    let remedy = "pass --prometheus URL";
    if matches!(session.connection, Connection::Cluster(_)) {
        let agents = session.agent_nodes().await?.len();
        if agents > MAX_AGENTS {
            return Err(Failure::new(format!("{agents} agents are too many to replay their record"), remedy));
        }
    }
    let from = now.saturating_sub(SignedDuration::try_from(range).unwrap_or(SignedDuration::MAX));
    let from = from.unwrap_or(Timestamp::UNIX_EPOCH);
    let answers = session.ask_each(move |agent| replay(agent, (from, now))).await?;
    let mut out = Forecast {
        at: now.to_string(),
        within_seconds: within.as_secs(),
        source: "flight recorders".to_owned(),
        not_answered: answers.silent,
        ..Forecast::default()
    };
    let all: Vec<Recorded> = answers.got.into_iter().map(|(_, recorded)| recorded).collect();
    out.unknown.extend(guessed_pages(&all));
    for (index, figure) in FIGURES.iter().enumerate() {
        if figure.signals.is_none() {
            out.unknown.push(Fact::new(figure.name, format!("not in the flight recorders: {remedy}")));
            continue;
        }
        let mut summary = Summary { resource: figure.name.to_owned(), ..Summary::default() };
        for Recorded { node, points, .. } in &all {
            let Some(points) = points.get(index).filter(|points| !points.is_empty()) else { continue };
            out.range_seconds = out.range_seconds.max(length(points));
            summary.known += 1;
            summary.take(figure, node, points);
            let measured = measured(node, points);
            if let Some(item) = measured.and_then(|one| Filling::of(figure, &one, now, within)) {
                summary.filling += 1;
                out.items.push(item);
            }
        }
        out.figures.push(summary);
    }
    if out.range_seconds.saturating_mul(MAX_AHEAD) < out.within_seconds {
        let what = format!("{} s are recorded, too short a time to look so far ahead: {remedy}", out.range_seconds);
        out.unknown.push(Fact::new("trend", what));
    }
    Ok(out)
}

async fn replay(agent: Agent, (from, to): (Timestamp, Timestamp)) -> Result<Recorded, Failure> {
    let history: History = agent.client.get(&format!("/api/v1/history?from={from}&to={to}")).await?;
    let mut out = Recorded { node: history.node.clone(), points: vec![Vec::new(); FIGURES.len()], guesses_page: false };
    let mut failed = None;
    for moment in moments(&history.spans, (from, to), MOMENTS) {
        let answer: Result<NodeRow, Failure> = agent.client.clone().at(Some(moment)).get("/api/v1/node").await;
        agent.client.keep_only(0);
        let row = match answer {
            Ok(row) => row,
            Err(failure) => {
                failed = Some(failure);
                continue;
            }
        };
        out.guesses_page |= guesses_page(&row);
        let at = moment.as_millisecond() as f64 / 1e3;
        for (points, figure) in out.points.iter_mut().zip(&FIGURES) {
            points.extend(point(figure, &row).map(|(used, limit)| (at, used, limit)));
        }
    }
    match failed {
        Some(failure) if out.points.iter().all(Vec::is_empty) => Err(failure),
        _ => Ok(out),
    }
}

/// Use and limit of a figure at that moment.
fn point(figure: &Figure, row: &NodeRow) -> Option<(f64, f64)> {
    let [used, limit] = figure.signals?.map(|name| {
        let signal = signal(row, name)?;
        let unit = if signal.unit == PAGES { page(row).unwrap_or(USUAL_PAGE) } else { 1 };
        Some(signal.value? as f64 * unit as f64)
    });
    used.zip(limit)
}

/// A signal of the Node as a whole.
fn signal<'a>(row: &'a NodeRow, name: &str) -> Option<&'a SignalRow> {
    row.signals.iter().find(|signal| signal.signal == name && signal.on.is_none())
}

/// Length of the Node's pages, bytes. `None`: not recorded.
fn page(row: &NodeRow) -> Option<u64> {
    signal(row, PAGE)?.value.filter(|bytes| *bytes > 0)
}

fn guesses_page(row: &NodeRow) -> bool {
    page(row).is_none() && row.signals.iter().any(|signal| signal.unit == PAGES)
}

/// States what was guessed. `None`: nothing.
fn guessed_pages(all: &[Recorded]) -> Option<Fact> {
    let nodes: Vec<&str> = all.iter().filter(|one| one.guesses_page).map(|one| one.node.as_str()).collect();
    let what = format!("not recorded on {}: TCP memory is counted in pages of {USUAL_PAGE} bytes", nodes.join(", "));
    (!nodes.is_empty()).then(|| Fact::new("page size", what))
}

fn length(points: &[(f64, f64, f64)]) -> u64 {
    points.first().zip(points.last()).map_or(0, |(first, last)| (last.0 - first.0).max(0.0) as u64)
}

fn measured(node: &str, points: &[(f64, f64, f64)]) -> Option<Measured> {
    let (end, _, limit) = *points.last()?;
    let used: Vec<(f64, f64)> = points.iter().map(|(at, used, _)| (*at, *used)).collect();
    Some(Measured { which: String::new(), node: node.to_owned(), line: Line::through(&used, end)?, limit })
}

impl Summary {
    /// Takes in the newest value of a Node.
    fn take(&mut self, figure: &Figure, node: &str, points: &[(f64, f64, f64)]) {
        let newest = points.last().filter(|(_, _, limit)| *limit >= figure.from_limit as f64);
        let Some(share) = newest.map(|(_, used, limit)| used / limit) else { return };
        if self.fullest_share.is_none_or(|known| share > known) {
            (self.fullest, self.fullest_share) = (Some(node.to_owned()), Some(share));
        }
    }
}

#[cfg(test)]
mod tests;

//! `replay`: join, hints and metrics over a recording. Deterministic.

use crate::{
    api::{AgentStats, HintState},
    config::{Config, cli::ReplayFormat},
    metrics::{Format, MetricsOptions, encode},
    peers::{Peer, PeerKind, PeerTable},
    pipeline::Pipeline,
    sample::{Header, Recording, RecordingError, SampleSource as _},
    state::NodeView,
    text::Text,
};
use netwhy_abi::PeerClass;
use std::{
    collections::HashMap,
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
    sync::Arc,
    time::Duration,
};

/// Result of a replay.
pub struct Replayed {
    /// The last view.
    pub view: Arc<NodeView>,
    /// Every change of a hint's state: time since the start of the recording, and the hint.
    pub changes: Vec<(Duration, crate::api::Hint)>,
    /// Number of snapshots.
    pub snapshots: usize,
}

/// Opens a recording and reads its header.
///
/// # Errors
/// [`RecordingError`].
pub fn open(file: &Path) -> Result<Recording<BufReader<File>>, RecordingError> {
    let name = file.display().to_string();
    let input = File::open(file).map_err(|error| RecordingError::Io { file: name.clone(), error })?;
    Recording::read(BufReader::new(input), &name)
}

/// Replays a whole recording.
///
/// # Errors
/// [`RecordingError`]: unreadable, damaged, or cut off.
pub fn replay<R: BufRead>(mut recording: Recording<R>, config: &Config) -> anyhow::Result<Replayed> {
    let mut pipeline = Pipeline::new(&recording.header.node, config);
    pipeline.set_peers(Arc::new(peers(&recording.header)));
    pipeline.set_drop_reasons(Arc::new(recording.header.drop_reasons.clone()));
    let mut out = Replayed { view: Arc::default(), changes: Vec::new(), snapshots: 0 };
    let mut begin = None;
    while let Some(snapshot) = recording.sample()? {
        let view = pipeline.take(&snapshot);
        let since = view.at.saturating_sub(*begin.get_or_insert(view.at));
        let before: HashMap<&str, HintState> = out.view.hints.iter().map(|h| (h.id.as_str(), h.state)).collect();
        let changed = view.hints.iter().filter(|hint| before.get(hint.id.as_str()) != Some(&hint.state));
        out.changes.extend(changed.map(|hint| (since, hint.clone())));
        out.view = Arc::new(view);
        out.snapshots += 1;
    }
    Ok(out)
}

/// The peer table of the recording.
pub(crate) fn peers(header: &Header) -> PeerTable {
    let node = |addr, bits| {
        header.nodes.iter().find(|(a, b, _)| (*a, *b) == (addr, bits)).map(|(.., name)| name.as_str().into())
    };
    PeerTable::new(header.prefixes.iter().map(|(addr, bits, class)| {
        let (class, node) = (PeerClass::from_index(*class), node(*addr, *bits));
        let kind = if node.is_some() { PeerKind::Pod } else { PeerKind::Range };
        (*addr, *bits, Peer { kind, node, ..Peer::range(class) })
    }))
}

/// The result in one format.
///
/// # Errors
/// When it can't be written as JSON.
pub fn render(replayed: &Replayed, format: ReplayFormat) -> anyhow::Result<Text> {
    match format {
        ReplayFormat::Table => Ok(table(replayed)),
        ReplayFormat::Json => {
            let changes: Vec<_> = (replayed.changes.iter())
                .map(|(at, hint)| serde_json::json!({ "seconds": at.as_secs_f64(), "hint": hint }))
                .collect();
            let json = serde_json::json!({
                "snapshots": replayed.snapshots,
                "changes": changes,
                "pods": crate::responses::pods(&replayed.view, &[], |_| true),
                "edges": crate::responses::edges(&replayed.view, |_| true),
            });
            Ok(Text::json(&format!("{}\n", serde_json::to_string_pretty(&json)?)))
        }
        ReplayFormat::Metrics => {
            // The agent's own status belongs to a process, not to a recording.
            let stats = Arc::new(AgentStats::default());
            let bytes = encode(&replayed.view, &stats, &MetricsOptions::default(), Format::OpenMetrics);
            Ok(Text::lines(&String::from_utf8_lossy(&bytes)))
        }
    }
}

fn table(replayed: &Replayed) -> Text {
    let mut out = Text::default();
    let mut line = |text: String| {
        out.push(&text);
        out.end_line();
    };
    line(format!("{} snapshots, {} subjects", replayed.snapshots, replayed.view.subjects.len()));
    if replayed.changes.is_empty() {
        line("no hints".to_owned());
    }
    for (at, hint) in &replayed.changes {
        let state = match hint.state {
            HintState::Firing => "firing",
            HintState::Resolved => "resolved",
        };
        line(format!(
            "{:>7.1} s  {state:<8}  {:<24} {}/{}  confidence {:.2}",
            at.as_secs_f64(),
            hint.cause,
            hint.subject.namespace,
            hint.subject.name,
            hint.confidence,
        ));
        line(format!("           {}", hint.summary));
    }
    out
}

#[cfg(test)]
mod tests;

//! The past: the same pipeline over recorded frames, and the hints as the agent published them.
//!
//! A replay begins at least [`WARM_UP`] before the wanted moment, at the first frame of a segment, which has everything.
//! That frame is the base: what it counts was before. Hints are not judged anew: a replay of some minutes has not
//! learned what the agent had.

use super::{
    block::Block,
    coverage::{Coverage, coverage},
    decoder::{Decoder, Hints, take_hints},
    reading::Frames,
    ring::{self, Name, Segment},
};
use crate::{
    api::{Gap, Hint, HintState, History, Span},
    config::Config,
    pipeline::Pipeline,
    state::NodeView,
};
use std::{collections::BTreeMap, io, path::PathBuf, sync::Arc, time::Duration};

/// Shortest time that a replay begins before the wanted moment, unless the history begins later.
const WARM_UP: Duration = Duration::from_secs(60);
/// Windows that a replay begins before the wanted moment.
const WARM_WINDOWS: u32 = 2;
/// Frames that may be missing one after the other without a gap.
const MISSING: u32 = 3;
/// Shortest distance of frames that is a gap.
const SHORTEST_GAP: Duration = Duration::from_secs(15);
/// Most hints of one answer.
const MAX_HINTS: usize = 4096;

/// Why there is no answer about the past.
#[derive(Debug, thiserror::Error)]
pub enum PastError {
    /// Nothing is recorded of that time.
    #[error("{0}")]
    NotRecorded(String),
    /// The folder can't be read.
    #[error("can't read the history: {0}")]
    Unreadable(#[from] std::io::Error),
    /// The time for an answer is over.
    #[error("the replay took too long: try again, or ask for another moment")]
    TooLong,
    /// There are more hints than an answer may have.
    #[error("more than {MAX_HINTS} hints: ask for a shorter time")]
    TooMany,
}

/// The reading side of a folder.
#[derive(Clone, Debug)]
pub struct Past {
    /// Folder of the segments.
    pub folder: PathBuf,
    /// Time between two frames.
    pub every: Duration,
    /// This Node.
    pub node: String,
    /// Configuration of the pipeline.
    pub config: Arc<Config>,
}

impl Past {
    /// The record between two times, wall clock, ms.
    ///
    /// # Errors
    /// When the folder can't be read.
    pub fn history(&self, from_ms: u64, to_ms: u64) -> Result<History, PastError> {
        let mut segments = self.segments()?;
        segments.retain(|Segment { name, .. }| {
            let is_asked_for = name.start_ms <= to_ms && name.end_ms.is_none_or(|end| end >= from_ms);
            !is_asked_for || self.is_whole(*name)
        });
        let Coverage { spans, gaps } = coverage(&segments, (from_ms, to_ms), self.gap_ms());
        let span = |(from, to): (u64, u64)| Span { from: stamp(from), to: stamp(to) };
        let gap = |((from, to), why): ((u64, u64), &str)| Gap { from: stamp(from), to: stamp(to), why: why.to_owned() };
        let (spans, gaps) = (spans.into_iter().map(span).collect(), gaps.into_iter().map(gap).collect());
        Ok(History { node: self.node.clone(), spans, gaps })
    }

    /// The view of the newest frame that is not after `at_ms`, wall clock. `is_over`: whether the time is over.
    ///
    /// # Errors
    /// [`PastError`].
    pub fn view(&self, at_ms: u64, is_over: impl Fn() -> bool) -> Result<NodeView, PastError> {
        let segments = self.segments()?;
        let missing = |why: &str| PastError::NotRecorded(format!("no record of {}: {why}", stamp(at_ms)));
        let gap =
            || coverage(&segments, (at_ms, at_ms), self.gap_ms()).gaps.first().map_or("not recorded", |gap| gap.1);
        let newest =
            segments.iter().rposition(|segment| segment.name.start_ms <= at_ms).ok_or_else(|| missing(gap()))?;
        let name = segments[newest].name;
        if at_ms.saturating_sub(name.end_ms.unwrap_or(name.start_ms)) > self.gap_ms() {
            return Err(missing(gap()));
        }
        let warm_up = WARM_UP.max(self.config.sampling.window_seconds() * WARM_WINDOWS).as_millis() as u64;
        let is_before = |before: &Segment| before.name.run == name.run && before.name.number + 1 == name.number;
        let is_early = at_ms - name.start_ms < warm_up;
        let first = match newest.checked_sub(1) {
            Some(before) if is_early && is_before(&segments[before]) => before,
            _ => newest,
        };
        let mut replay = Replay::new(&self.node, &self.config);
        let mut damage = None;
        for segment in &segments[first..=newest] {
            match self.replay(segment, at_ms, &mut replay, &is_over) {
                Ok(()) => {}
                Err(ReplayError::TooLong) => return Err(PastError::TooLong),
                Err(ReplayError::Damage(what)) => damage = Some(what),
            }
        }
        let why = damage
            .map_or_else(|| "its segment has no whole frame".to_owned(), |what| format!("its segment is lost: {what}"));
        let view = replay.view.ok_or_else(|| missing(&why))?;
        // The frames of the moment itself may be those that are damaged.
        if at_ms.saturating_sub(view.unix_ms) > self.gap_ms() {
            return Err(missing(&why));
        }
        Ok(view)
    }

    /// Hints that fired between two times, wall clock, ms; each as it stood last in that time.
    ///
    /// # Errors
    /// [`PastError`].
    pub fn hints(&self, from_ms: u64, to_ms: u64, is_over: impl Fn() -> bool) -> Result<Vec<Hint>, PastError> {
        let segments = self.segments()?;
        let first = segments.iter().rposition(|segment| segment.name.start_ms <= from_ms).unwrap_or(0);
        let mut found: BTreeMap<(String, String), Hint> = BTreeMap::new();
        for segment in segments[first.min(segments.len())..].iter().filter(|segment| segment.name.start_ms <= to_ms) {
            // `history` says the loss.
            let Ok(mut frames) = Frames::open(&self.folder, segment.name) else { continue };
            let mut hints = Hints::default();
            while let Some(block) = frames.next().filter(|block| block.unix_ms <= to_ms) {
                if is_over() {
                    return Err(PastError::TooLong);
                }
                let Ok(text) = block.text() else { break };
                if take_hints(&text, &mut hints).is_err() {
                    break;
                }
                // Those of the newest frame before the time fire on into it.
                if block.unix_ms.saturating_add(self.gap_ms()) >= from_ms {
                    found.extend(
                        hints.0.values().map(|hint| ((hint.id.clone(), hint.first_seen.clone()), hint.clone())),
                    );
                }
                if found.len() > MAX_HINTS {
                    return Err(PastError::TooMany);
                }
            }
        }
        let ended_before = |hint: &Hint| {
            let seen = hint.last_seen.parse::<jiff::Timestamp>().map_or(i64::MAX, jiff::Timestamp::as_millisecond);
            hint.state == HintState::Resolved && u64::try_from(seen).unwrap_or(0) < from_ms
        };
        Ok(found.into_values().filter(|hint| !ended_before(hint)).collect())
    }

    /// All segments, oldest first; the one that is being written ends with its newest whole frame.
    fn segments(&self) -> Result<Vec<Segment>, PastError> {
        let mut segments = ring::segments(&self.folder)?;
        for Segment { name, .. } in segments.iter_mut().filter(|segment| segment.name.end_ms.is_none()) {
            let end = ring::last_frame(&self.folder, *name).ok().flatten();
            name.end_ms = end;
        }
        segments.retain(|segment| segment.name.end_ms.is_some());
        Ok(segments)
    }

    /// Whether a segment has all its frames. Of one that is being written, the whole frames are known.
    fn is_whole(&self, name: Name) -> bool {
        match ring::last_frame(&self.folder, name) {
            Ok(last) => last == name.end_ms,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
    }

    fn gap_ms(&self) -> u64 {
        (self.every * MISSING).max(SHORTEST_GAP).as_millis() as u64
    }

    fn replay(
        &self,
        segment: &Segment,
        at_ms: u64,
        replay: &mut Replay,
        is_over: &impl Fn() -> bool,
    ) -> Result<(), ReplayError> {
        let mut frames = Frames::open(&self.folder, segment.name)?;
        let mut decoder = Decoder::new(&frames.header)?;
        replay.pipeline.set_drop_reasons(std::mem::take(&mut frames.header.drop_reasons).into());
        while let Some(block) = frames.next().filter(|block| block.unix_ms <= at_ms) {
            if is_over() {
                return Err(ReplayError::TooLong);
            }
            replay.take(&block, &mut decoder)?;
        }
        Ok(())
    }
}

enum ReplayError {
    TooLong,
    Damage(String),
}

impl From<super::codec::Damage> for ReplayError {
    fn from(damage: super::codec::Damage) -> Self {
        Self::Damage(damage.to_string())
    }
}

/// The pipeline over frames.
struct Replay {
    pipeline: Pipeline,
    /// Of the newest frame. `None`: there is none yet.
    view: Option<NodeView>,
}

impl Replay {
    fn new(node: &str, config: &Config) -> Self {
        Self { pipeline: Pipeline::new(node, config), view: None }
    }

    fn take(&mut self, block: &Block, decoder: &mut Decoder) -> Result<(), super::codec::Damage> {
        let frame = decoder.frame(&block.text()?)?;
        let Self { pipeline, view } = self;
        if let Some(peers) = frame.peers {
            pipeline.set_peers(peers);
        }
        if let Some(pods) = frame.pods {
            pipeline.set_pods(pods, frame.snapshot.at);
        }
        if let Some(translations) = frame.translations {
            pipeline.set_translations(translations);
        }
        let mut next = match view {
            None => pipeline.begin(&frame.snapshot),
            Some(_) => pipeline.take(&frame.snapshot),
        };
        next.hints = decoder.hints();
        *view = Some(next);
        Ok(())
    }
}

/// RFC 3339, in seconds.
fn stamp(unix_ms: u64) -> String {
    let seconds = i64::try_from(unix_ms / 1000).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    seconds.map_or_else(|| unix_ms.to_string(), |time| time.to_string())
}

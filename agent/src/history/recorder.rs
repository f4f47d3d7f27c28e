//! The recorder: frames from the tick, and the thread that writes them.
//!
//! ```text
//! tick ─► Recorder ─ frames, at most 2 ─► Writer (a thread of its own) ─► Ring
//! ```
//! A disk that is slow, full or gone costs frames, which are counted. It never delays the tick.

use super::{
    block::block,
    encoder::{Encoder, Names},
    frame::Header,
    ring::Ring,
};
use crate::{
    api::{Hint, HistoryStats},
    sample::Snapshot,
    tasks::Stopped,
};
use std::{
    io,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    time::{Duration, Instant},
};

/// Longest segment. A look at the past replays at most one and a part.
const SEGMENT: Duration = Duration::from_secs(600);
/// Share of the folder that one segment may take.
const SEGMENT_SHARE: u64 = 16;
/// A frame may come early by a part in so many of the time between two.
const EARLY: u32 = 20;
/// Frames that wait for the disk.
const WAITING: usize = 2;
/// Wait after a failure of the disk.
const RETRY: Duration = Duration::from_secs(30);
/// Longest wait before the thread checks whether it must stop.
const STOP_CHECK: Duration = Duration::from_millis(100);

/// Settings of the recorder.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Folder of the segments.
    pub folder: PathBuf,
    /// Most bytes of all segments.
    pub max_bytes: u64,
    /// Time between two frames.
    pub every: Duration,
    /// Wall clock of the agent's start, ms.
    pub run: u64,
}

/// A frame on its way to the disk.
struct Message {
    /// Of the first frame of a segment.
    header: Option<Vec<u8>>,
    unix_ms: u64,
    frame: Vec<u8>,
}

/// State that both sides share.
#[derive(Default)]
struct Shared {
    stats: Mutex<HistoryStats>,
    /// The next frame must begin a segment: a frame was lost, or the segment is long enough.
    wants_segment: AtomicBool,
    /// The disk failed a moment ago: frames are of no use.
    pauses: AtomicBool,
}

impl Shared {
    fn stats(&self, change: impl FnOnce(&mut HistoryStats)) -> HistoryStats {
        let mut stats = self.stats.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut stats);
        stats.clone()
    }
}

/// The tick's side.
pub struct Recorder {
    encoder: Encoder,
    header: Header,
    every: Duration,
    sender: SyncSender<Message>,
    shared: Arc<Shared>,
    /// When the next frame is due, monotonic. `None`: with the next snapshot.
    due: Option<Duration>,
    /// When the segment began, monotonic. `None`: none is open.
    begun: Option<Duration>,
    /// Time and wall clock of the newest snapshot.
    newest: Option<(Duration, u64)>,
}

/// The disk's side.
pub struct Writer {
    settings: Settings,
    receiver: Receiver<Message>,
    shared: Arc<Shared>,
    ring: Option<Ring>,
    retry: Option<Instant>,
    /// The failure that was logged.
    failure: Option<String>,
}

/// Both sides of a recorder.
pub fn recorder(settings: Settings, node: &str, drop_reasons: Vec<String>) -> (Recorder, Writer) {
    let (sender, receiver) = sync_channel(WAITING);
    let shared = Arc::new(Shared::default());
    shared.stats(|stats| stats.max_bytes = settings.max_bytes);
    let every_ms = u64::try_from(settings.every.as_millis()).unwrap_or(u64::MAX);
    let recorder = Recorder {
        encoder: Encoder::default(),
        header: Header::new(node, every_ms, drop_reasons),
        every: settings.every,
        sender,
        shared: shared.clone(),
        due: None,
        begun: None,
        newest: None,
    };
    (recorder, Writer { settings, receiver, shared, ring: None, retry: None, failure: None })
}

impl Recorder {
    /// Takes a tick: the snapshot, what it is named by, and the hints about it.
    pub fn take(&mut self, snapshot: &Snapshot, names: &Names, hints: &[Hint]) {
        if self.encoder.must_write_before(snapshot) {
            // The hints are newer by a tick: their times are their own.
            self.write(names, hints);
        }
        self.encoder.take(snapshot);
        self.newest = Some((snapshot.at, snapshot.unix_ms));
        // A tick may come a little early.
        if self.due.is_none_or(|due| snapshot.at + self.every / EARLY >= due) {
            self.write(names, hints);
            // Frames keep their distance where a tick is late, and none is made up for.
            let on_time = self.due.filter(|due| snapshot.at.saturating_sub(*due) < self.every);
            self.due = Some(on_time.unwrap_or(snapshot.at) + self.every);
        }
    }

    /// Status of now.
    pub fn stats(&self) -> HistoryStats {
        self.shared.stats(|_| {})
    }

    fn write(&mut self, names: &Names, hints: &[Hint]) {
        let Some((at, unix_ms)) = self.newest else { return };
        if self.shared.pauses.load(Ordering::Relaxed) {
            self.begun = None;
            self.shared.stats(|stats| stats.lost_frames += 1);
            return;
        }
        let is_wanted = self.shared.wants_segment.swap(false, Ordering::Relaxed);
        let is_long = self.begun.is_none_or(|begun| at.saturating_sub(begun) >= SEGMENT);
        let header = (is_wanted || is_long).then(|| {
            self.encoder.restart();
            self.begun = Some(at);
            serde_json::to_vec(&self.header).unwrap_or_default()
        });
        let frame = self.encoder.frame(names, hints);
        if self.sender.try_send(Message { header, unix_ms, frame }).is_err() {
            // The next frames are changes of this one.
            self.begun = None;
            self.shared.stats(|stats| stats.lost_frames += 1);
        }
    }
}

impl Writer {
    /// Writes until stopped, or until the recorder is gone.
    ///
    /// # Errors
    /// Never: a disk that fails costs frames.
    pub fn run(mut self, stopped: &Stopped) -> anyhow::Result<()> {
        while !stopped.is_stopped() {
            self.write_waiting();
            match self.receiver.recv_timeout(STOP_CHECK) {
                Ok(message) => self.take(&message),
                Err(RecvTimeoutError::Timeout) => {}
                // The tick ended, and with it the process: this task must not be the first.
                Err(RecvTimeoutError::Disconnected) => std::thread::sleep(STOP_CHECK),
            }
        }
        self.write_waiting();
        if let Some(ring) = &mut self.ring
            && let Err(error) = ring.finish()
        {
            tracing::warn!(%error, "the newest segment of the history is not on the disk");
        }
        Ok(())
    }

    /// Writes the frames that wait; opens the folder first, and after a failure again when it is time.
    pub(super) fn write_waiting(&mut self) {
        if self.ring.is_none() && self.retry.is_none() {
            self.open();
        }
        self.try_again();
        while let Ok(message) = self.receiver.try_recv() {
            self.take(&message);
        }
    }

    fn open(&mut self) {
        let Settings { folder, max_bytes, run, .. } = &self.settings;
        match Ring::open(folder, *max_bytes, *run) {
            Ok(ring) => {
                if self.failure.take().is_some() {
                    tracing::info!(folder = %folder.display(), "the history is recorded again");
                }
                let (lost, oldest_ms) = (ring.lost, ring.oldest_ms());
                tracing::info!(folder = %folder.display(), segments = ring.len(), lost, "recording the history");
                self.shared.stats(|stats| {
                    (stats.bytes, stats.segments) = (ring.bytes(), ring.len() as u64);
                    (stats.oldest_unix_ms, stats.broken) = (oldest_ms, None);
                    stats.lost_segments += lost;
                });
                self.ring = Some(ring);
                self.shared.wants_segment.store(true, Ordering::Relaxed);
                self.shared.pauses.store(false, Ordering::Relaxed);
            }
            Err(error) => self.fail(&error),
        }
    }

    fn try_again(&mut self) {
        if self.retry.is_some_and(|at| Instant::now() >= at) {
            self.retry = None;
            match self.ring {
                None => self.open(),
                Some(_) => {
                    self.shared.wants_segment.store(true, Ordering::Relaxed);
                    self.shared.pauses.store(false, Ordering::Relaxed);
                }
            }
        }
    }

    fn take(&mut self, message: &Message) {
        let began = Instant::now();
        match self.write(message) {
            Ok(None) => {
                self.shared.stats(|stats| stats.lost_frames += 1);
            }
            Ok(Some(written)) => {
                if self.failure.take().is_some() {
                    tracing::info!("the history is recorded again");
                }
                let Some(ring) = &self.ring else { return };
                if ring.open_bytes() >= self.settings.max_bytes / SEGMENT_SHARE {
                    self.shared.wants_segment.store(true, Ordering::Relaxed);
                }
                self.shared.stats(|stats| {
                    stats.frames += 1;
                    stats.written_bytes += written;
                    stats.seconds += began.elapsed().as_secs_f64();
                    (stats.bytes, stats.segments) = (ring.bytes(), ring.len() as u64);
                    (stats.oldest_unix_ms, stats.broken) = (ring.oldest_ms(), None);
                });
            }
            Err(error) => {
                self.shared.stats(|stats| stats.lost_frames += 1);
                self.fail(&error);
            }
        }
    }

    /// Writes a frame. Returns the bytes. `None`: its segment is lost.
    fn write(&mut self, message: &Message) -> io::Result<Option<u64>> {
        let Message { header, unix_ms, frame } = message;
        let Some(ring) = &mut self.ring else { return Ok(None) };
        let mut written = 0;
        if let Some(header) = header {
            let header = block(*unix_ms, header)?;
            ring.begin(*unix_ms, &header)?;
            written += header.len() as u64;
        } else if ring.open_bytes() == 0 {
            return Ok(None);
        }
        let frame = block(*unix_ms, frame)?;
        ring.append(*unix_ms, &frame)?;
        Ok(Some(written + frame.len() as u64))
    }

    /// Logs a failure once, and pauses.
    fn fail(&mut self, error: &io::Error) {
        let why = format!("{}: {error}", self.settings.folder.display());
        if self.failure.as_ref() != Some(&why) {
            tracing::warn!(why, "the history is not recorded: make room there, or choose another history.folder");
            self.failure = Some(why.clone());
        }
        self.shared.stats(|stats| stats.broken = Some(why));
        self.shared.pauses.store(true, Ordering::Relaxed);
        self.retry = Some(Instant::now() + RETRY);
    }
}

#[cfg(test)]
mod tests;

//! Folders and recorded agents for tests.

use super::{
    Past,
    tests::{Agent, load::Node},
};
use crate::{api::HistoryStats, state::NodeView};
use std::{
    ops::Deref,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

static NUMBER: AtomicU64 = AtomicU64::new(0);

/// A folder of its own that ends with the test.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("netwhy-{name}-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Deref for Folder {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Snapshots of an agent, and its answers published with each tick.
pub(crate) struct Recorded {
    pub(crate) past: Past,
    pub(crate) views: Vec<NodeView>,
    _folder: Folder,
}

/// The record of an agent on a made-up Node with so many Pods, a frame a tick.
pub(crate) fn recorded(pods: usize, ticks: usize) -> Recorded {
    let (folder, every) = (Folder::new("recorded"), Duration::from_secs(1));
    let mut node = Node::new(pods);
    let mut agent = Agent::new(&folder, every, node.names());
    let views = (0..ticks).map(|_| agent.tick(&node.tick())).collect();
    let past = Past { folder: folder.to_path_buf(), every, node: "node-a".into(), config: Arc::default() };
    Recorded { past, views, _folder: folder }
}

/// A recorder's status in which no figure is zero.
pub(crate) fn stats() -> HistoryStats {
    HistoryStats {
        broken: None,
        bytes: 40_000_000,
        max_bytes: 64 << 20,
        segments: 17,
        oldest_unix_ms: Some(1_767_218_400_000),
        frames: 1_440,
        written_bytes: 9_000_000,
        seconds: 2.5,
        lost_frames: 3,
        lost_segments: 1,
    }
}

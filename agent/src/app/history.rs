//! The flight recorder: its thread, and what reads the past.

use super::Source;
use crate::{
    clock::unix_ms,
    config::Config,
    history::{Past, Recorder, Settings, recorder},
    tasks::{Stopped, Tasks},
};
use std::sync::Arc;

/// Starts the flight recorder. `None`: no folder is configured.
pub(super) fn start(
    config: &Arc<Config>,
    node: &str,
    source: &Source,
    tasks: &mut Tasks,
    stopped: &Stopped,
) -> Option<(Recorder, Past)> {
    let folder = config.history.folder()?.to_owned();
    let every = config.history.frame_seconds();
    let settings =
        Settings { folder: folder.clone(), max_bytes: config.history.max_mib() << 20, every, run: unix_ms() };
    let (recorder, writer) = recorder(settings, node, source.loaded().drop_reasons.clone());
    let stopped = stopped.clone();
    tasks.spawn_blocking("history", move || writer.run(&stopped));
    Some((recorder, Past { folder, every, node: node.to_owned(), config: config.clone() }))
}

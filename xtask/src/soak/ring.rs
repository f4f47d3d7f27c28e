//! The folder of the agent's flight recorder, and whether it keeps to its bound.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

#[cfg(test)]
mod tests;

/// The smallest bound that the agent takes, so that the ring turns soonest.
const MAX_MIB: u64 = 8;
/// Looks at the folder before it is too large. While a segment goes for a new one, a look may see both.
const LOOKS: usize = 3;

/// The folder; removed when dropped.
pub(super) struct Ring {
    folder: PathBuf,
    peak: u64,
}

impl Ring {
    /// A folder in `parent` that the agent makes. Not on a tmpfs: the agent would be charged for it.
    pub(super) fn new(parent: &Path) -> Self {
        Self { folder: parent.join("history"), peak: 0 }
    }

    /// The section of the agent's configuration: ten times as many frames as by default, so that the ring turns.
    pub(super) fn config(&self) -> String {
        // A string of JSON is one of YAML too.
        let folder = Value::from(self.folder.to_string_lossy().into_owned());
        format!("history:\n  folder: {folder}\n  max_mib: {MAX_MIB}\n  frame_seconds: 1\n")
    }

    /// An error when the files are larger than their bound.
    pub(super) fn check(&mut self) -> Result<()> {
        let mut bytes = self.bytes()?;
        for _ in 1..LOOKS {
            if bytes > MAX_MIB << 20 {
                bytes = bytes.min(self.bytes()?);
            }
        }
        self.peak = self.peak.max(bytes);
        ensure!(bytes <= MAX_MIB << 20, "the history takes {bytes} bytes, with history.max_mib: {MAX_MIB}");
        Ok(())
    }

    /// The largest size that was seen, in words.
    pub(super) fn shown(&self) -> String {
        format!("{:.1} of {MAX_MIB} MiB", self.peak as f64 / 1_048_576.0)
    }

    /// Size of all files. One that is renamed meanwhile counts once, one that goes not at all.
    fn bytes(&self) -> Result<u64> {
        let entries = fs::read_dir(&self.folder).with_context(|| format!("list {}", self.folder.display()))?;
        let files = entries.flatten().filter_map(|entry| entry.metadata().ok());
        let sizes: BTreeMap<u64, u64> = files.map(|file| (file.ino(), file.len())).collect();
        Ok(sizes.values().sum())
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // The agent may not have made it.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

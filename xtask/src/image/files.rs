//! The image's root file system: the programs and their licences, nothing else.

use crate::artifact::archive::{self, Entry};
use anyhow::{Context as _, Result, ensure};
use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

/// Where the agent is.
pub(super) const PROGRAM: &str = "usr/local/bin/netwhy-agent";
/// Where the plugin is, which answers alerts (`respond`).
pub(super) const PLUGIN: &str = "usr/local/bin/kubectl-netwhy";

/// All entries, every directory before what is in it. `programs`: their paths and contents.
pub(super) fn entries(workspace: &Path, programs: Vec<(&str, Vec<u8>)>) -> Result<Vec<Entry>> {
    let entry = |(path, content): (&str, _)| Entry { path: path.to_owned(), mode: 0o555, content: Some(content) };
    let mut files: Vec<Entry> = programs.into_iter().map(entry).collect();
    for (name, text) in archive::licences(workspace)? {
        files.push(Entry { path: format!("usr/share/doc/netwhy/{name}"), mode: 0o444, content: Some(text) });
    }
    Ok(archive::with_folders(files))
}

/// Writes the entries into an empty or absent folder.
pub(super) fn write_to(dir: &Path, entries: &[Entry]) -> Result<()> {
    let begun = || {
        fs::create_dir_all(dir)?;
        fs::read_dir(dir).map(|mut entries| entries.next().is_none())
    };
    let empty = begun().with_context(|| format!("make {}", dir.display()))?;
    ensure!(empty, "{} is not empty: name another folder", dir.display());
    for entry in entries {
        let path = dir.join(&entry.path);
        let write = || {
            match &entry.content {
                None => fs::create_dir(&path)?,
                Some(bytes) => fs::write(&path, bytes)?,
            }
            fs::set_permissions(&path, fs::Permissions::from_mode(entry.mode))
        };
        write().with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;

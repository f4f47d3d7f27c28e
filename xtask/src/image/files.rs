//! The image's root file system: the program and its licences, nothing else.

use anyhow::{Context as _, Result, ensure};
use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

/// Where the program is.
pub(super) const PROGRAM: &str = "usr/local/bin/netwhy-agent";
/// Files that stand beside it.
const LICENCES: [&str; 2] = ["LICENSE-APACHE", "LICENSE-MIT"];

/// A file or directory, owned by root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Path without the first `/`.
    pub(super) path: String,
    /// Permissions.
    pub(super) mode: u32,
    /// Content. `None`: a directory.
    pub(super) content: Option<Vec<u8>>,
}

/// All entries, every directory before what is in it.
pub(super) fn entries(workspace: &Path, program: Vec<u8>) -> Result<Vec<Entry>> {
    let mut files = vec![Entry { path: PROGRAM.to_owned(), mode: 0o555, content: Some(program) }];
    for name in LICENCES {
        let file = workspace.join(name);
        let text = fs::read(&file).with_context(|| format!("read {}", file.display()))?;
        files.push(Entry { path: format!("usr/share/doc/netwhy/{name}"), mode: 0o444, content: Some(text) });
    }
    let mut entries: Vec<Entry> = Vec::new();
    for file in files {
        for (at, _) in file.path.match_indices('/') {
            let path = &file.path[..at];
            if entries.iter().all(|entry| entry.path != path) {
                entries.push(Entry { path: path.to_owned(), mode: 0o755, content: None });
            }
        }
        entries.push(file);
    }
    Ok(entries)
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

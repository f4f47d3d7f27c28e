//! Archives whose bytes are a function of their input alone.

use anyhow::{Context as _, Result};
use flate2::{Compression, GzBuilder};
use sha2::{Digest as _, Sha256};
use std::{fs, io::Write as _, path::Path};

/// The licences' files.
const LICENCES: [&str; 2] = ["LICENSE-APACHE", "LICENSE-MIT"];

/// A file or directory, owned by root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Path without the first `/`.
    pub(crate) path: String,
    /// Permissions.
    pub(crate) mode: u32,
    /// Content. `None`: a directory.
    pub(crate) content: Option<Vec<u8>>,
}

/// Adds the folders of files, every folder before what is in it.
pub(crate) fn with_folders(files: Vec<Entry>) -> Vec<Entry> {
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
    entries
}

/// Packs entries into a tar file, all with this time, s since 1970.
pub(crate) fn pack(entries: &[Entry], seconds: u64) -> Result<Vec<u8>> {
    let mut tar = Tar::new(seconds);
    for entry in entries {
        match &entry.content {
            None => tar.directory(&entry.path, entry.mode)?,
            Some(bytes) => tar.file(&entry.path, entry.mode, bytes)?,
        }
    }
    tar.finish()
}

/// Compresses. The header names neither a file nor a time nor, as zlib's would, the system.
pub(crate) fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut gzip = GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::best());
    gzip.write_all(bytes).and_then(|()| gzip.finish()).context("compress an archive")
}

/// SHA-256 in hex.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Names and texts of the licences.
pub(crate) fn licences(workspace: &Path) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let read = |name| {
        let file = workspace.join(name);
        Ok((name, fs::read(&file).with_context(|| format!("read {}", file.display()))?))
    };
    LICENCES.into_iter().map(read).collect()
}

/// A tar file whose entries are root's and of one time.
pub(crate) struct Tar {
    builder: tar::Builder<Vec<u8>>,
    seconds: u64,
}

impl Tar {
    pub(crate) fn new(seconds: u64) -> Self {
        Self { builder: tar::Builder::new(Vec::new()), seconds }
    }

    pub(crate) fn directory(&mut self, path: &str, mode: u32) -> Result<()> {
        self.entry(&format!("{path}/"), tar::EntryType::Directory, mode, &[])
    }

    pub(crate) fn file(&mut self, path: &str, mode: u32, bytes: &[u8]) -> Result<()> {
        self.entry(path, tar::EntryType::Regular, mode, bytes)
    }

    fn entry(&mut self, path: &str, kind: tar::EntryType, mode: u32, bytes: &[u8]) -> Result<()> {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(self.seconds);
        header.set_size(bytes.len() as u64);
        self.builder.append_data(&mut header, path, bytes).with_context(|| format!("pack {path}"))
    }

    pub(crate) fn finish(self) -> Result<Vec<u8>> {
        self.builder.into_inner().context("end the archive")
    }
}

#[cfg(test)]
mod tests;

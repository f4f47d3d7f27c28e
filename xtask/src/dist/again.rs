//! The second build: the same files again, from nothing.

use super::File;
use crate::sh;
use anyhow::{Context as _, Result, ensure};
use std::{fs, io::ErrorKind, path::Path};

/// Builds the files again below an empty folder, and compares.
pub(super) fn verify(folder: &Path, files: &[File], build: impl FnOnce(&Path) -> Result<Vec<File>>) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("empty {}", folder.display()));
        }
        _ => {}
    }
    sh::say("building all of it a second time, from nothing");
    let again = build(folder)?;
    let different = different(files, &again);
    ensure!(
        different.is_empty(),
        "a second build gave other bytes of {}; the second program files are in {}",
        different.join(", "),
        folder.display()
    );
    sh::say(&format!("a second build gave the same bytes of all {} files", files.len()));
    fs::remove_dir_all(folder).with_context(|| format!("remove {}", folder.display()))
}

/// Names of the files that are not the same in both, or are missing in one.
fn different<'a>(one: &'a [File], other: &'a [File]) -> Vec<&'a str> {
    let lacks = |all: &[File], file: &File| !all.contains(file);
    let mut names: Vec<&str> = one
        .iter()
        .filter(|file| lacks(other, file))
        .chain(other.iter().filter(|file| lacks(one, file)))
        .map(|file| file.name.as_str())
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests;

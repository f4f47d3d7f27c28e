//! The archive of a program, and the list of its crates.

use super::{File, platform};
use crate::artifact::{
    self, Made,
    archive::{self, Entry},
    program::{Build, Program},
    source::Origin,
};
use anyhow::Result;
use std::path::Path;

/// The programs of a release.
pub(super) const ALL: [Program; 2] = [Program::Agent, Program::Plugin];

/// kubectl runs it for `kubectl netwhy <TAB>`. A script, because krew unpacks no links.
const COMPLETION: (&str, &str) = ("kubectl_complete-netwhy", "#!/bin/sh\nexec kubectl-netwhy __complete \"$@\"\n");

/// Builds a program and packs it.
pub(super) fn files(program: Program, build: &Build<'_>, origin: &Origin) -> Result<[File; 2]> {
    let Made { bytes, sbom } = artifact::make(program, build, origin)?;
    let stem = format!("{}_{}_{}", program.name(), env!("CARGO_PKG_VERSION"), platform());
    let bytes = packed(program, bytes, build.workspace, origin.seconds)?;
    Ok([
        File { name: format!("{stem}.tar.gz"), bytes },
        File { name: format!("{stem}.cdx.json"), bytes: sbom.into_bytes() },
    ])
}

/// The program, what belongs to it, and the licences.
fn packed(program: Program, bytes: Vec<u8>, workspace: &Path, seconds: u64) -> Result<Vec<u8>> {
    let file = |path: &str, mode, bytes| Entry { path: path.to_owned(), mode, content: Some(bytes) };
    let mut entries = vec![file(program.name(), 0o755, bytes)];
    if program == Program::Plugin {
        let (name, text) = COMPLETION;
        entries.push(file(name, 0o755, text.into()));
    }
    entries.extend(archive::licences(workspace)?.into_iter().map(|(name, text)| file(name, 0o644, text)));
    archive::gzip(&archive::pack(&entries, seconds)?)
}

#[cfg(test)]
mod tests;

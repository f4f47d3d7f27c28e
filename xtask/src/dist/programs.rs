//! The archive of a program, and the list of its crates.

use super::{File, named};
use crate::artifact::{
    self, Made,
    archive::{self, Entry},
    program::{Build, Program},
    source::Origin,
    target::Arch,
};
use anyhow::{Context as _, Result};
use std::{fs, path::Path};

/// kubectl runs it for `kubectl netwhy <TAB>`. A script, because krew unpacks no links.
pub(super) const COMPLETION: (&str, &str) =
    ("kubectl_complete-netwhy", "#!/bin/sh\nexec kubectl-netwhy __complete \"$@\"\n");

/// Files of `docs/` in the agent's archive: for machines without Kubernetes.
const BESIDE_AGENT: [&str; 2] = ["netwhy.service", "netwhy.example.yaml"];

/// A program of a release.
pub(super) struct Packed {
    /// The program itself.
    pub(super) program: Vec<u8>,
    pub(super) archive: File,
    /// The list of its crates.
    pub(super) sbom: File,
}

/// Names of a program's archive and of the list of its crates.
pub(super) fn names(program: Program, arch: Arch) -> [String; 2] {
    let stem = named(program.name(), &[arch]);
    [format!("{stem}.tar.gz"), format!("{stem}.cdx.json")]
}

/// Builds a program and packs it.
pub(super) fn files(program: Program, build: &Build<'_>, origin: &Origin) -> Result<Packed> {
    let Made { bytes, sbom } = artifact::make(program, build, origin)?;
    let [archive_name, sbom_name] = names(program, build.target.arch);
    let archive = packed(program, bytes.clone(), build.workspace, origin.seconds)?;
    Ok(Packed {
        program: bytes,
        archive: File { name: archive_name, bytes: archive },
        sbom: File { name: sbom_name, bytes: sbom.into_bytes() },
    })
}

/// The program, what belongs to it, and the licences.
fn packed(program: Program, bytes: Vec<u8>, workspace: &Path, seconds: u64) -> Result<Vec<u8>> {
    let file = |path: &str, mode, bytes| Entry { path: path.to_owned(), mode, content: Some(bytes) };
    let mut entries = vec![file(program.name(), 0o755, bytes)];
    match program {
        Program::Plugin => entries.push(file(COMPLETION.0, 0o755, COMPLETION.1.into())),
        Program::Agent => {
            for name in BESIDE_AGENT {
                let path = workspace.join("docs").join(name);
                let text = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
                entries.push(file(name, 0o644, text));
            }
        }
    }
    entries.extend(archive::licences(workspace)?.into_iter().map(|(name, text)| file(name, 0o644, text)));
    archive::gzip(&archive::pack(&entries, seconds)?)
}

#[cfg(test)]
mod tests;

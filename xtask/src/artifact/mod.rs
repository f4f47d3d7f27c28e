//! What people get: programs, the lists of their crates, and archives. `image` and `dist` are made of them.
//!
//! ```text
//! target        architectures and their names, and the tools that build for one
//! program       builds netwhy-agent or kubectl-netwhy, linked statically
//! dependencies  the crates in it ─→ sbom   as a CycloneDX document
//!                                └→ audit  inside the program
//! source        revision and time of the sources
//! archive       tar files and checksums
//! ```

pub(crate) mod archive;
mod audit;
mod dependencies;
pub(crate) mod program;
mod sbom;
pub(crate) mod source;
pub(crate) mod target;

use anyhow::{Context as _, Result, ensure};
use dependencies::Dependencies;
use program::{Build, Program};
use source::Origin;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A program that was built.
pub(crate) struct Made {
    /// Its file, with the list of its crates inside.
    pub(crate) bytes: Vec<u8>,
    /// The same list as CycloneDX.
    pub(crate) sbom: String,
}

/// Builds a program.
pub(crate) fn make(program: Program, build: &Build<'_>, origin: &Origin) -> Result<Made> {
    let built = build.run(program)?;
    let crates = Dependencies::of(program, build.workspace, &build.target.name)?;
    let folder = copies(build.folder, std::process::id());
    let bytes = with_list(&built, &folder, &crates, &build.tools.objcopy);
    // Also after an error.
    let removed = fs::remove_dir_all(&folder).with_context(|| format!("remove {}", folder.display()));
    let bytes = bytes?;
    removed?;
    checked(&bytes, build).with_context(|| format!("use {}", built.display()))?;
    Ok(Made { bytes, sbom: sbom::cyclonedx(&crates, &origin.created()?) })
}

/// Builds a program without the list of its crates. Returns its path.
pub(crate) fn build(program: Program, build: &Build<'_>) -> Result<PathBuf> {
    let built = build.run(program)?;
    let bytes = fs::read(&built).with_context(|| format!("read {}", built.display()))?;
    checked(&bytes, build).with_context(|| format!("use {}", built.display()))?;
    Ok(built)
}

/// Refuses what is not linked statically, or is for another architecture.
fn checked(bytes: &[u8], build: &Build<'_>) -> Result<()> {
    let arch = program::check(bytes)?;
    ensure!(arch == build.target.arch, "it is for {}, not for {}", arch.oci, build.target.arch.oci);
    Ok(())
}

/// Folder for copies of programs: one for each run, because `image` and `dist` may run at once.
fn copies(folder: &Path, process: u32) -> PathBuf {
    folder.join(format!("xtask/programs-{process}"))
}

/// A program with the list of its crates inside: in a copy, so that the next build finds its own file as it left it.
fn with_list(built: &Path, folder: &Path, crates: &Dependencies, objcopy: &str) -> Result<Vec<u8>> {
    let copy = folder.join(built.file_name().context("the program has no name")?);
    fs::create_dir_all(folder)
        .and_then(|()| fs::copy(built, &copy))
        .with_context(|| format!("copy {} to {}", built.display(), copy.display()))?;
    audit::embed(&copy, crates, objcopy)?;
    fs::read(&copy).with_context(|| format!("read {}", copy.display()))
}

#[cfg(test)]
mod tests;

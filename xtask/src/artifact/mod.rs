//! What people get: programs, the lists of their crates, and archives. `image` and `dist` are made of them.
//!
//! ```text
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

use anyhow::{Context as _, Result};
use dependencies::Dependencies;
use program::{Build, Program};
use source::Origin;
use std::fs;

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
    let crates = Dependencies::of(program, build.workspace, build.target)?;
    // In a copy: the next build finds its own file as it left it.
    let folder = build.folder.join("xtask/programs");
    let copy = folder.join(program.name());
    fs::create_dir_all(&folder)
        .and_then(|()| fs::copy(&built, &copy))
        .with_context(|| format!("copy {} to {}", built.display(), copy.display()))?;
    audit::embed(&copy, &crates)?;
    let bytes = fs::read(&copy).with_context(|| format!("read {}", copy.display()))?;
    program::check(&bytes).with_context(|| format!("use {}", copy.display()))?;
    Ok(Made { bytes, sbom: sbom::cyclonedx(&crates, &origin.created()?) })
}

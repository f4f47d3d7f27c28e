//! `cargo xtask image`: the agent's container image, made without a container engine.
//!
//! ```text
//! program  builds netwhy-agent, linked statically ─→ files   the image's root file system
//!                    ▲                                ├─→ oci      layer, configuration, manifest → one archive
//!                    │ audit                          └─→ --root   a folder: what the Dockerfile copies
//! dependencies  the crates in it ─→ sbom   a CycloneDX document beside the image
//! ```

mod audit;
mod dependencies;
mod files;
mod oci;
mod program;
mod sbom;
mod source;

use crate::{sh, toolchain};
use anyhow::{Context as _, Result, ensure};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Make the agent's container image: an OCI archive, the same bytes for the same sources and compiler
///
/// Beside it stands the list of its crates as a CycloneDX document (*.cdx.json). The program carries the list too.
///
/// The time in it is SOURCE_DATE_EPOCH, else that of the last commit. Load it with `ctr -n k8s.io images import`,
/// `podman load`, `skopeo copy oci-archive:FILE docker://…`, or `docker load` (25 and later).
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write the archive here [default: target/xtask/netwhy-agent.oci.tar]
    #[arg(long, value_name = "FILE", conflicts_with = "root")]
    output: Option<PathBuf>,
    /// Name and tag of the image [default: netwhy-agent:VERSION]
    #[arg(long, value_name = "NAME:TAG", value_parser = oci::reference, conflicts_with = "root")]
    tag: Option<oci::Reference>,
    /// Take this statically linked netwhy-agent instead of building one
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Write the image's files into this folder instead, which must be empty or absent
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let workspace = sh::workspace()?;
    let origin = source::Origin::of(&workspace)?;
    let (program, sbom) = match &args.program {
        // Nobody here knows what is in it.
        Some(file) => (file.clone(), None),
        None => {
            let target = program::target();
            let program = program::build(&workspace, &toolchain::ensure(&workspace)?, &target)?;
            let crates = dependencies::Dependencies::of_agent(&workspace, &target)?;
            audit::embed(&program, &crates)?;
            (program, Some(sbom::cyclonedx(&crates, &origin.created()?)))
        }
    };
    let bytes = fs::read(&program).with_context(|| format!("read {}", program.display()))?;
    program::check(&bytes).with_context(|| format!("use {}", program.display()))?;
    let entries = files::entries(&workspace, bytes)?;
    if let Some(dir) = &args.root {
        files::write_to(dir, &entries)?;
        println!("{}", dir.display());
        return write_beside(dir, sbom.as_deref());
    }
    let version = env!("CARGO_PKG_VERSION");
    let reference = match &args.tag {
        Some(reference) => reference.clone(),
        None => oci::reference(&format!("netwhy-agent:{version}")).map_err(anyhow::Error::msg)?,
    };
    let layer = oci::Layer::new(&entries, origin.seconds)?;
    let archive = oci::archive(&layer, &reference, version, &origin)?;
    let output = args.output.clone().unwrap_or_else(|| sh::target_dir(&workspace).join("xtask/netwhy-agent.oci.tar"));
    write(&output, &archive.bytes)?;
    println!("{}", output.display());
    println!("  image     {reference} ({})", oci::architecture());
    println!("  manifest  {}", archive.manifest);
    println!("  layer     {}, {:.1} MiB", layer.digest, layer.bytes.len() as f64 / f64::from(1 << 20));
    write_beside(&output, sbom.as_deref())
}

/// Writes the list of crates beside the image: `NAME.cdx.json` for `NAME.oci.tar`.
fn write_beside(image: &Path, sbom: Option<&str>) -> Result<()> {
    let Some(sbom) = sbom else { return Ok(()) };
    let name = image.file_name().context("the image has no name")?.to_string_lossy().into_owned();
    let stem = name.trim_end_matches(".tar").trim_end_matches(".oci");
    let file = image.with_file_name(format!("{stem}.cdx.json"));
    write(&file, sbom.as_bytes())?;
    println!("  crates    {}", file.display());
    Ok(())
}

fn write(output: &Path, bytes: &[u8]) -> Result<()> {
    ensure!(!output.is_dir(), "{} is a folder: name the file in it", output.display());
    let dir = output.parent().unwrap_or(output);
    let write = || {
        fs::create_dir_all(dir)?;
        fs::write(output, bytes)
    };
    write().with_context(|| format!("write {}", output.display()))
}

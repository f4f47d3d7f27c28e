//! `cargo xtask image`: the agent's container image, made without a container engine.
//!
//! ```text
//! artifact  both programs, linked statically ─→ files   the image's root file system
//!             │                                  ├─→ oci      layer, configuration, manifest → one archive
//!             │                                  └─→ --root   a folder: what the Dockerfile copies
//!             └─→ the crates in the agent: a CycloneDX document beside the image
//! ```

mod files;
pub(crate) mod oci;

use crate::{
    artifact::{
        self,
        program::{self, Build, Program},
        source::Origin,
        target::{self, Arch, Target},
    },
    sh, toolchain,
};
use anyhow::{Context as _, Result, ensure};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Make the agent's container image: an OCI archive, the same bytes for the same sources and compiler
///
/// It has netwhy-agent, and kubectl-netwhy for the chart's `respond`. Beside it stands the list of its crates as a
/// CycloneDX document (*.cdx.json; of several architectures, one for each). Both programs carry the list too.
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
    /// Build for this target; given again, also for another architecture [default: this machine's]
    #[arg(long = "target", value_name = "TARGET", value_parser = Target::parse)]
    targets: Vec<Target>,
    /// Take this statically linked netwhy-agent instead of building one; the image has its architecture
    #[arg(long, value_name = "FILE", conflicts_with = "targets")]
    program: Option<PathBuf>,
    /// With --program: this statically linked kubectl-netwhy beside it [default: none]
    #[arg(long, value_name = "FILE", requires = "program")]
    plugin: Option<PathBuf>,
    /// Write the image's files into this folder instead, which must be empty or absent
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
}

/// Programs of one architecture.
struct Programs {
    arch: Arch,
    /// Their paths in the image and contents.
    files: Vec<(&'static str, Vec<u8>)>,
    /// The list of their crates. `None`: nobody here knows what is in them.
    sbom: Option<String>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    ensure!(args.root.is_none() || args.targets.len() < 2, "--root takes one --target: a folder has one architecture");
    let workspace = sh::workspace()?;
    let origin = Origin::of(&workspace)?;
    let all = match &args.program {
        Some(agent) => vec![given(agent, args.plugin.as_deref())?],
        None => built(&workspace, &args.targets, &origin)?,
    };
    let is_one = all.len() == 1;
    let (mut layers, mut sboms) = (Vec::new(), Vec::new());
    for Programs { arch, files, sbom } in all {
        let entries = files::entries(&workspace, files)?;
        if let Some(dir) = &args.root {
            files::write_to(dir, &entries)?;
            println!("{}", dir.display());
            return sbom.map_or(Ok(()), |sbom| write_beside(dir, None, &sbom));
        }
        layers.push((arch, oci::Layer::new(&entries, origin.seconds)?));
        sboms.extend(sbom.map(|sbom| ((!is_one).then_some(arch), sbom)));
    }
    let reference = reference(args.tag.as_ref())?;
    let archive = oci::archive(&layers, &reference, env!("CARGO_PKG_VERSION"), &origin)?;
    let output = args.output.clone().unwrap_or_else(|| sh::target_dir(&workspace).join("xtask/netwhy-agent.oci.tar"));
    write(&output, &archive.bytes)?;
    println!("{}", output.display());
    println!("  image     {reference}");
    println!("  manifest  {}", archive.manifest);
    for (arch, layer) in &layers {
        println!(
            "  layer     {}, {}, {:.1} MiB",
            arch.oci,
            layer.digest,
            layer.bytes.len() as f64 / f64::from(1 << 20)
        );
    }
    sboms.iter().try_for_each(|(arch, sbom)| write_beside(&output, *arch, sbom))
}

/// Builds the programs for each target.
fn built(workspace: &Path, targets: &[Target], origin: &Origin) -> Result<Vec<Programs>> {
    let (toolchain, targets, folder) =
        (toolchain::ensure(workspace)?, target::ready(targets)?, sh::target_dir(workspace));
    let built = |(target, tools): &(Target, target::Tools)| {
        let (toolchain, folder, profile) = (&toolchain, folder.as_path(), program::PROFILE);
        let build = Build { workspace, toolchain, target, tools, profile, folder };
        let agent = artifact::make(Program::Agent, &build, origin)?;
        let plugin = artifact::make(Program::Plugin, &build, origin)?;
        let files = vec![(files::PROGRAM, agent.bytes), (files::PLUGIN, plugin.bytes)];
        // The plugin's crates are among the agent's: it is the same package with fewer features.
        Ok(Programs { arch: target.arch, files, sbom: Some(agent.sbom) })
    };
    targets.iter().map(built).collect()
}

/// An archive, and the size of its largest layer, bytes: what a Node downloads.
pub(crate) struct Packed {
    pub(crate) bytes: Vec<u8>,
    pub(crate) layer: usize,
}

/// The archive of an image of both programs, agent and plugin, for each architecture.
pub(crate) fn archive(
    workspace: &Path,
    programs: Vec<(Arch, [Vec<u8>; 2])>,
    reference: &oci::Reference,
    origin: &Origin,
) -> Result<Packed> {
    let mut layers = Vec::new();
    for (arch, [agent, plugin]) in programs {
        let entries = files::entries(workspace, vec![(files::PROGRAM, agent), (files::PLUGIN, plugin)])?;
        layers.push((arch, oci::Layer::new(&entries, origin.seconds)?));
    }
    let bytes = oci::archive(&layers, reference, env!("CARGO_PKG_VERSION"), origin)?.bytes;
    Ok(Packed { bytes, layer: layers.iter().map(|(_, layer)| layer.bytes.len()).max().unwrap_or(0) })
}

/// The image's name and tag, or those that it has when nobody names it.
pub(crate) fn reference(given: Option<&oci::Reference>) -> Result<oci::Reference> {
    match given {
        Some(reference) => Ok(reference.clone()),
        None => oci::reference(concat!("netwhy-agent:", env!("CARGO_PKG_VERSION"))).map_err(anyhow::Error::msg),
    }
}

/// Reads programs that somebody else built.
fn given(agent: &Path, plugin: Option<&Path>) -> Result<Programs> {
    let read = |file: &Path| {
        let bytes = fs::read(file).with_context(|| format!("read {}", file.display()))?;
        let arch = program::check(&bytes).with_context(|| format!("use {}", file.display()))?;
        Ok::<_, anyhow::Error>((arch, bytes))
    };
    let (arch, bytes) = read(agent)?;
    let mut files = vec![(files::PROGRAM, bytes)];
    if let Some(plugin) = plugin {
        let (other, bytes) = read(plugin)?;
        ensure!(other == arch, "{} is for {}, but the agent for {}", plugin.display(), other.oci, arch.oci);
        files.push((files::PLUGIN, bytes));
    }
    Ok(Programs { arch, files, sbom: None })
}

/// Writes the list of crates beside the image: `NAME.cdx.json` for `NAME.oci.tar`, or `NAME_ARCH.cdx.json`.
fn write_beside(image: &Path, arch: Option<Arch>, sbom: &str) -> Result<()> {
    let name = image.file_name().context("the image has no name")?.to_string_lossy().into_owned();
    let stem = name.trim_end_matches(".tar").trim_end_matches(".oci");
    let arch = arch.map(|arch| format!("_{}", arch.oci)).unwrap_or_default();
    let file = image.with_file_name(format!("{stem}{arch}.cdx.json"));
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

#[cfg(test)]
mod tests;

//! `cargo xtask dist`: the files of a release, the same bytes for the same sources and compilers.
//!
//! ```text
//! programs  agent and plugin, each an archive and the list of its crates
//! chart     the Helm chart, packaged by helm and then given fixed times
//! krew      the manifest with which krew installs the plugin
//! again     a second build from nothing, compared byte by byte
//! ```

mod again;
mod chart;
mod krew;
mod programs;

use crate::{
    artifact::{
        archive,
        program::{self, Build},
        source::Origin,
    },
    helm, image, sh, toolchain,
};
use anyhow::{Context as _, Result, ensure};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Names the checksums of all other files, as `sha256sum` writes them.
const CHECKSUMS: &str = "SHA256SUMS";

/// Make the files of a release: static programs, the chart, krew's manifest, lists of crates, checksums
///
/// The same sources and compilers give the same bytes; --verify builds a second time and compares. The time in them is
/// SOURCE_DATE_EPOCH, else that of the last commit. Example:
///
///   cargo xtask dist --verify --url https://downloads.example/netwhy/v0.1.0
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Write the files into this folder [default: target/xtask/dist]
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Where people will download the files; krew's manifest has it. Without it the manifest installs a downloaded archive only
    /// (`kubectl krew install --manifest=netwhy.yaml --archive=FILE`)
    #[arg(long, value_name = "URL", value_parser = url)]
    url: Option<String>,
    /// Build a second time in an empty folder, and fail if a byte differs
    #[arg(long)]
    verify: bool,
    /// Cargo's profile; dev builds sooner, and larger programs
    #[arg(long, value_name = "NAME", default_value = program::PROFILE)]
    profile: String,
}

/// A file of the release.
#[derive(Clone, Debug, PartialEq, Eq)]
struct File {
    name: String,
    bytes: Vec<u8>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let workspace = sh::workspace()?;
    let origin = Origin::of(&workspace)?;
    let helm = helm::ensure(&workspace)?;
    let (toolchain, target) = (toolchain::ensure(&workspace)?, program::target());
    if !target.ends_with("musl") {
        sh::say(
            "this machine lacks musl, so the programs have the GNU C library inside: where its version differs, they may \
             not resolve names; install musl-tools, and run `rustup target add` for musl",
        );
    }
    let folder = sh::target_dir(&workspace);
    let build = |folder: &Path| {
        let build =
            Build { workspace: &workspace, toolchain: &toolchain, target: &target, profile: &args.profile, folder };
        files(&build, &origin, &helm, args.url.as_deref())
    };
    let files = build(&folder)?;
    if args.verify {
        again::verify(&folder.join("xtask/dist-again"), &files, build)?;
    }
    let output = args.output.clone().unwrap_or_else(|| folder.join("xtask/dist"));
    write(&output, &files)?;
    println!("{}", output.display());
    for file in &files {
        println!("  {:<44} {:>9}", file.name, size(file.bytes.len()));
    }
    if origin.revision.is_none() {
        sh::say("the sources are not a commit's: nobody can make these files again");
    }
    Ok(())
}

/// All files of a release.
fn files(build: &Build<'_>, origin: &Origin, helm: &Path, url: Option<&str>) -> Result<Vec<File>> {
    let mut files = Vec::new();
    let mut plugin = None;
    for one in programs::ALL {
        let [archive, sbom] = programs::files(one, build, origin)?;
        if one == program::Program::Plugin {
            plugin = Some(krew::manifest(&archive, url));
        }
        files.extend([archive, sbom]);
    }
    files.push(chart::package(build.workspace, helm, origin.seconds)?);
    files.extend(plugin);
    let sums = checksums(&files);
    files.push(sums);
    Ok(files)
}

/// Platform of the programs, in names of files.
fn platform() -> String {
    format!("linux_{}", image::oci::architecture())
}

fn checksums(files: &[File]) -> File {
    let line = |file: &File| format!("{}  {}\n", archive::sha256(&file.bytes), file.name);
    File { name: CHECKSUMS.to_owned(), bytes: files.iter().map(line).collect::<String>().into_bytes() }
}

/// Writes the files. Others in the folder would not be covered by the checksums, so there may be none.
fn write(output: &Path, files: &[File]) -> Result<()> {
    ensure!(!output.is_file(), "{} is a file: name a folder", output.display());
    fs::create_dir_all(output).with_context(|| format!("make {}", output.display()))?;
    for entry in fs::read_dir(output).with_context(|| format!("read {}", output.display()))? {
        let name = entry.with_context(|| format!("read {}", output.display()))?.file_name();
        ensure!(
            files.iter().any(|file| *file.name == *name),
            "{} holds {}, which is no file of this release: empty it, or name another folder with --output",
            output.display(),
            name.display()
        );
    }
    for file in files {
        let path = output.join(&file.name);
        fs::write(&path, &file.bytes).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}

fn size(bytes: usize) -> String {
    match bytes {
        0..10_240 => format!("{bytes} B"),
        10_240..10_485_760 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
    }
}

/// Reads the address of a folder.
fn url(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
    if rest.is_empty() || rest.starts_with('/') || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("write a folder's address such as https://downloads.example/netwhy/v0.1.0".to_owned());
    }
    Ok(text.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests;

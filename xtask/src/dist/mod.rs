//! `cargo xtask dist`: the files of a release, the same bytes for the same sources and compilers.
//!
//! ```text
//! programs    agent and plugin, each an archive and the list of its crates
//! image       (of `cargo xtask image`) both programs in an OCI archive
//! deb         a Debian package of both programs and the systemd unit
//! chart       the Helm chart, packaged by helm and then given fixed times
//! krew        the manifest with which krew installs the plugin
//! provenance  sources and compilers of all of them
//! sign        signatures, if there is a key
//! again       a second build from nothing, compared byte by byte; sources: the copy that it builds
//! size        sizes and their targets
//! ```

mod again;
mod chart;
mod deb;
mod krew;
mod programs;
mod provenance;
mod sign;
mod size;
mod sources;

use crate::{
    artifact::{
        archive,
        program::{self, Build, Program},
        source::Origin,
        target::{self, Arch, Target},
    },
    helm,
    image::{self, oci},
    sh, toolchain,
};
use anyhow::{Context as _, Result, bail, ensure};
use std::{
    fs::{self, TryLockError},
    io::ErrorKind,
    path::{Path, PathBuf},
};

/// Names the checksums of all other files, as `sha256sum` writes them.
const CHECKSUMS: &str = "SHA256SUMS";

/// Make the files of a release, for this machine's architecture or for those of --target
///
/// Static programs, the image, a Debian package, the chart, krew's manifest, lists of crates, the provenance and
/// checksums; with --sign-key also signatures.
///
/// The same sources and compilers give the same bytes, signatures aside. --verify builds a second time from a copy of
/// the sources, and compares. The time in the files is SOURCE_DATE_EPOCH, else that of the last commit. With several
/// targets the image is a list of manifests.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write the files into this folder [default: target/xtask/dist]
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Build for this target; given again, also for another architecture [default: this machine's]
    #[arg(long = "target", value_name = "TARGET", value_parser = Target::parse)]
    targets: Vec<Target>,
    /// Where people will download the files; krew's manifest has it. Without it the manifest installs a downloaded
    /// archive only (`kubectl krew install --manifest=netwhy.yaml --archive=FILE`)
    #[arg(long, value_name = "URL", value_parser = url)]
    url: Option<String>,
    /// Name and tag of the image [default: netwhy-agent:VERSION]
    #[arg(long, value_name = "NAME:TAG", value_parser = oci::reference)]
    tag: Option<oci::Reference>,
    /// URI of the builder, for the provenance
    #[arg(long, value_name = "URI", default_value = provenance::LOCAL)]
    builder: String,
    /// Sign with this private key: PEM, ECDSA on P-256 or RSA; its password is in NETWHY_KEY_PASSWORD
    #[arg(long, value_name = "FILE")]
    sign_key: Option<PathBuf>,
    /// Build a second time from a copy of the sources, into an empty folder, and fail if a byte differs
    #[arg(long)]
    verify: bool,
    /// Cargo's profile; dev builds faster, but makes larger programs
    #[arg(long, value_name = "NAME", default_value = program::PROFILE)]
    profile: String,
}

/// A file of the release.
#[derive(Clone, Debug, PartialEq, Eq)]
struct File {
    name: String,
    bytes: Vec<u8>,
}

/// What all builds of a release have in common.
struct Release<'a> {
    origin: &'a Origin,
    helm: &'a Path,
    /// Name and tag of the image.
    reference: &'a oci::Reference,
    parameters: provenance::Parameters<'a>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let workspace = sh::workspace()?;
    let folder = sh::target_dir(&workspace);
    let _lock = lock(&folder)?;
    let key = args.sign_key.as_deref().map(|file| sign::Key::read(file, &folder)).transpose()?;
    let targets = target::ready(&args.targets)?;
    let arches: Vec<Arch> = targets.iter().map(|(target, _)| target.arch).collect();
    let output = args.output.clone().unwrap_or_else(|| folder.join("xtask/dist"));
    refuse_others(&output, &names(&arches, key.is_some()))?;
    let (origin, helm) = (Origin::of(&workspace)?, helm::ensure(&workspace)?);
    let toolchain = toolchain::ensure(&workspace)?;
    for (target, _) in targets.iter().filter(|(target, _)| target.has_gnu_library()) {
        sh::say(&format!(
            "{} has the GNU C library inside: where its version differs, the programs may not resolve names; for musl \
             install musl-tools, and run `rustup target add` for its target",
            target.name
        ));
    }
    let reference = image::reference(args.tag.as_ref())?;
    let parameters =
        provenance::Parameters { url: args.url.as_deref(), image: reference.to_string(), builder: &args.builder };
    let release = Release { origin: &origin, helm: &helm, reference: &reference, parameters };
    let build = |workspace: &Path, folder: &Path| {
        let (toolchain, profile) = (&toolchain, args.profile.as_str());
        let builds =
            targets.iter().map(|(target, tools)| Build { workspace, toolchain, target, tools, profile, folder });
        let builds: Vec<Build<'_>> = builds.collect();
        files(&builds, &release)
    };
    let (mut files, warnings) = build(&workspace, &folder)?;
    if args.verify {
        again::verify(&folder.join("xtask/dist-again"), &files, |again| {
            let copy = again.join("sources");
            sources::copy(&workspace, &copy)?;
            Ok(build(&copy, &again.join("target"))?.0)
        })?;
    }
    if let Some(key) = &key {
        let signatures = signatures(key, &files, &arches)?;
        files.extend(signatures);
    }
    write(&output, &files)?;
    println!("{}", output.display());
    for file in &files {
        println!("  {:<48} {:>9}", file.name, size::shown(file.bytes.len()));
    }
    warnings.iter().for_each(|warning| sh::say(warning));
    if origin.revision.is_none() {
        sh::say("the sources are not a commit's: nobody can make these files again");
    }
    Ok(())
}

/// Held while a run makes files: a second one would empty the folder of the first one's second build, and write among
/// its files.
fn lock(folder: &Path) -> Result<fs::File> {
    let parent = folder.join("xtask");
    let path = parent.join("dist.lock");
    let open = || {
        fs::create_dir_all(&parent)?;
        fs::File::create(&path)
    };
    let file = open().with_context(|| format!("make {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!("another `cargo xtask dist` is at work in {}: wait until it ends", parent.display())
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("lock {}", path.display())),
    }
}

/// All files of a release but the signatures, and what is too large. `builds`: one for each architecture.
fn files(builds: &[Build<'_>], release: &Release<'_>) -> Result<(Vec<File>, Vec<String>)> {
    let Release { origin, helm, reference, parameters } = release;
    let workspace = builds.first().context("there is no target")?.workspace;
    let arches: Vec<Arch> = builds.iter().map(|build| build.target.arch).collect();
    let (mut files, mut warnings) = (Vec::new(), Vec::new());
    let (mut archives, mut programs) = (Vec::new(), Vec::new());
    for build in builds {
        let arch = build.target.arch;
        let agent = programs::files(Program::Agent, build, origin)?;
        let plugin = programs::files(Program::Plugin, build, origin)?;
        for (program, packed) in [(Program::Agent, &agent), (Program::Plugin, &plugin)] {
            let warning = size::too_large(size::What::Program(program), packed.program.len());
            warnings.extend(warning.map(|warning| format!("{}: {warning}", arch.oci)));
        }
        let (completion, script) = programs::COMPLETION;
        let packaged = [
            (Program::Agent.name(), agent.program.as_slice()),
            (Program::Plugin.name(), plugin.program.as_slice()),
            (completion, script.as_bytes()),
        ];
        let deb = deb::package(&packaged, arch, workspace, origin.seconds)?;
        archives.push((arch, plugin.archive.clone()));
        programs.push((arch, [agent.program, plugin.program]));
        files.extend([agent.archive, agent.sbom, plugin.archive, plugin.sbom, deb]);
    }
    let image::Packed { bytes, layer } = image::archive(workspace, programs, reference, origin)?;
    warnings.extend(size::too_large(size::What::Image, layer));
    files.push(File { name: image_name(&arches), bytes });
    files.push(chart::package(workspace, helm, origin.seconds)?);
    files.push(krew::manifest(&archives, parameters.url));
    let statement = provenance::statement(provenance(&arches), &files, builds, origin, parameters)?;
    files.push(statement);
    let sums = checksums(&files);
    files.push(sums);
    Ok((files, warnings))
}

/// The signatures of the checksums and of the provenance.
fn signatures(key: &sign::Key, files: &[File], arches: &[Arch]) -> Result<[File; 2]> {
    let find = |name: &str| files.iter().find(|file| file.name == name).with_context(|| format!("find {name}"));
    sign::files(key, find(CHECKSUMS)?, find(&provenance(arches))?)
}

/// Names of all files of a release.
fn names(arches: &[Arch], is_signed: bool) -> Vec<String> {
    let statement = provenance(arches);
    let mut names = Vec::new();
    for arch in arches {
        names.extend([Program::Agent, Program::Plugin].map(|program| programs::names(program, *arch)).concat());
        names.push(deb::name(*arch));
    }
    if is_signed {
        names.extend(sign::names(CHECKSUMS, &statement));
    }
    names.extend([image_name(arches), chart::name(), krew::NAME.to_owned(), statement, CHECKSUMS.to_owned()]);
    names
}

/// Name of the image's archive.
fn image_name(arches: &[Arch]) -> String {
    format!("{}.oci.tar", named(Program::Agent.name(), arches))
}

/// Name of the provenance.
fn provenance(arches: &[Arch]) -> String {
    format!("{}.provenance.json", named("netwhy", arches))
}

/// A name with version and platform: without the architecture if there are several.
fn named(name: &str, arches: &[Arch]) -> String {
    let name = format!("{name}_{}_linux", env!("CARGO_PKG_VERSION"));
    match arches {
        [arch] => format!("{name}_{}", arch.oci),
        _ => name,
    }
}

fn checksums(files: &[File]) -> File {
    let line = |file: &File| format!("{}  {}\n", archive::sha256(&file.bytes), file.name);
    File { name: CHECKSUMS.to_owned(), bytes: files.iter().map(line).collect::<String>().into_bytes() }
}

/// Refuses a folder with other files in it: the checksums would not cover them.
fn refuse_others(output: &Path, names: &[String]) -> Result<()> {
    ensure!(!output.is_file(), "{} is a file: name a folder", output.display());
    let entries = match fs::read_dir(output) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.with_context(|| format!("read {}", output.display()))?,
    };
    for entry in entries {
        let name = entry.with_context(|| format!("read {}", output.display()))?.file_name();
        ensure!(
            names.iter().any(|known| **known == *name),
            "{} holds {}, which is no file of this release: empty it, or name another folder with --output",
            output.display(),
            name.display()
        );
    }
    Ok(())
}

/// Writes the files.
fn write(output: &Path, files: &[File]) -> Result<()> {
    let names: Vec<String> = files.iter().map(|file| file.name.clone()).collect();
    // Again: the build took its time.
    refuse_others(output, &names)?;
    fs::create_dir_all(output).with_context(|| format!("make {}", output.display()))?;
    for file in files {
        let path = output.join(&file.name);
        fs::write(&path, &file.bytes).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
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

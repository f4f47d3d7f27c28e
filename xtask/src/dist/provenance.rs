//! How the files were made: an in-toto statement (version 1) with SLSA's provenance (version 1) as its predicate.
//! <https://slsa.dev/spec/v1.0/provenance>

use super::File;
use crate::{
    artifact::{archive, program::Build, source::Origin},
    sh,
};
use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use std::{env, fs, process::Command};

/// Type of the statement's payload in a signed envelope.
pub(super) const PAYLOAD: &str = "application/vnd.in-toto+json";
/// Names the meaning of the parameters.
const BUILD_TYPE: &str = "urn:netwhy:xtask-dist:v1";
/// Whoever runs the command on a machine of their own.
pub(super) const LOCAL: &str = "urn:netwhy:builder:local";

/// What the person who builds decides.
pub(super) struct Parameters<'a> {
    /// Folder that the files will be in.
    pub(super) url: Option<&'a str>,
    /// Name and tag of the image.
    pub(super) image: String,
    /// URI of the builder: whom a reader of the statement must trust.
    pub(super) builder: &'a str,
}

/// Programs that turn sources into files.
pub(super) struct Compilers {
    host: String,
    kernel_programs: String,
    linker: String,
}

impl Compilers {
    /// Asks each for its version.
    pub(super) fn of(build: &Build<'_>) -> Result<Self> {
        let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let kernel = build.toolchain.sysroot.join("bin/rustc");
        let mut linker = Command::new("bpf-linker");
        linker.envs(build.toolchain.env.iter().map(|(name, value)| (name, value)));
        let version = |mut command: Command| -> Result<String> {
            Ok(sh::output(command.current_dir(build.workspace).arg("--version"))?.trim().to_owned())
        };
        Ok(Self {
            host: version(Command::new(rustc))?,
            kernel_programs: version(Command::new(kernel))?,
            linker: version(linker)?,
        })
    }
}

/// The statement about these files. `builds`: one for each target, from the same sources.
pub(super) fn statement(
    name: String,
    files: &[File],
    builds: &[Build<'_>],
    origin: &Origin,
    parameters: &Parameters<'_>,
) -> Result<File> {
    let first = builds.first().context("there is no target")?;
    let lock = fs::read(first.workspace.join("Cargo.lock")).context("read Cargo.lock")?;
    let compilers = Compilers::of(first)?;
    let predicate = predicate(builds, &compilers, &sources(&lock, origin), origin.seconds, parameters);
    Ok(File { name, bytes: format!("{:#}\n", wrapped(files, &predicate)).into_bytes() })
}

fn wrapped(files: &[File], predicate: &Value) -> Value {
    let subject = |file: &File| json!({"name": file.name, "digest": {"sha256": archive::sha256(&file.bytes)}});
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": files.iter().map(subject).collect::<Vec<_>>(),
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": predicate,
    })
}

/// Without times of the build: a second build gives the same bytes.
fn predicate(
    builds: &[Build<'_>],
    compilers: &Compilers,
    sources: &[Value],
    seconds: u64,
    parameters: &Parameters<'_>,
) -> Value {
    let Compilers { host, kernel_programs, linker } = compilers;
    let Parameters { url, image, builder } = parameters;
    let target = |build: &Build<'_>| {
        let (compiler, library) = if build.tools.builds_std { (kernel_programs, "built") } else { (host, "installed") };
        json!({"name": build.target.name, "rustc": compiler, "standardLibrary": library})
    };
    json!({
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "command": "cargo xtask dist",
                "profile": builds.first().map(|build| build.profile),
                "image": image,
                "url": url,
                "SOURCE_DATE_EPOCH": seconds,
            },
            "internalParameters": {
                "targets": builds.iter().map(target).collect::<Vec<_>>(),
                "rustc": host,
                "kernelProgramsRustc": kernel_programs,
                "bpfLinker": linker,
            },
            "resolvedDependencies": sources,
        },
        "runDetails": {"builder": {"id": builder}},
    })
}

/// The commit, unless the sources differ from it, and the list of crates with their hashes.
fn sources(lock: &[u8], origin: &Origin) -> Vec<Value> {
    let commit = origin.revision.iter().map(|revision| json!({"name": "sources", "digest": {"gitCommit": revision}}));
    commit.chain([json!({"name": "Cargo.lock", "digest": {"sha256": archive::sha256(lock)}})]).collect()
}

#[cfg(test)]
mod tests;

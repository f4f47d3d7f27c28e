//! The programs, linked statically: an image of one file needs no C library, and an archive fits every distribution.

use super::target::{Arch, Target, Tools};
use crate::{
    sh,
    toolchain::{self, Toolchain},
};
use anyhow::{Context as _, Result, ensure};
use std::{
    env,
    path::{Path, PathBuf},
};

/// The package of both programs.
pub(crate) const PACKAGE: &str = "netwhy-agent";
/// Profile of what people get.
pub(crate) const PROFILE: &str = "dist";
/// The same for the plugin, whose size matters more than its speed.
const PLUGIN_PROFILE: &str = "dist-plugin";

/// A program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    Agent,
    Plugin,
}

impl Program {
    /// Name of its file.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Agent => "netwhy-agent",
            Self::Plugin => "kubectl-netwhy",
        }
    }

    /// Cargo's flags for its features.
    pub(super) const fn features(self) -> &'static [&'static str] {
        match self {
            Self::Agent => &[],
            Self::Plugin => &["--no-default-features"],
        }
    }

    /// Cargo's profile for it where `asked` is the one for both programs.
    fn profile(self, asked: &str) -> &str {
        if self == Self::Plugin && asked == PROFILE { PLUGIN_PROFILE } else { asked }
    }
}

/// How to build.
pub(crate) struct Build<'a> {
    pub(crate) workspace: &'a Path,
    pub(crate) toolchain: &'a Toolchain,
    pub(crate) target: &'a Target,
    /// What builds for the target.
    pub(crate) tools: &'a Tools,
    /// Cargo's profile.
    pub(crate) profile: &'a str,
    /// Folder of everything that is built.
    pub(crate) folder: &'a Path,
}

impl Build<'_> {
    /// Builds a program and returns its path.
    pub(super) fn run(&self, program: Program) -> Result<PathBuf> {
        let Self { workspace, toolchain, target, tools, profile, folder } = self;
        let (name, profile) = (program.name(), program.profile(profile));
        sh::say(&format!("static {name} for {}", target.name));
        let mut command = if tools.builds_std { toolchain.own_cargo(workspace) } else { toolchain.cargo(workspace) };
        command.args(["build", "--profile", profile, "--locked", "--package", PACKAGE, "--bin", name]);
        command.args(program.features());
        // Named, so that the flags below are for the program only, not for build scripts, which can't be static.
        command.args(["--target", &target.name]).arg("--target-dir").arg(folder);
        let mut sources = None;
        if tools.builds_std {
            command.args(["-Z", "build-std=std,panic_abort"]);
            sources = Some(toolchain.sysroot.join("lib/rustlib/src/rust"));
        }
        // Somebody who set a linker knows better.
        if let Some((variable, linker)) = tools.linker.as_ref().filter(|(variable, _)| env::var_os(variable).is_none())
        {
            command.env(variable, linker);
        }
        // A copy of the sources has no file that names it.
        command.env(toolchain::VARIABLE, &toolchain.name);
        let mut flags = flags(workspace, folder, sources.as_deref());
        flags.extend(smaller(target).map(str::to_owned));
        command.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f")).env_remove("RUSTFLAGS");
        sh::step(&format!("building {name} (profile {profile})"), &mut command)?;
        // The profile dev has a folder of another name.
        let profile = if profile == "dev" { "debug" } else { profile };
        Ok(folder.join(&target.name).join(profile).join(name))
    }
}

/// Paths of the building machine are replaced: they would tell of it, and make each machine's program another.
/// `sources`: of the standard library, if it is built too.
fn flags(workspace: &Path, folder: &Path, sources: Option<&Path>) -> Vec<String> {
    let home = env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let cargo = env::var_os("CARGO_HOME").map_or_else(|| home.join(".cargo"), PathBuf::from);
    let mut flags = vec!["-Ctarget-feature=+crt-static".to_owned()];
    // Of several that fit a path the last counts.
    let folders = [(workspace, "/netwhy"), (cargo.as_path(), "/cargo"), (folder, "/target")];
    for (path, name) in folders.into_iter().chain(sources.map(|path| (path, "/rust"))) {
        flags.push(format!("--remap-path-prefix={}={name}", path.display()));
    }
    flags
}

/// A flag that leaves out what the program does without: a bit for most addresses that the start of the program corrects,
/// instead of 24 bytes. rustup's musl (1.2.5) reads them. The GNU C library does from 2.36 on, and this machine's may be
/// older.
fn smaller(target: &Target) -> Option<&'static str> {
    (!target.has_gnu_library()).then_some("-Clink-arg=-Wl,-z,pack-relative-relocs")
}

/// Refuses what needs a C library to run. Returns the program's architecture.
pub(crate) fn check(bytes: &[u8]) -> Result<Arch> {
    let interpreted = asks_for_interpreter(bytes).context("not a 64-bit little-endian ELF program")?;
    ensure!(!interpreted, "it is linked dynamically, and needs a C library");
    half(bytes, 18).and_then(Arch::of_machine).context("a program of an architecture that no image can have")
}

/// Whether an ELF program asks for the dynamic linker: it has a program header of type `PT_INTERP` (elf(5)). `None`: no
/// such program.
fn asks_for_interpreter(bytes: &[u8]) -> Option<bool> {
    const PT_INTERP: u32 = 3;
    if !bytes.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let offset = u64::from_le_bytes(bytes.get(32..40)?.try_into().ok()?);
    let (size, count) = (usize::from(half(bytes, 54)?), usize::from(half(bytes, 56)?));
    for i in 0..count {
        if word(usize::try_from(offset).ok()?.checked_add(i * size)?)? == PT_INTERP {
            return Some(true);
        }
    }
    Some(false)
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

#[cfg(test)]
mod tests;

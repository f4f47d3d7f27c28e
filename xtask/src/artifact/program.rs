//! The programs, linked statically: an image of one file needs no C library, and an archive fits every distribution.

use crate::{sh, toolchain::Toolchain};
use anyhow::{Context as _, Result, ensure};
use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// The package of both programs.
pub(crate) const PACKAGE: &str = "netwhy-agent";
/// Profile of what people get.
pub(crate) const PROFILE: &str = "dist";

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
}

/// How to build.
pub(crate) struct Build<'a> {
    pub(crate) workspace: &'a Path,
    pub(crate) toolchain: &'a Toolchain,
    /// As rustc names it.
    pub(crate) target: &'a str,
    /// Cargo's profile.
    pub(crate) profile: &'a str,
    /// Folder of everything that is built.
    pub(crate) folder: &'a Path,
}

impl Build<'_> {
    /// Builds a program and returns its path.
    pub(super) fn run(&self, program: Program) -> Result<PathBuf> {
        let Self { workspace, toolchain, target, profile, folder } = self;
        let name = program.name();
        sh::say(&format!("static {name} for {target}"));
        let mut command = toolchain.cargo(workspace);
        command.args(["build", "--profile", profile, "--locked", "--package", PACKAGE, "--bin", name]);
        command.args(program.features());
        // Named, so that the flags below are for the program only, not for build scripts, which can't be static.
        command.args(["--target", target]).arg("--target-dir").arg(folder);
        command.env("CARGO_ENCODED_RUSTFLAGS", flags(workspace, folder).join("\x1f")).env_remove("RUSTFLAGS");
        sh::step(&format!("building {name} (profile {profile})"), &mut command)?;
        // The profile dev has a folder of another name.
        let profile = if *profile == "dev" { "debug" } else { profile };
        Ok(folder.join(target).join(profile).join(name))
    }
}

/// musl's target where this machine can build for it, else the GNU C library's, which can be linked statically too.
pub(crate) fn target() -> String {
    let arch = env::consts::ARCH;
    let musl = format!("{arch}-unknown-linux-musl");
    let mut command = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    command.args(["--print", "target-libdir", "--target", &musl]);
    let has_library = sh::output(&mut command).is_ok_and(|dir| Path::new(dir.trim()).is_dir());
    // Some crates bring C code.
    let has_compiler = cfg!(target_env = "musl") || sh::in_path("musl-gcc");
    if has_library && has_compiler { musl } else { format!("{arch}-unknown-linux-gnu") }
}

/// Paths of the building machine are replaced: they would tell of it, and make each machine's program another.
fn flags(workspace: &Path, folder: &Path) -> Vec<String> {
    let home = env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let cargo = env::var_os("CARGO_HOME").map_or_else(|| home.join(".cargo"), PathBuf::from);
    let mut flags = vec!["-Ctarget-feature=+crt-static".to_owned()];
    // Of several that fit a path the last counts.
    for (path, name) in [(workspace, "/netwhy"), (cargo.as_path(), "/cargo"), (folder, "/target")] {
        flags.push(format!("--remap-path-prefix={}={name}", path.display()));
    }
    flags
}

/// Refuses what can't run in an image without a C library.
pub(crate) fn check(bytes: &[u8]) -> Result<()> {
    let interpreted = asks_for_interpreter(bytes).context("not a 64-bit ELF program of this byte order")?;
    ensure!(!interpreted, "it is linked dynamically: the image has no C library");
    Ok(())
}

/// Whether an ELF program asks for the dynamic linker: it has a program header of type `PT_INTERP` (elf(5)). `None`: no
/// such program.
fn asks_for_interpreter(bytes: &[u8]) -> Option<bool> {
    const PT_INTERP: u32 = 3;
    if !bytes.starts_with(b"\x7fELF\x02") {
        return None;
    }
    let half = |at: usize| Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    let word = |at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let offset = u64::from_ne_bytes(bytes.get(32..40)?.try_into().ok()?);
    let (size, count) = (usize::from(half(54)?), usize::from(half(56)?));
    for i in 0..count {
        if word(usize::try_from(offset).ok()?.checked_add(i * size)?)? == PT_INTERP {
            return Some(true);
        }
    }
    Some(false)
}

#[cfg(test)]
mod tests;

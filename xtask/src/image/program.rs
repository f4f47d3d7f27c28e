//! The agent, linked statically: an image of one file needs no C library.

use crate::{sh, toolchain::Toolchain};
use anyhow::{Context as _, Result, ensure};
use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// Builds `netwhy-agent` with the profile `dist` and returns its path.
pub(super) fn build(workspace: &Path, toolchain: &Toolchain, target: &str) -> Result<PathBuf> {
    sh::say(&format!("static program for {target}"));
    let mut command = toolchain.cargo(workspace);
    command.args(["build", "--profile", "dist", "--locked", "--package", "netwhy-agent", "--bin", "netwhy-agent"]);
    // Named, so that the flags below are for the program only, not for build scripts, which can't be static.
    command.args(["--target", target]);
    command.env("CARGO_ENCODED_RUSTFLAGS", flags(workspace).join("\x1f")).env_remove("RUSTFLAGS");
    sh::step("building netwhy-agent (profile dist)", &mut command)?;
    Ok(sh::target_dir(workspace).join(target).join("dist/netwhy-agent"))
}

/// musl's target where this machine can build for it, else the GNU C library's, which can be linked statically too.
pub(super) fn target() -> String {
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
fn flags(workspace: &Path) -> Vec<String> {
    let home = env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let cargo = env::var_os("CARGO_HOME").map_or_else(|| home.join(".cargo"), PathBuf::from);
    let mut flags = vec!["-Ctarget-feature=+crt-static".to_owned()];
    for (path, name) in [(workspace, "/netwhy"), (cargo.as_path(), "/cargo")] {
        flags.push(format!("--remap-path-prefix={}={name}", path.display()));
    }
    flags
}

/// Refuses what can't run in an image without a C library.
pub(super) fn check(bytes: &[u8]) -> Result<()> {
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

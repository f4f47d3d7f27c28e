//! Whether the plugin compiles for the systems that only the plugin is for. Nothing is linked, so that neither a C
//! compiler for them nor their libraries are needed.

use crate::{artifact::target, sh, toolchain::Toolchain};
use anyhow::{Context as _, Result};
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

/// One of each system: the code does not differ by architecture there.
const TARGETS: [&str; 2] = ["aarch64-apple-darwin", "x86_64-pc-windows-gnu"];

/// Stands in for the C compiler and the archiver of crates that bring C code: nobody needs what they would make. Build
/// scripts ask which compiler it is by a file of macros (`-E`), and whether it takes Microsoft's flags (`-?`).
const STAND_IN: &str = "#!/bin/sh\ncase \"$1\" in\n-E) echo '\"gcc\"' ;;\n'-?') exit 1 ;;\nesac\n";

/// Checks it for each target whose standard library is installed, and names the others.
pub(crate) fn check(workspace: &Path, toolchain: &Toolchain) -> Result<()> {
    // Apart from real builds, which must not find what the stand-in did not make.
    let folder = sh::target_dir(workspace).join("elsewhere");
    let stand_in = write_stand_in(&folder)?;
    for target in TARGETS {
        if !target::has_std(target) {
            sh::say(&format!("  {target} is not checked: run `rustup target add {target}`"));
            continue;
        }
        let mut command = toolchain.cargo(workspace);
        prepare(&mut command, target, &folder, &stand_in);
        sh::step(&format!("cargo check, {target}"), &mut command)?;
    }
    Ok(())
}

fn prepare(command: &mut Command, target: &str, folder: &Path, stand_in: &Path) {
    command.args(["check", "--package", "netwhy-agent", "--bin", "kubectl-netwhy", "--target", target]);
    command.arg("--target-dir").arg(folder);
    let suffix = target.replace('-', "_");
    for tool in ["CC", "AR"] {
        command.env(format!("{tool}_{suffix}"), stand_in);
    }
    // Else it is asked of a program that only macOS has.
    command.env("MACOSX_DEPLOYMENT_TARGET", "11.0");
}

fn write_stand_in(folder: &Path) -> Result<PathBuf> {
    let path = folder.join("stand-in");
    let write = || {
        fs::create_dir_all(folder)?;
        fs::write(&path, STAND_IN)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
    };
    write().with_context(|| format!("write {}", path.display()))?;
    Ok(path)
}

#[cfg(test)]
mod tests;

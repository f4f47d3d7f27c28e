//! `bpf-linker`: found, judged, installed.

use super::{
    Found,
    debian::{llvm_packages, llvm_prefix},
};
use crate::{Unavailable, apt, sh};
use anyhow::Result;
use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The version that is installed when there is none; older ones are refused.
pub(super) const VERSION: &str = "0.13.0";
const PROGRAM: &str = "bpf-linker";
/// LLVMs that this version can be built with.
const LLVMS: [u32; 3] = [21, 22, 23];

/// Whether a linker is there that fits the toolchain.
pub(super) fn is_ready(toolchain: &Found) -> bool {
    find().is_some_and(|path| judge(&path, toolchain).is_ok())
}

/// Finds or installs a linker that fits the toolchain.
pub(super) fn ensure(toolchain: &Found) -> Result<()> {
    let wrong = match find() {
        None => format!("there is no {PROGRAM}"),
        Some(path) => match judge(&path, toolchain) {
            Ok(()) => return Ok(()),
            Err(why) => why,
        },
    };
    sh::say(&format!("{wrong}; installing {PROGRAM} {VERSION}"));
    let installed = install(toolchain);
    let judged = match find() {
        Some(path) => judge(&path, toolchain),
        None => Err(wrong),
    };
    let Err(why) = judged else { return Ok(()) };
    let log = installed.err().map(|error| format!(" ({error:#})")).unwrap_or_default();
    let llvm = toolchain.llvm_major;
    Err(Unavailable::error(format!(
        "{why}, and {PROGRAM} {VERSION} could not be installed{log}; install it with \
         `cargo install cargo-binstall && cargo binstall {PROGRAM}@{VERSION}`, or with an LLVM of at least {llvm} and \
         `LLVM_PREFIX=/usr/lib/llvm-{llvm} cargo install {PROGRAM} --version {VERSION} --locked \
         --no-default-features --features llvm-{llvm}`"
    )))
}

/// `PATH` with the directory of the linker, or of cargo's programs until it is installed. `None`: `PATH` contains it.
pub(super) fn path_to_add() -> Option<String> {
    let dir = match find() {
        Some(program) => program.parent()?.to_path_buf(),
        None => cargo_bin()?,
    };
    let path = env::var_os("PATH").unwrap_or_default();
    let dirs: Vec<PathBuf> = env::split_paths(&path).collect();
    if dirs.contains(&dir) {
        return None;
    }
    env::join_paths([dir].into_iter().chain(dirs)).ok()?.into_string().ok()
}

/// Where cargo installs programs.
fn cargo_bin() -> Option<PathBuf> {
    let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo_home = cargo_home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
    cargo_home.map(|home| home.join("bin"))
}

/// In `PATH`, or where cargo installs programs.
fn find() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let dirs = env::split_paths(&path).chain(cargo_bin());
    dirs.map(|dir| dir.join(PROGRAM)).find(|file| file.is_file())
}

/// Reports why a linker does not fit this toolchain.
fn judge(program: &Path, toolchain: &Found) -> Result<(), String> {
    let shown = program.display();
    let text =
        sh::output(Command::new(program).arg("--version")).map_err(|error| format!("{shown} fails: {error:#}"))?;
    if !at_least(&text, VERSION) {
        return Err(format!("{shown} is {:?}, but {PROGRAM} {VERSION} or newer is needed", text.trim()));
    }
    // Unknown is accepted: the build says what is wrong then.
    let llvm = fs::read(program).ok().and_then(|bytes| llvm_major(&bytes));
    match llvm {
        Some(llvm) if llvm < toolchain.llvm_major => Err(format!(
            "{shown} is built with LLVM {llvm}, but the toolchain {} has LLVM {}",
            toolchain.name, toolchain.llvm_major
        )),
        _ => Ok(()),
    }
}

/// Whether `bpf-linker 0.13.0` is at least `wanted`.
fn at_least(printed: &str, wanted: &str) -> bool {
    let parse = |text: &str| -> Option<Vec<u32>> {
        text.split(['-', '+']).next()?.split('.').map(|part| part.parse().ok()).collect()
    };
    let printed = printed.trim().strip_prefix(PROGRAM).and_then(|version| parse(version.trim()));
    printed.is_some() && printed >= parse(wanted)
}

/// LLVM's major version from the name of the shared library that a program needs. `None`: linked in, so it isn't named.
fn llvm_major(program: &[u8]) -> Option<u32> {
    ["libLLVM.so.", "libLLVM-"].iter().find_map(|prefix| {
        let at = program.windows(prefix.len()).position(|window| window == prefix.as_bytes())? + prefix.len();
        let digits: String =
            program[at..].iter().map(|byte| char::from(*byte)).take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    })
}

/// Tries a prebuilt one, then one built with an LLVM of this machine.
fn install(toolchain: &Found) -> Result<()> {
    if sh::in_path("cargo-binstall") {
        let mut command = Command::new("cargo");
        command.args(["binstall", "--no-confirm", "--force", &format!("{PROGRAM}@{VERSION}")]);
        if sh::step(&format!("downloading {PROGRAM}"), &mut command).is_ok() {
            return Ok(());
        }
    }
    // The toolchain's own LLVM if it is there, else the next newer one.
    let mut fitting = LLVMS.into_iter().filter(|llvm| *llvm >= toolchain.llvm_major);
    let has_headers = |llvm: &u32| llvm_prefix(*llvm).join("include/llvm-c").exists();
    let mut llvm = fitting.clone().find(has_headers);
    if llvm.is_none() {
        // Without one, the system's default LLVM would be taken, whatever its version.
        let installed = |llvm: &u32| {
            let packages = llvm_packages(*llvm);
            let packages: Vec<&str> = packages.iter().map(String::as_str).collect();
            apt::install(&format!("LLVM {llvm}"), &packages).is_ok() && has_headers(llvm)
        };
        llvm = fitting.find(installed);
    }
    let mut command = Command::new("cargo");
    command.args(["install", PROGRAM, "--version", VERSION, "--locked", "--force"]);
    if let Some(llvm) = llvm {
        command.args(["--no-default-features", "--features", &format!("llvm-{llvm}")]);
        command.env("LLVM_PREFIX", OsString::from(llvm_prefix(llvm)));
    }
    sh::compile(&format!("compiling {PROGRAM}"), "1 min", &mut command)
}

#[cfg(test)]
mod tests;

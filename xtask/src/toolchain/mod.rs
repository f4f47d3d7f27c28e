//! Makes sure that the eBPF toolchain is there.
//!
//! It consists of a Rust toolchain that rustup knows, with the sources of `core`, which is built for the BPF target;
//! and of a `bpf-linker` whose LLVM is at least as new as the toolchain's.

mod debian;
mod linker;

use crate::{Unavailable, sh};
use anyhow::{Context as _, Result, anyhow};
use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    thread,
};

/// Names the toolchain; read by `agent/build.rs`.
pub(crate) const VARIABLE: &str = "NETWHY_EBPF_TOOLCHAIN";
/// The toolchain that most users of rustup have.
const DEFAULT: &str = "nightly";

/// A toolchain that compiles for the BPF target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Toolchain {
    /// Name, as rustup knows it.
    pub(crate) name: String,
    /// Where it is.
    pub(crate) sysroot: PathBuf,
    /// For cargo calls that build for the host (and, through `agent/build.rs`, for BPF).
    ///
    /// Only what the user's own environment lacks, so that `cargo xtask` and `cargo build` share their artifacts.
    pub(crate) env: Vec<(String, String)>,
    /// For cargo calls with this toolchain, which builds `core` or the standard library too.
    pub(crate) bpf_env: Vec<(String, String)>,
}

impl Toolchain {
    /// `cargo` for the host, in the workspace.
    pub(crate) fn cargo(&self, workspace: &Path) -> Command {
        let mut command = sh::cargo(workspace);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// The toolchain's own `cargo`, in the workspace, for what no standard library is installed for.
    pub(crate) fn own_cargo(&self, workspace: &Path) -> Command {
        // Through rustup, because the cargo that runs us belongs to another toolchain.
        let mut command = Command::new("rustup");
        command.current_dir(workspace).args(["run", &self.name, "cargo"]);
        command.envs(self.bpf_env.iter().map(|(name, value)| (name, value)));
        // Set by the cargo that runs us; they would bring its compiler in.
        for name in ["RUSTC", "RUSTC_WORKSPACE_WRAPPER", "CARGO"] {
            command.env_remove(name);
        }
        command
    }
}

/// A rustup toolchain and its abilities.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    name: String,
    sysroot: PathBuf,
    llvm_major: u32,
    nightly: bool,
    has_source: bool,
}

/// Finds or installs a toolchain and remembers it for plain `cargo build`.
pub(crate) fn ensure(workspace: &Path) -> Result<Toolchain> {
    ensure_beside(workspace, |toolchain| Ok(toolchain.clone()))
}

/// The same with a build that runs while `bpf-linker` is installed. The agent's build script waits for the linker.
pub(crate) fn ensure_beside<T>(workspace: &Path, build: impl FnOnce(&Toolchain) -> Result<T>) -> Result<T> {
    let found = choose(workspace)?;
    // Before the build begins, because cargo runs the build script again when this file is younger than its last run.
    remember(workspace, &found.name)?;
    let toolchain = found.toolchain();
    if linker::is_ready(&found) {
        return build(&toolchain);
    }
    let lock = lock(workspace)?;
    thread::scope(|scope| {
        let installing = scope.spawn(|| {
            let installed = linker::ensure(&found);
            drop(lock);
            installed
        });
        let built = build(&toolchain);
        // Without a linker the build fails too: the cause goes first.
        installing.join().map_err(|_| anyhow!("the thread that installs bpf-linker panicked"))??;
        built
    })
}

/// The lock that the agent's build script waits for.
fn lock(workspace: &Path) -> Result<File> {
    let path = workspace.join("target/ebpf-toolchain.lock");
    let lock = || {
        let file = File::create(&path)?;
        file.lock()?;
        Ok::<_, std::io::Error>(file)
    };
    lock().with_context(|| format!("lock {}", path.display()))
}

fn choose(workspace: &Path) -> Result<Found> {
    if let Some(name) = env::var(VARIABLE).ok().filter(|name| !name.is_empty()) {
        return match inspect(&name) {
            Some(found) if found.has_source => Ok(found),
            Some(found) => Err(Unavailable::error(format!(
                "{VARIABLE} names the toolchain {name:?}, which has no sources of the standard library in {}; \
                 run `rustup component add rust-src --toolchain {name}`, or unset {VARIABLE}",
                found.sysroot.display()
            ))),
            None => Err(Unavailable::error(format!(
                "{VARIABLE} names the toolchain {name:?}, which rustup doesn't have (see `rustup toolchain list`)"
            ))),
        };
    }
    let remembered = fs::read_to_string(remembered_in(workspace)).ok();
    let remembered = remembered.as_deref().map(str::trim).filter(|name| !name.is_empty() && *name != DEFAULT);
    for name in [remembered, Some(DEFAULT), Some(debian::TOOLCHAIN)].into_iter().flatten() {
        if let Some(found) = inspect(name).filter(|found| found.has_source) {
            return Ok(found);
        }
    }
    // Nothing is ready: install what this machine can have.
    if let Some(found) = add_source_to_nightly() {
        return Ok(found);
    }
    let reason = match debian::install() {
        Ok(()) => match inspect(debian::TOOLCHAIN).filter(|found| found.has_source) {
            Some(found) => return Ok(found),
            None => "its packages are installed but have no sources of the standard library".to_owned(),
        },
        Err(error) => format!("{error:#}"),
    };
    Err(Unavailable::error(how_to_install(&reason)))
}

impl Found {
    fn toolchain(&self) -> Toolchain {
        let env: Vec<_> = linker::path_to_add().map(|path| ("PATH".to_owned(), path)).into_iter().collect();
        let mut bpf_env = env.clone();
        if !self.nightly {
            // Building `core` is an unstable feature. Only the BPF build may know, or every host crate is built again.
            bpf_env.push(("RUSTC_BOOTSTRAP".to_owned(), "1".to_owned()));
        }
        Toolchain { name: self.name.clone(), sysroot: self.sysroot.clone(), env, bpf_env }
    }
}

/// Asks rustup for a toolchain. `None`: it has none of that name, or there is no rustup.
fn inspect(name: &str) -> Option<Found> {
    let ask = |args: &[&str]| {
        let mut command = Command::new("rustup");
        // A question must not start a download.
        command.args(["run", name, "rustc"]).args(args).env("RUSTUP_AUTO_INSTALL", "0");
        sh::output(&mut command).ok()
    };
    let version = ask(&["-vV"])?;
    let sysroot = PathBuf::from(ask(&["--print", "sysroot"])?.trim());
    let (llvm_major, nightly) = parse_version(&version)?;
    let has_source = sysroot.join("lib/rustlib/src/rust/library/core/Cargo.toml").exists();
    Some(Found { name: name.to_owned(), sysroot, llvm_major, nightly, has_source })
}

/// LLVM's major version, and whether it is a nightly, from `rustc -vV`.
fn parse_version(text: &str) -> Option<(u32, bool)> {
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
    let llvm_major = value("LLVM version")?.split('.').next()?.parse().ok()?;
    Some((llvm_major, value("release")?.contains("nightly")))
}

/// Adds rust-src to an installed nightly; fails fast where rustup can't reach its server.
fn add_source_to_nightly() -> Option<Found> {
    inspect(DEFAULT)?;
    let mut command = Command::new("rustup");
    command.args(["component", "add", "rust-src", "--toolchain", DEFAULT]);
    sh::step("adding rust-src to rustup's nightly", &mut command).ok()?;
    inspect(DEFAULT).filter(|found| found.has_source)
}

/// Where the choice is kept; read by `agent/build.rs` when the variable is not set.
fn remembered_in(workspace: &Path) -> PathBuf {
    workspace.join("target/ebpf-toolchain")
}

fn remember(workspace: &Path, name: &str) -> Result<()> {
    let file = remembered_in(workspace);
    // Unchanged, it stays untouched: cargo looks at its age.
    if fs::read_to_string(&file).is_ok_and(|text| text.trim() == name) {
        return Ok(());
    }
    let write = || {
        fs::create_dir_all(workspace.join("target"))?;
        fs::write(&file, format!("{name}\n"))
    };
    write().with_context(|| format!("write {}", file.display()))
}

fn how_to_install(debian: &str) -> String {
    format!(
        "no eBPF toolchain; install one of these and run it again:\n\
         \n  with rustup, anywhere:\n    \
         rustup toolchain install nightly --component rust-src\n    \
         cargo install cargo-binstall && cargo binstall bpf-linker@{linker}\n\
         \n  from Debian's packages (as root this is done for you where apt has them; here: {debian}):\n    \
         apt-get install {packages}\n    \
         rustup toolchain link {toolchain} /usr\n    \
         LLVM_PREFIX={prefix} cargo install bpf-linker --version {linker} --locked \
         --no-default-features --features llvm-{llvm}\n\
         \nor name any rustup toolchain with rust-src in {VARIABLE}.",
        linker = linker::VERSION,
        packages = debian::PACKAGES.join(" "),
        toolchain = debian::TOOLCHAIN,
        prefix = debian::llvm_prefix(debian::LLVM).display(),
        llvm = debian::LLVM,
    )
}

#[cfg(test)]
mod tests;

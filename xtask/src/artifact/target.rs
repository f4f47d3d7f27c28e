//! Targets of the programs: names of their architectures, and the tools of this machine that build for them.

use crate::{Unavailable, apt, sh};
use anyhow::{Context as _, Result, bail};
use std::{env, path::Path, process::Command};

/// An architecture: 64 bits and little-endian, as the structs that the kernel programs share with the agent demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arch {
    /// rustc's `target_arch`.
    cfg: &'static str,
    /// First part of rustc's target.
    rust: &'static str,
    /// Name in images and krew's manifests: Go's.
    pub(crate) oci: &'static str,
    /// Name in Debian's packages.
    pub(crate) debian: &'static str,
    /// First part of the names of GNU's tools.
    gnu: &'static str,
    /// `e_machine` of elf(5).
    machine: u16,
}

const ARCHES: [Arch; 5] = [
    Arch { cfg: "x86_64", rust: "x86_64", oci: "amd64", debian: "amd64", gnu: "x86_64", machine: 62 },
    Arch { cfg: "aarch64", rust: "aarch64", oci: "arm64", debian: "arm64", gnu: "aarch64", machine: 183 },
    Arch { cfg: "riscv64", rust: "riscv64gc", oci: "riscv64", debian: "riscv64", gnu: "riscv64", machine: 243 },
    Arch { cfg: "powerpc64", rust: "powerpc64le", oci: "ppc64le", debian: "ppc64el", gnu: "powerpc64le", machine: 21 },
    Arch {
        cfg: "loongarch64",
        rust: "loongarch64",
        oci: "loong64",
        debian: "loong64",
        gnu: "loongarch64",
        machine: 258,
    },
];

impl Arch {
    /// This machine's. `None`: programs can't be built for it.
    pub(crate) fn host() -> Option<Self> {
        ARCHES.into_iter().find(|arch| arch.cfg == env::consts::ARCH && cfg!(target_endian = "little"))
    }

    /// QEMU's program that runs programs of it as processes of this machine.
    pub(crate) fn emulator(self) -> String {
        // Of two byte orders, one has the plain name.
        format!("qemu-{}", if self.cfg == "powerpc64" { "ppc64le" } else { self.cfg })
    }

    /// By the machine that an ELF program's header names.
    pub(super) fn of_machine(machine: u16) -> Option<Self> {
        ARCHES.into_iter().find(|arch| arch.machine == machine)
    }
}

/// The C library that is linked into the programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Library {
    Gnu,
    Musl,
}

/// A target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// As rustc names it.
    pub(crate) name: String,
    /// Its architecture.
    pub(crate) arch: Arch,
    library: Library,
}

impl Target {
    /// Reads a name as rustc has it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let both = |arch| [Self::new(arch, Library::Gnu), Self::new(arch, Library::Musl)];
        ARCHES.into_iter().flat_map(both).find(|target| target.name == text).ok_or_else(|| {
            let arches: Vec<&str> = ARCHES.iter().map(|arch| arch.rust).collect();
            format!("write ARCH-unknown-linux-gnu or ARCH-unknown-linux-musl, ARCH one of {}", arches.join(", "))
        })
    }

    fn new(arch: Arch, library: Library) -> Self {
        let suffix = match library {
            Library::Gnu => "gnu",
            Library::Musl => "musl",
        };
        Self { name: format!("{}-unknown-linux-{suffix}", arch.rust), arch, library }
    }

    /// musl's of this machine where it can build for it, else the GNU C library's, which can be linked statically too.
    fn of_host() -> Result<Self> {
        let arch = Arch::host().with_context(|| {
            format!("programs can't be built for this machine's {}: name another --target", env::consts::ARCH)
        })?;
        let musl = Self::new(arch, Library::Musl);
        Ok(if Tools::find(&musl).is_ok() { musl } else { Self::new(arch, Library::Gnu) })
    }

    /// Whether the GNU C library is linked in. It resolves names by files of the machine, which must fit its version.
    pub(crate) fn has_gnu_library(&self) -> bool {
        self.library == Library::Gnu
    }

    fn is_native(&self) -> bool {
        Arch::host() == Some(self.arch)
    }
}

/// What builds for a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tools {
    /// The standard library is built too: rustup has none for the target.
    pub(crate) builds_std: bool,
    /// Copies programs of the target.
    pub(super) objcopy: String,
    /// Cargo's variable for the linker, and the linker. `None`: rustc's default.
    pub(crate) linker: Option<(String, String)>,
}

impl Tools {
    /// Finds them. The error says how to install what is missing.
    fn find(target: &Target) -> Result<Self> {
        let has_std = has_std(&target.name);
        // Its start files and its library come with rustup's standard library, and Rust's sources have neither.
        if target.library == Library::Musl && !has_std {
            return Err(Unavailable::error(format!("there is no {0}: run `rustup target add {0}`", target.name)));
        }
        if let Some(compiler) = compiler(target).filter(|compiler| !sh::in_path(compiler)) {
            return Err(Unavailable::error(format!("there is no {compiler}, which builds for {}", target.name)));
        }
        Ok(Self::named(target, has_std))
    }

    /// Their names.
    pub(crate) fn named(target: &Target, has_std: bool) -> Self {
        if target.is_native() {
            return Self { builds_std: !has_std, objcopy: "objcopy".to_owned(), linker: None };
        }
        let variable = format!("CARGO_TARGET_{}_LINKER", target.name.to_uppercase().replace('-', "_"));
        let linker = Some((variable, format!("{}gcc", prefix(target))));
        Self { builds_std: !has_std, objcopy: format!("{}objcopy", prefix(target)), linker }
    }

    /// Finds or installs them.
    fn ensure(target: &Target) -> Result<Self> {
        let missing = match Self::find(target) {
            Ok(tools) => return Ok(tools),
            Err(error) => error,
        };
        if target.library == Library::Musl || target.is_native() {
            return Err(missing);
        }
        let packages = packages(target.arch);
        let names: Vec<&str> = packages.iter().map(String::as_str).collect();
        apt::install(&format!("a C compiler for {}", target.arch.oci), &names)
            .map_err(|error| Unavailable::error(format!("{missing}; install {} ({error:#})", names.join(" and "))))?;
        Self::find(target)
    }
}

/// The targets that are asked for, by default this machine's, each with its tools.
pub(crate) fn ready(given: &[Target]) -> Result<Vec<(Target, Tools)>> {
    let targets = if given.is_empty() { vec![Target::of_host()?] } else { given.to_vec() };
    distinct(&targets)?;
    targets.into_iter().map(|target| Tools::ensure(&target).map(|tools| (target, tools))).collect()
}

/// Refuses two targets of one architecture: their files would have the same names.
fn distinct(targets: &[Target]) -> Result<()> {
    for (i, target) in targets.iter().enumerate() {
        if let Some(other) = targets[..i].iter().find(|other| other.arch == target.arch) {
            bail!("{} and {} are both {}: name one of them", other.name, target.name, target.arch.oci);
        }
    }
    Ok(())
}

/// The C compiler that must be there: some crates bring C code. `None`: the machine's own.
fn compiler(target: &Target) -> Option<String> {
    match (target.is_native(), target.library) {
        (true, Library::Gnu) => None,
        (true, Library::Musl) => (!cfg!(target_env = "musl")).then(|| "musl-gcc".to_owned()),
        (false, _) => Some(format!("{}gcc", prefix(target))),
    }
}

/// Begins the names of the tools that build for another architecture.
fn prefix(target: &Target) -> String {
    let library = match target.library {
        Library::Gnu => "gnu",
        Library::Musl => "musl",
    };
    format!("{}-linux-{library}-", target.arch.gnu)
}

/// Debian's packages of a C compiler for another architecture, and of the C library to link in.
fn packages(arch: Arch) -> [String; 2] {
    [format!("gcc-{}-linux-gnu", arch.gnu.replace('_', "-")), format!("libc6-dev-{}-cross", arch.debian)]
}

/// Whether rustc has a standard library for a target.
pub(crate) fn has_std(target: &str) -> bool {
    let mut command = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    command.args(["--print", "target-libdir", "--target", target]);
    sh::output(&mut command).is_ok_and(|dir| Path::new(dir.trim()).is_dir())
}

#[cfg(test)]
mod tests;

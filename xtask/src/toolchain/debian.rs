//! The distribution's own Rust, for machines that can't reach rustup's servers.

use crate::{apt, sh};
use anyhow::{Result, ensure};
use std::{path::PathBuf, process::Command};

/// Name under which it is linked into rustup.
pub(super) const TOOLCHAIN: &str = "debian-web";
/// LLVM that these packages were built with.
pub(super) const LLVM: u32 = 22;
/// A recent Rust with its sources, and what bpf-linker is built with.
pub(super) const PACKAGES: [&str; 8] = [
    "rustc-web",
    "rust-web-src",
    "rust-web-clippy",
    "cargo-web",
    "llvm-22-dev",
    "libpolly-22-dev",
    "zlib1g-dev",
    "libzstd-dev",
];

/// Packages that bpf-linker is built with.
pub(super) fn llvm_packages(major: u32) -> [String; 4] {
    [format!("llvm-{major}-dev"), format!("libpolly-{major}-dev"), "zlib1g-dev".to_owned(), "libzstd-dev".to_owned()]
}

/// Where Debian keeps an LLVM.
pub(super) fn llvm_prefix(major: u32) -> PathBuf {
    PathBuf::from(format!("/usr/lib/llvm-{major}"))
}

/// Installs the packages and links the toolchain.
pub(super) fn install() -> Result<()> {
    ensure!(sh::in_path("rustup"), "there is no rustup to link it into");
    apt::install("the distribution's Rust (about 400 MB)", &PACKAGES)?;
    let mut link = Command::new("rustup");
    link.args(["toolchain", "link", TOOLCHAIN, "/usr"]);
    sh::step("linking it into rustup", &mut link)
}

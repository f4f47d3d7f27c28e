//! gRPC's package for Python, installed from PyPI into a folder of its own: real peers for tests.

use crate::{Unavailable, pypi, sh};
use anyhow::Result;
use netwhy_tests::grpc;
use std::path::{Path, PathBuf};

/// Finds a Python with the package, or installs it.
pub(crate) fn ensure(workspace: &Path) -> Result<PathBuf> {
    let target = sh::target_dir(workspace);
    if let Some(python) = grpc::find(&target) {
        return Ok(python);
    }
    let failed = match pypi::install(&[grpc::PACKAGE], &grpc::environment(&target)) {
        Ok(()) => match grpc::find(&target) {
            Some(python) => return Ok(python),
            None => "its package has no library for this machine".to_owned(),
        },
        Err(error) => format!("{error:#}"),
    };
    Err(Unavailable::error(format!("no gRPC: repair `pip install {}`: {failed}", grpc::PACKAGE)))
}

//! The Python package `mcp`, installed from PyPI into a folder of its own.

use crate::{Unavailable, pypi, sh};
use anyhow::Result;
use netwhy_tests::mcp;
use std::path::Path;

/// Installs it, if it is not there.
pub(crate) fn ensure(workspace: &Path) -> Result<()> {
    let target = sh::target_dir(workspace);
    if mcp::find(&target).is_some() {
        return Ok(());
    }
    pypi::install(&[mcp::PACKAGE], &mcp::environment(&target))
        .map_err(|error| Unavailable::error(format!("no MCP client: repair `pip install {}`: {error:#}", mcp::PACKAGE)))
}

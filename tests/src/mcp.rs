//! An independent client of the Model Context Protocol, for the tests of `kubectl netwhy mcp`.

use std::path::{Path, PathBuf};

/// The package on PyPI that holds the client.
pub const PACKAGE: &str = "mcp==2.3.0";

/// Where `cargo xtask` installs it: a virtual environment of Python, below cargo's target folder.
pub fn environment(target: &Path) -> PathBuf {
    target.join("xtask/mcp")
}

/// Finds the Python that has the client, where `cargo xtask` installs it. `None`: nowhere.
pub fn find(target: &Path) -> Option<PathBuf> {
    let environment = environment(target);
    // An environment without the package is what a failed installation leaves.
    let has_package = environment.join("bin/mcp").is_file();
    Some(environment.join("bin/python")).filter(|python| has_package && python.is_file())
}

//! A real server and client of gRPC, for tests: Python's `grpcio`.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The package on PyPI.
pub const PACKAGE: &str = "grpcio==1.85.3";

/// The program: its first argument is `server` or `client`. Its head says the rest.
pub const PROGRAM: &str = include_str!("grpc_peer.py");

/// Where `cargo xtask` installs the package: a virtual environment of Python, below cargo's target folder.
pub fn environment(target: &Path) -> PathBuf {
    target.join("xtask/grpc")
}

/// Finds a Python that has the package. `None`: nobody installed it.
pub fn find(target: &Path) -> Option<PathBuf> {
    let environment = environment(target);
    let versions = fs::read_dir(environment.join("lib")).ok()?.flatten();
    let has_package =
        versions.into_iter().any(|version| version.path().join("site-packages/grpc/__init__.py").is_file());
    let python = environment.join("bin/python");
    (has_package && python.is_file()).then_some(python)
}

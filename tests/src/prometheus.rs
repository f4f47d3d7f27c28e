//! Debian's Prometheus.

use std::path::{Path, PathBuf};

/// Finds one of Debian's programs: in `PATH`, else where `cargo xtask test` unpacks the package.
pub fn find(program: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let dirs = std::env::var_os("PATH").unwrap_or_default();
    let mut candidates: Vec<PathBuf> = std::env::split_paths(&dirs).map(|dir| dir.join(program)).collect();
    candidates.push(root.join(target).join("xtask/prometheus/usr/bin").join(program));
    candidates.into_iter().find(|path| path.is_file())
}

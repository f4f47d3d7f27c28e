//! Programs of a real Kubernetes for the tests that want one.

use crate::sh;
use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// Names a folder with `kube-assets`, `kube-up` and `kube-down`.
pub(crate) const TOOLS: &str = "NETWHY_KUBE_TOOLS";

/// Where the programs are: `KUBEBUILDER_ASSETS`, or what `kube-assets` made.
fn assets() -> Option<PathBuf> {
    let named = env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from);
    let cached = env::var_os("HOME").map(|home| Path::new(&home).join(".cache/netwhy/kube"));
    [named, cached].into_iter().flatten().find(|dir| dir.join("kube-apiserver").is_file())
}

/// Has them built where they are missing and `NETWHY_KUBE_TOOLS` says how. Where that fails, the tests that need them say
/// that they are skipped.
pub(crate) fn ensure() {
    let Some(tools) = env::var_os(TOOLS).filter(|_| assets().is_none()) else { return };
    let mut command = Command::new(Path::new(&tools).join("kube-assets"));
    if let Err(error) = sh::step("building etcd, the API server and the kubelet (some minutes)", &mut command) {
        sh::say(&format!("{error:#}"));
    }
}

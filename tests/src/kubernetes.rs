//! Programs of a real Kubernetes.

use std::{
    env,
    path::{Path, PathBuf},
};

/// Environment variable that names a folder with `kube-assets`, `kube-up` and `kube-down`.
pub const TOOLS: &str = "NETWHY_KUBE_TOOLS";

/// The folder with etcd and kube-apiserver: `KUBEBUILDER_ASSETS`, as envtest has it, or where `kube-assets` puts what
/// it builds.
///
/// # Errors
/// Why they are not to be had, as a test says it behind `SKIP`. It is the machine's own limit (`machine: …`) only where
/// nothing was named that could have built them.
pub fn assets() -> Result<PathBuf, String> {
    let named = env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from);
    let cached = env::var_os("HOME").map(|home| Path::new(&home).join(".cache/netwhy/kube"));
    let has_both = |dir: &PathBuf| dir.join("etcd").is_file() && dir.join("kube-apiserver").is_file();
    [named, cached].into_iter().flatten().find(has_both).ok_or_else(|| match env::var(TOOLS) {
        Ok(tools) => {
            format!("no etcd and kube-apiserver, although {TOOLS} is {tools}: run its kube-assets and see why")
        }
        Err(_) => "machine: no etcd and kube-apiserver: set KUBEBUILDER_ASSETS to their folder".to_owned(),
    })
}

//! Programs of a real Kubernetes for the tests that want one.

use crate::sh;
use netwhy_tests::kubernetes::{TOOLS, assets};
use std::{env, path::Path, process::Command};

/// Builds missing programs with the command in `NETWHY_KUBE_TOOLS`. If that fails, the tests that need them are
/// skipped, or fail where `CI` is set.
pub(crate) fn ensure() {
    let Some(tools) = env::var_os(TOOLS).filter(|_| assets().is_err()) else { return };
    let mut command = Command::new(Path::new(&tools).join("kube-assets"));
    if let Err(error) = sh::step("building etcd, the API server and the kubelet (some minutes)", &mut command) {
        sh::say(&format!("{error:#}"));
    }
}

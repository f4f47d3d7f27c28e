//! The manifest of krew, kubectl's manager of plugins
//! (<https://krew.sigs.k8s.io/docs/developer-guide/plugin-manifest/>).

use super::File;
use crate::artifact::{archive, program::Program, target::Arch};
use serde_json::json;

/// krew demands the plugin's name for it.
pub(super) const NAME: &str = "netwhy.yaml";

/// The manifest for the plugin's archives. `url`: folder of the archives. Without one, krew installs the archive that
/// somebody downloaded.
pub(super) fn manifest(archives: &[(Arch, File)], url: Option<&str>) -> File {
    let version = env!("CARGO_PKG_VERSION");
    let platforms: String = archives.iter().map(|(arch, archive)| platform(*arch, archive, url)).collect();
    let text = format!(
        r#"apiVersion: krew.googlecontainertools.github.com/v1alpha2
kind: Plugin
metadata:
  name: netwhy
spec:
  version: v{version}
  shortDescription: Tell why a Pod is slow, and who is at fault
  description: |
    netwhy asks its agents on the Nodes for loss, response times, CPU, DNS and more, each beside its normal value.
    The answer is one cause, who is at fault (the Pod, its Node, a peer's Node, the path, or something outside),
    the evidence, and what is not known. Begin with `kubectl netwhy why pod/NAME`.
  caveats: |
    It needs netwhy's agents in the cluster: install the Helm chart netwhy.
    For `kubectl netwhy <TAB>`, copy kubectl_complete-netwhy, which is beside the plugin's program, into the PATH.
  platforms:
{platforms}"#
    );
    File { name: NAME.to_owned(), bytes: text.into_bytes() }
}

/// One archive.
fn platform(arch: Arch, archive: &File, url: Option<&str>) -> String {
    let uri = match url {
        Some(url) => format!("{url}/{}", archive.name),
        None => archive.name.clone(),
    };
    let (uri, sum, program) = (json!(uri), json!(archive::sha256(&archive.bytes)), Program::Plugin.name());
    let architecture = arch.oci;
    format!(
        "  - selector:
      matchLabels:
        os: linux
        arch: {architecture}
    uri: {uri}
    sha256: {sum}
    bin: {program}
"
    )
}

#[cfg(test)]
mod tests;

//! The archive: a layout directory of the OCI image specification 1.0 as one tar file, a function of its input alone.

use super::files::PROGRAM;
use crate::artifact::{
    archive::{self, Entry, Tar},
    source::Origin,
    target::Arch,
};
use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use std::fmt;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// User and group that the program runs as when nobody says otherwise: what needs no privileges (`replay`,
/// `config check`) works with it; `run` starts as root and becomes this user.
const USER: &str = "65532:65532";

/// Name and tag of an image, written out in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    /// With registry, as container engines complete it.
    name: String,
    tag: String,
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.tag)
    }
}

/// Reads `NAME:TAG`; without a registry it is the engines' default one's, without a tag `latest`.
pub(crate) fn reference(text: &str) -> Result<Reference, String> {
    let (name, tag) = match text.rsplit_once(':') {
        // A colon before a slash is a registry's port.
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (text, "latest"),
    };
    let allowed = |extra: &'static str| move |c: char| c.is_ascii_alphanumeric() || extra.contains(c);
    let lower = !name.chars().any(|c| c.is_ascii_uppercase());
    let parts = name.split('/').all(|part| !part.is_empty());
    let tagged = !tag.is_empty() && tag.len() <= 128 && tag.chars().all(allowed("_.-"));
    if !(lower && parts && tagged && name.chars().all(allowed("_.-/:"))) {
        return Err("write NAME:TAG such as registry.example/netwhy-agent:0.1.0, the name in small letters".to_owned());
    }
    let first = name.split('/').next().filter(|_| name.contains('/'));
    let registry = first.is_some_and(|part| part.contains(['.', ':']) || part == "localhost");
    let name = match (registry, first) {
        (true, _) => name.to_owned(),
        (false, Some(_)) => format!("docker.io/{name}"),
        (false, None) => format!("docker.io/library/{name}"),
    };
    Ok(Reference { name, tag: tag.to_owned() })
}

/// A layer: the compressed archive of its files.
pub(super) struct Layer {
    /// gzip.
    pub(super) bytes: Vec<u8>,
    /// Digest of `bytes`.
    pub(super) digest: String,
    /// Digest of what is in them.
    uncompressed: String,
}

impl Layer {
    /// Packs files, all with this time.
    pub(super) fn new(entries: &[Entry], seconds: u64) -> Result<Self> {
        let tar = archive::pack(entries, seconds)?;
        let bytes = archive::gzip(&tar)?;
        Ok(Self { digest: digest(&bytes), uncompressed: digest(&tar), bytes })
    }
}

/// An archive.
pub(super) struct Archive {
    pub(super) bytes: Vec<u8>,
    /// Digest of its manifest, or of the list of its manifests: the image's.
    pub(super) manifest: String,
}

/// Makes the archive of an image that has one layer for each architecture.
pub(super) fn archive(
    layers: &[(Arch, Layer)],
    reference: &Reference,
    version: &str,
    origin: &Origin,
) -> Result<Archive> {
    let created = origin.created()?;
    let labels = labels(version, &created, origin.revision.as_deref());
    let (mut blobs, mut manifests) = (Vec::new(), Vec::new());
    for (arch, layer) in layers {
        let config = config(*arch, layer, &created, &labels)?;
        let manifest = json_bytes(&json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor(CONFIG, &config),
            "layers": [descriptor(LAYER, &layer.bytes)],
            "annotations": labels,
        }))?;
        let mut entry = descriptor(MANIFEST, &manifest);
        entry["platform"] = json!({ "architecture": arch.oci, "os": "linux" });
        manifests.push(entry);
        blobs.extend([manifest, config, layer.bytes.clone()]);
    }
    let mut entry = match manifests.as_slice() {
        [] => bail!("an image needs a layer"),
        [one] => one.clone(),
        // Two entries of one name would hide each other: the name leads to a list.
        _ => {
            let list = json_bytes(&index(&manifests, Some(&labels)))?;
            let entry = descriptor(INDEX, &list);
            blobs.insert(0, list);
            entry
        }
    };
    // The first is the specification's, the second what containerd names an imported image by.
    entry["annotations"] = json!({
        "org.opencontainers.image.ref.name": reference.tag,
        "io.containerd.image.name": reference.to_string(),
    });
    let manifest = entry["digest"].as_str().unwrap_or_default().to_owned();
    let mut tar = Tar::new(origin.seconds);
    tar.file("oci-layout", 0o644, br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    tar.file("index.json", 0o644, &json_bytes(&index(&[entry], None))?)?;
    tar.directory("blobs", 0o755)?;
    tar.directory("blobs/sha256", 0o755)?;
    for blob in &blobs {
        tar.file(&format!("blobs/sha256/{}", digest(blob).trim_start_matches("sha256:")), 0o644, blob)?;
    }
    Ok(Archive { bytes: tar.finish()?, manifest })
}

/// How a container of the image starts.
fn config(arch: Arch, layer: &Layer, created: &str, labels: &Value) -> Result<Vec<u8>> {
    json_bytes(&json!({
        "created": created,
        "architecture": arch.oci,
        "os": "linux",
        "config": {
            "User": USER,
            "ExposedPorts": { "9810/tcp": {}, "9811/tcp": {} },
            "Env": ["PATH=/usr/local/bin"],
            "Entrypoint": [format!("/{PROGRAM}")],
            "Labels": labels,
        },
        "rootfs": { "type": "layers", "diff_ids": [layer.uncompressed] },
        "history": [{ "created": created, "created_by": "cargo xtask image" }],
    }))
}

fn index(manifests: &[Value], annotations: Option<&Value>) -> Value {
    let mut index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests });
    if let Some(annotations) = annotations {
        index["annotations"] = annotations.clone();
    }
    index
}

fn labels(version: &str, created: &str, revision: Option<&str>) -> Value {
    let mut labels = json!({
        "org.opencontainers.image.title": "netwhy-agent",
        "org.opencontainers.image.description": "Why is this Pod slow, and which Node is to blame? netwhy's node agent",
        "org.opencontainers.image.version": version,
        "org.opencontainers.image.created": created,
        "org.opencontainers.image.licenses": "MIT OR Apache-2.0",
    });
    if let Some(revision) = revision {
        labels["org.opencontainers.image.revision"] = json!(revision);
    }
    labels
}

fn descriptor(media_type: &str, blob: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": digest(blob), "size": blob.len() })
}

/// Keys come sorted: serde_json's maps are trees.
fn json_bytes(value: &Value) -> Result<Vec<u8>> {
    serde_json::to_vec(value).context("write JSON")
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", archive::sha256(bytes))
}

#[cfg(test)]
mod tests;

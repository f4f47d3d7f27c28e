//! The archive: a layout directory of the OCI image specification 1.0 as one tar file, a function of its input alone.

use super::{
    files::{Entry, PROGRAM},
    source::Origin,
};
use anyhow::{Context as _, Result};
use flate2::{Compression, GzBuilder};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::{env, fmt, io::Write as _};

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

/// This machine's architecture, by the specification's name.
pub(super) fn architecture() -> &'static str {
    match env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
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
        let mut tar = Tar::new(seconds);
        for entry in entries {
            match &entry.content {
                None => tar.directory(&entry.path, entry.mode)?,
                Some(bytes) => tar.file(&entry.path, entry.mode, bytes)?,
            }
        }
        let tar = tar.finish()?;
        // The header names neither a file nor a time nor, as zlib's would, the system.
        let mut gzip = GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::best());
        let bytes = gzip.write_all(&tar).and_then(|()| gzip.finish()).context("compress the layer")?;
        Ok(Self { digest: digest(&bytes), uncompressed: digest(&tar), bytes })
    }
}

/// An archive.
pub(super) struct Archive {
    pub(super) bytes: Vec<u8>,
    /// Digest of its manifest: the image's.
    pub(super) manifest: String,
}

/// Makes the archive of an image of one layer.
pub(super) fn archive(layer: &Layer, reference: &Reference, version: &str, origin: &Origin) -> Result<Archive> {
    let created = origin.created()?;
    let labels = labels(version, &created, origin.revision.as_deref());
    let config = json_bytes(&json!({
        "created": created,
        "architecture": architecture(),
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
    }))?;
    let manifest = json_bytes(&json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(CONFIG, &config),
        "layers": [descriptor(LAYER, &layer.bytes)],
        "annotations": labels,
    }))?;
    let mut entry = descriptor(MANIFEST, &manifest);
    entry["platform"] = json!({ "architecture": architecture(), "os": "linux" });
    // The first is the specification's, the second what containerd names an imported image by.
    entry["annotations"] = json!({
        "org.opencontainers.image.ref.name": reference.tag,
        "io.containerd.image.name": reference.to_string(),
    });
    let index = json_bytes(&json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [entry],
    }))?;
    let mut tar = Tar::new(origin.seconds);
    tar.file("oci-layout", 0o644, br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    tar.file("index.json", 0o644, &index)?;
    tar.directory("blobs", 0o755)?;
    tar.directory("blobs/sha256", 0o755)?;
    for blob in [&manifest, &config, &layer.bytes] {
        tar.file(&format!("blobs/sha256/{}", digest(blob).trim_start_matches("sha256:")), 0o644, blob)?;
    }
    Ok(Archive { bytes: tar.finish()?, manifest: digest(&manifest) })
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
    let hash = Sha256::digest(bytes);
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// A tar file whose entries are root's and of one time.
struct Tar {
    builder: tar::Builder<Vec<u8>>,
    seconds: u64,
}

impl Tar {
    fn new(seconds: u64) -> Self {
        Self { builder: tar::Builder::new(Vec::new()), seconds }
    }

    fn directory(&mut self, path: &str, mode: u32) -> Result<()> {
        self.entry(&format!("{path}/"), tar::EntryType::Directory, mode, &[])
    }

    fn file(&mut self, path: &str, mode: u32, bytes: &[u8]) -> Result<()> {
        self.entry(path, tar::EntryType::Regular, mode, bytes)
    }

    fn entry(&mut self, path: &str, kind: tar::EntryType, mode: u32, bytes: &[u8]) -> Result<()> {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(self.seconds);
        header.set_size(bytes.len() as u64);
        self.builder.append_data(&mut header, path, bytes).with_context(|| format!("pack {path}"))
    }

    fn finish(self) -> Result<Vec<u8>> {
        self.builder.into_inner().context("end the archive")
    }
}

#[cfg(test)]
mod tests;

//! Signatures by a private key in a file. `openssl` makes them; `cosign` and `openssl` check them.

use super::{File, provenance::PAYLOAD};
use crate::sh;
use anyhow::{Context as _, Result, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Holds the key's password, if it has one.
const PASSWORD: &str = "NETWHY_KEY_PASSWORD";

/// A private key that openssl reads: ECDSA on P-256 as `cosign import-key-pair` takes it, or RSA.
pub(super) struct Key {
    file: PathBuf,
    /// Parent of the folder for openssl's files.
    folder: PathBuf,
}

impl Key {
    /// Signs a word, so that a wrong key is an error before the build and not after it.
    pub(super) fn read(file: &Path, folder: &Path) -> Result<Self> {
        let text = fs::read(file).with_context(|| format!("read the key {}", file.display()))?;
        let cosigns = ["ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY"];
        ensure!(
            !cosigns.iter().any(|kind| String::from_utf8_lossy(&text).contains(kind)),
            "{} is encrypted in cosign's own way: leave --sign-key out and run `cosign sign-blob`, or give the key that \
             `cosign import-key-pair` took",
            file.display()
        );
        // openssl runs elsewhere.
        let file = file.canonicalize().with_context(|| format!("find the key {}", file.display()))?;
        let key = Self { file, folder: folder.to_path_buf() };
        key.sign(b"netwhy").with_context(|| format!("use the key {}", key.file.display()))?;
        Ok(key)
    }

    /// The signature of the bytes' SHA-256, in base64: what `cosign sign-blob` writes.
    fn sign(&self, bytes: &[u8]) -> Result<String> {
        let folder = self.folder.join(format!("xtask/sign-{}", std::process::id()));
        let (message, signature) = (folder.join("message"), folder.join("signature"));
        fs::create_dir_all(&folder)
            .and_then(|()| fs::write(&message, bytes))
            .with_context(|| format!("write {}", message.display()))?;
        let mut command = Command::new("openssl");
        command.current_dir(&folder).args(["dgst", "-sha256", "-sign"]).arg(&self.file);
        // Without one, openssl would ask for it.
        let password = if env::var_os(PASSWORD).is_some() { format!("env:{PASSWORD}") } else { "pass:".to_owned() };
        command.args(["-passin", &password, "-out", "signature", "message"]);
        let signed = sh::output(&mut command)
            .and_then(|_| fs::read(&signature).with_context(|| format!("read {}", signature.display())));
        fs::remove_dir_all(&folder).with_context(|| format!("remove {}", folder.display()))?;
        Ok(STANDARD.encode(signed?))
    }
}

/// Names of the files for these names of the checksums and of the statement.
pub(super) fn names(sums: &str, statement: &str) -> [String; 2] {
    [format!("{sums}.sig"), format!("{}.intoto.jsonl", statement.trim_end_matches(".json"))]
}

/// The signature of the checksums, and the statement in a signed envelope.
pub(super) fn files(key: &Key, sums: &File, statement: &File) -> Result<[File; 2]> {
    let [name, envelope_name] = names(&sums.name, &statement.name);
    let signature = File { name, bytes: key.sign(&sums.bytes)?.into_bytes() };
    let envelope = File { name: envelope_name, bytes: envelope(key, &statement.bytes)?.into_bytes() };
    Ok([signature, envelope])
}

/// An envelope of DSSE 1.0 (<https://github.com/secure-systems-lab/dsse>).
fn envelope(key: &Key, payload: &[u8]) -> Result<String> {
    let signature = key.sign(&signed_bytes(payload))?;
    let envelope = json!({
        "payloadType": PAYLOAD,
        "payload": STANDARD.encode(payload),
        "signatures": [{"keyid": "", "sig": signature}],
    });
    Ok(format!("{envelope}\n"))
}

/// DSSE's PAE: type and payload, each after its length.
fn signed_bytes(payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {PAYLOAD} {} ", PAYLOAD.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

#[cfg(test)]
mod tests;

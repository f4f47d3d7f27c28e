use super::*;
use crate::artifact::target::Target;
use serde_json::Value;

fn read(url: Option<&str>) -> Value {
    let archives = [("x86_64", "kubectl-netwhy.tar.gz", "archive"), ("aarch64", "arm.tar.gz", "arm")];
    let archives = archives.map(|(arch, name, bytes)| {
        let arch = Target::parse(&format!("{arch}-unknown-linux-musl")).unwrap().arch;
        (arch, File { name: name.to_owned(), bytes: bytes.into() })
    });
    let file = manifest(&archives, url);
    assert_eq!(file.name, "netwhy.yaml");
    serde_saphyr::from_slice(&file.bytes).unwrap()
}

#[test]
fn the_manifest_leads_to_the_archive_and_has_its_checksum() {
    let manifest = read(Some("https://downloads.example/it's"));
    assert_eq!(manifest["apiVersion"], "krew.googlecontainertools.github.com/v1alpha2");
    assert_eq!((&manifest["kind"], &manifest["metadata"]["name"]), (&json!("Plugin"), &json!("netwhy")));
    let spec = &manifest["spec"];
    assert_eq!(spec["version"], concat!("v", env!("CARGO_PKG_VERSION")));
    // krew's index takes no longer one.
    assert!(spec["shortDescription"].as_str().unwrap().len() <= 50);
    assert!(spec["description"].as_str().unwrap().ends_with("why pod/NAME`.\n"));
    let platform = &spec["platforms"][0];
    assert_eq!(platform["uri"], "https://downloads.example/it's/kubectl-netwhy.tar.gz");
    assert_eq!(platform["sha256"], archive::sha256(b"archive"));
    assert_eq!(platform["bin"], "kubectl-netwhy");
    assert_eq!(platform["selector"]["matchLabels"], json!({"os": "linux", "arch": "amd64"}));
    assert_eq!(spec["platforms"].as_array().unwrap().len(), 2);
    let other = &spec["platforms"][1];
    assert_eq!(
        (&other["selector"]["matchLabels"]["arch"], &other["sha256"]),
        (&json!("arm64"), &json!(archive::sha256(b"arm")))
    );
}

#[test]
fn without_an_address_it_names_the_archive() {
    assert_eq!(read(None)["spec"]["platforms"][0]["uri"], "kubectl-netwhy.tar.gz");
}

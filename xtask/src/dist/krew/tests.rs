use super::*;
use serde_json::Value;

fn read(url: Option<&str>) -> Value {
    let archive = File { name: "kubectl-netwhy.tar.gz".to_owned(), bytes: b"archive".to_vec() };
    let file = manifest(&archive, url);
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
    assert_eq!(platform["selector"]["matchLabels"]["os"], "linux");
}

#[test]
fn without_an_address_it_names_the_archive() {
    assert_eq!(read(None)["spec"]["platforms"][0]["uri"], "kubectl-netwhy.tar.gz");
}

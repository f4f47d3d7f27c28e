use super::*;
use crate::artifact::target::Target;
use std::{collections::BTreeMap, io::Read as _};

fn entries() -> Vec<Entry> {
    let directory = |path: &str| Entry { path: path.to_owned(), mode: 0o755, content: None };
    let program = Entry { path: PROGRAM.to_owned(), mode: 0o555, content: Some(vec![7; 300_000]) };
    vec![directory("usr"), directory("usr/local"), directory("usr/local/bin"), program]
}

fn made() -> (Layer, Archive) {
    let layer = || Layer::new(&entries(), 1_700_000_000).unwrap();
    (layer(), archived(&[(arch("x86_64"), layer())]).unwrap())
}

fn arch(name: &str) -> Arch {
    Target::parse(&format!("{name}-unknown-linux-gnu")).unwrap().arch
}

fn archived(layers: &[(Arch, Layer)]) -> Result<Archive> {
    let origin = Origin { seconds: 1_700_000_000, revision: Some("abc".to_owned()) };
    archive(layers, &reference("shop.example/netwhy-agent:1.2").unwrap(), "1.2", &origin)
}

fn unpack(bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in tar::Archive::new(bytes).entries().unwrap() {
        let mut entry = entry.unwrap();
        let header = entry.header().clone();
        assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
        assert_eq!(header.mtime().unwrap(), 1_700_000_000);
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        found.insert(entry.path().unwrap().display().to_string(), content);
    }
    found
}

/// The blob that a descriptor leads to.
fn blob(files: &BTreeMap<String, Vec<u8>>, descriptor: &Value) -> Vec<u8> {
    let name = descriptor["digest"].as_str().unwrap().trim_start_matches("sha256:");
    let bytes = &files[&format!("blobs/sha256/{name}")];
    assert_eq!(descriptor["size"], bytes.len());
    assert_eq!(descriptor["digest"], digest(bytes));
    bytes.clone()
}

#[test]
fn same_files_give_the_same_bytes() {
    let ((layer, archive), (again, archived_again)) = (made(), made());
    assert_eq!(layer.bytes, again.bytes);
    assert_eq!(archive.bytes, archived_again.bytes);
    let later = Layer::new(&entries(), 1_700_000_001).unwrap();
    assert_ne!(layer.digest, later.digest, "the time is in it");
}

#[test]
fn every_descriptor_leads_to_its_blob_and_the_layer_to_its_files() {
    let (layer, archive) = made();
    let files = unpack(&archive.bytes);
    assert_eq!(files["oci-layout"], br#"{"imageLayoutVersion":"1.0.0"}"#);
    let blob = |descriptor: &Value| blob(&files, descriptor);
    let index: Value = serde_json::from_slice(&files["index.json"]).unwrap();
    let entry = &index["manifests"][0];
    assert_eq!(entry["digest"], archive.manifest);
    assert_eq!(entry["annotations"]["org.opencontainers.image.ref.name"], "1.2");
    assert_eq!(entry["annotations"]["io.containerd.image.name"], "shop.example/netwhy-agent:1.2");
    let manifest: Value = serde_json::from_slice(&blob(entry)).unwrap();
    let config: Value = serde_json::from_slice(&blob(&manifest["config"])).unwrap();
    assert_eq!(config["config"]["Entrypoint"][0], format!("/{PROGRAM}"));
    assert_eq!(config["config"]["User"], USER);
    assert_eq!(config["created"], "2023-11-14T22:13:20Z");
    assert_eq!(config["config"]["Labels"]["org.opencontainers.image.revision"], "abc");
    let packed = blob(&manifest["layers"][0]);
    assert_eq!(packed, layer.bytes);
    let mut tar = Vec::new();
    flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut tar).unwrap();
    assert_eq!(config["rootfs"]["diff_ids"][0], digest(&tar));
    let layer_files = unpack(&tar);
    assert_eq!(layer_files[PROGRAM].len(), 300_000);
    assert_eq!(layer_files.len(), 4);
}

#[test]
fn an_image_of_two_architectures_has_one_name_and_a_list_of_manifests() {
    let layers = [("x86_64", 1), ("aarch64", 2)].map(|(name, byte)| {
        let program = Entry { path: PROGRAM.to_owned(), mode: 0o555, content: Some(vec![byte]) };
        (arch(name), Layer::new(&[program], 1_700_000_000).unwrap())
    });
    let archive = archived(&layers).unwrap();
    let files = unpack(&archive.bytes);
    let read = |descriptor: &Value| serde_json::from_slice::<Value>(&blob(&files, descriptor)).unwrap();
    let index: Value = serde_json::from_slice(&files["index.json"]).unwrap();
    assert_eq!(index["manifests"].as_array().unwrap().len(), 1);
    let entry = &index["manifests"][0];
    assert_eq!((&entry["mediaType"], &entry["digest"]), (&json!(INDEX), &json!(archive.manifest)));
    assert_eq!(entry["annotations"]["io.containerd.image.name"], "shop.example/netwhy-agent:1.2");
    let list = read(entry);
    assert_eq!(list["manifests"].as_array().unwrap().len(), 2);
    for (i, name) in ["amd64", "arm64"].into_iter().enumerate() {
        let entry = &list["manifests"][i];
        assert_eq!(entry["platform"], json!({ "architecture": name, "os": "linux" }));
        let manifest = read(entry);
        assert_eq!(read(&manifest["config"])["architecture"], name);
        assert_eq!(blob(&files, &manifest["layers"][0]), layers[i].1.bytes);
    }
    assert!(archived(&[]).is_err());
}

#[test]
fn references_are_completed_as_container_engines_do() {
    let full = |text: &str| reference(text).map(|reference| reference.to_string());
    assert_eq!(full("netwhy-agent").unwrap(), "docker.io/library/netwhy-agent:latest");
    assert_eq!(full("netwhy-agent:0.1.0").unwrap(), "docker.io/library/netwhy-agent:0.1.0");
    assert_eq!(full("team/agent:a").unwrap(), "docker.io/team/agent:a");
    assert_eq!(full("localhost/agent:a").unwrap(), "localhost/agent:a");
    assert_eq!(full("host:5000/agent").unwrap(), "host:5000/agent:latest");
    for wrong in ["", ":a", "Agent:a", "a b", "a/:b", "a:", "a:b c", "a//b"] {
        assert!(full(wrong).is_err(), "{wrong:?}");
    }
}

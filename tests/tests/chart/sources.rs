//! Checks that chart and Dockerfile agree with the rest of the repository.

use crate::{
    documents::Documents,
    helm::{Helm, chart, workspace},
};
use netwhy_agent::config::{Config, KEYS};
use serde_json::Value;
use std::fs;

pub(crate) fn yaml(path: &std::path::Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn chart_has_the_workspaces_version() {
    let about = yaml(&chart().join("Chart.yaml"));
    assert_eq!(about["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(about["appVersion"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn schema_knows_exactly_the_values() {
    let values = yaml(&chart().join("values.yaml"));
    let schema: Value = yaml(&chart().join("values.schema.json"));
    let known = schema["properties"].as_object().expect("properties");
    // Helm itself adds `global`.
    let known: Vec<&String> = known.keys().filter(|key| *key != "global").collect();
    assert_eq!(known, values.as_object().expect("values").keys().collect::<Vec<_>>());
    open_objects("", &schema);
}

/// Every object of the schema lists its allowed keys.
fn open_objects(path: &str, schema: &Value) {
    let Some(properties) = schema["properties"].as_object() else { return };
    assert!(!schema["additionalProperties"].is_null(), "{path} allows anything");
    for (name, inner) in properties {
        open_objects(&format!("{path}.{name}"), inner);
    }
}

#[test]
fn port_is_the_agents() {
    let values = yaml(&chart().join("values.yaml"));
    let listen = KEYS.iter().find(|key| key.path == "http.listen").map(|key| key.value(&Config::default()));
    let listen: std::net::SocketAddr = listen.expect("the key").parse().expect("an address");
    assert_eq!(values["port"], listen.port());
}

#[test]
fn every_key_of_the_agents_configuration_can_be_given() {
    let Some(helm) = Helm::found("every_key_of_the_agents_configuration_can_be_given") else { return };
    let mut example = yaml(&workspace().join("docs/netwhy.example.yaml"));
    // The chart sets these itself and refuses them as values.
    for (section, key) in [
        ("kube", "mode"),
        ("kube", "node_name"),
        ("kube", "kubeconfig"),
        ("kube", "publish_events"),
        ("kube", "publish_conditions"),
        ("http", "listen"),
        ("http", "probe_listen"),
        ("http", "tls_certificate_file"),
        ("http", "tls_key_file"),
        ("http", "tls_client_ca_file"),
        ("http", "authorization"),
        ("http", "api"),
        ("http", "api_port"),
        ("history", "folder"),
        ("history", "max_mib"),
    ] {
        assert!(example[section].as_object_mut().expect("a section").remove(key).is_some(), "{section}.{key}");
    }
    let given = [format!("config={example}"), "history={\"enabled\":false}".to_owned()];
    let text = helm.template(&given).unwrap_or_else(|error| panic!("{error}"));
    let map = Documents::read(&text).of_kind("ConfigMap")[0]["data"]["netwhy.yaml"].as_str().expect("text").to_owned();
    let config = Config::parse(&map, "netwhy.yaml").unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(config, Config::default(), "the example has the defaults");
}

/// The value of `ARG NAME=…` in the Dockerfile.
fn argument(dockerfile: &str, name: &str) -> String {
    let line = dockerfile.lines().find_map(|line| line.strip_prefix("ARG ")?.strip_prefix(name)?.strip_prefix('='));
    line.unwrap_or_else(|| panic!("the Dockerfile has no ARG {name}=…")).to_owned()
}

#[test]
fn dockerfile_pins_what_the_repository_says() {
    let dockerfile = fs::read_to_string(workspace().join("Dockerfile")).expect("there is a Dockerfile");
    let manifest = fs::read_to_string(workspace().join("Cargo.toml")).expect("there is a manifest");
    let rust = argument(&dockerfile, "RUST_VERSION");
    let oldest = manifest.lines().find_map(|line| line.strip_prefix("rust-version = \"")?.strip_suffix('"'));
    assert!(rust.starts_with(oldest.expect("a rust-version")), "{rust} is older than what the workspace needs");
    let linker = workspace().join("xtask/src/toolchain/linker.rs");
    let linker = fs::read_to_string(linker).expect("xtask installs the linker");
    let version = format!("VERSION: &str = \"{}\"", argument(&dockerfile, "BPF_LINKER_VERSION"));
    assert!(linker.contains(&version), "xtask installs another linker than the Dockerfile");
    let nightly = argument(&dockerfile, "EBPF_TOOLCHAIN");
    let date = nightly.strip_prefix("nightly-").unwrap_or_default();
    assert!(date.len() == 10 && date.split('-').count() == 3, "{nightly} names no day");
    for line in dockerfile.lines().filter(|line| line.starts_with("FROM ")) {
        assert!(!line.contains("latest"), "{line}");
    }
    let image = argument(&dockerfile, "BUILD_IMAGE");
    let digest = image.split_once("@sha256:").map_or("", |(_, digest)| digest);
    assert!(digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit()), "{image}: a tag can be moved");
}

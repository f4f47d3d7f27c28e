//! The ConfigMaps of the dashboards, for Grafana's sidecar.

use crate::{
    api,
    documents::Documents,
    helm::{Helm, chart},
};
use serde_json::Value;
use std::{collections::BTreeMap, fs};

/// Name and text of each file.
fn files() -> BTreeMap<String, String> {
    let entries = fs::read_dir(chart().join("dashboards")).expect("dashboards/").flatten();
    let name = |entry: &fs::DirEntry| entry.file_name().into_string().expect("a name");
    entries.map(|entry| (name(&entry), fs::read_to_string(entry.path()).expect("a file"))).collect()
}

/// Name and text of each ConfigMap that the sidecar selects.
fn rendered(documents: &Documents) -> BTreeMap<String, String> {
    let taken = |map: &&&Value| map["metadata"]["labels"]["grafana_dashboard"] == "1";
    let maps = documents.of_kind("ConfigMap");
    let mut found = BTreeMap::new();
    for map in maps.iter().filter(taken) {
        api::check(map).unwrap_or_else(|error| panic!("{error}"));
        for (name, text) in map["data"].as_object().expect("data") {
            found.insert(name.clone(), text.as_str().expect("text").to_owned());
        }
    }
    found
}

#[test]
fn sidecar_finds_every_dashboard_unchanged() {
    let Some(helm) = Helm::found("sidecar_finds_every_dashboard_unchanged") else { return };
    let render = |set: &[String]| Documents::read(&helm.template(set).unwrap_or_else(|error| panic!("{error}")));
    assert!(rendered(&render(&[])).is_empty());
    let on = "dashboards={\"enabled\":true,\"annotations\":{\"grafana_folder\":\"netwhy\"}}".to_owned();
    let json = |texts: BTreeMap<String, String>| -> BTreeMap<String, Value> {
        let read = |text: &str| serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        texts.into_iter().map(|(name, text)| (name, read(&text))).collect()
    };
    let plain = render(std::slice::from_ref(&on));
    assert_eq!(json(rendered(&plain)), json(files()));
    assert_eq!(files().len(), 4);
    let folder = |map: &&Value| map["metadata"]["annotations"]["grafana_folder"] == "netwhy";
    assert_eq!(plain.of_kind("ConfigMap").into_iter().filter(folder).count(), 4);
    let url = "docsUrl=\"https://git.example.org/netwhy/docs\"".to_owned();
    for (name, text) in rendered(&render(&[on, url])) {
        assert!(!text.contains("\"url\": \"docs/"), "{name}");
        assert!(text.contains("\"url\": \"https://git.example.org/netwhy/docs/runbooks/"), "{name}");
    }
}

#[test]
fn all_dashboards_fit_into_a_release() {
    // Helm keeps a release in one Secret of 1 MiB, compressed; a ConfigMap takes 1 MiB each.
    let size: usize = files().values().map(String::len).sum();
    assert!(size < 600_000, "{size} bytes");
}

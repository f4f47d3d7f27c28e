use super::*;
use crate::{
    artifact::target::{Target, Tools},
    toolchain::Toolchain,
};
use std::path::{Path, PathBuf};

fn made(revision: Option<&str>) -> Value {
    let toolchain =
        Toolchain { name: "nightly".to_owned(), sysroot: PathBuf::new(), env: Vec::new(), bpf_env: Vec::new() };
    let targets = [("x86_64-unknown-linux-musl", false), ("aarch64-unknown-linux-gnu", true)];
    let targets = targets.map(|(name, builds_std)| {
        let target = Target::parse(name).unwrap();
        let tools = Tools::named(&target, !builds_std);
        (target, tools)
    });
    let builds = targets.each_ref().map(|(target, tools)| Build {
        workspace: Path::new("/sources"),
        toolchain: &toolchain,
        target,
        tools,
        profile: "dist",
        folder: Path::new("/target"),
    });
    let compilers =
        Compilers { host: "rustc 1".to_owned(), kernel_programs: "rustc 2".to_owned(), linker: "3".to_owned() };
    let origin = Origin { seconds: 1_700_000_000, revision: revision.map(str::to_owned) };
    let parameters = Parameters { url: None, image: "netwhy-agent:1".to_owned(), builder: LOCAL };
    let sources = sources(b"lock", &origin);
    let predicate = predicate(&builds, &compilers, &sources, origin.seconds, &parameters);
    wrapped(&[File { name: "a.tar.gz".to_owned(), bytes: b"a".to_vec() }], &predicate)
}

#[test]
fn a_statement_has_every_field_that_slsa_demands() {
    let statement = made(Some("abc"));
    assert_eq!(statement["_type"], "https://in-toto.io/Statement/v1");
    assert_eq!(statement["predicateType"], "https://slsa.dev/provenance/v1");
    assert_eq!(statement["subject"], json!([{"name": "a.tar.gz", "digest": {"sha256": archive::sha256(b"a")}}]));
    let definition = &statement["predicate"]["buildDefinition"];
    assert!(definition["buildType"].as_str().unwrap().contains(':'), "a URI");
    assert!(definition["externalParameters"].is_object());
    assert_eq!(definition["resolvedDependencies"][0]["digest"]["gitCommit"], "abc");
    assert_eq!(definition["resolvedDependencies"][1]["digest"]["sha256"], archive::sha256(b"lock"));
    let targets = &definition["internalParameters"]["targets"];
    let other = json!({"name": "aarch64-unknown-linux-gnu", "rustc": "rustc 2", "standardLibrary": "built"});
    assert_eq!((&targets[0]["rustc"], &targets[1]), (&json!("rustc 1"), &other));
    assert_eq!(statement["predicate"]["runDetails"]["builder"]["id"], LOCAL);
}

#[test]
fn a_statement_names_neither_folders_nor_a_commit_that_the_sources_differ_from() {
    let statement = made(None);
    let sources = statement["predicate"]["buildDefinition"]["resolvedDependencies"].as_array().unwrap();
    assert!(sources.len() == 1 && sources[0]["name"] == "Cargo.lock");
    let text = statement.to_string();
    assert!(!text.contains("/sources") && !text.contains("/target"), "{text}");
}

use super::*;
use crate::{artifact::program::Program, sh};
use cyclonedx_bom::prelude::{Bom, SpecVersion, Validate as _};

#[test]
fn every_crate_has_its_name_licence_and_hash_and_every_reference_a_target() {
    let package = |name: &str, checksum: Option<&str>| Package {
        name: name.to_owned(),
        version: "1.0.0+x".to_owned(),
        licence: Some("MIT".to_owned()),
        checksum: checksum.map(str::to_owned),
    };
    let all = Dependencies {
        packages: vec![package("program", None), package("a", Some("aa"))],
        uses: vec![[1].into(), [].into()],
    };
    let document: Value = serde_json::from_str(&cyclonedx(&all, "2026-01-01T00:00:00Z")).unwrap();
    assert_eq!((&document["bomFormat"], &document["specVersion"]), (&json!("CycloneDX"), &json!("1.5")));
    assert_eq!(document["metadata"]["component"]["bom-ref"], "pkg:cargo/program@1.0.0%2Bx");
    let a = &document["components"][0];
    assert_eq!((&a["purl"], &a["hashes"][0]["content"]), (&json!("pkg:cargo/a@1.0.0%2Bx"), &json!("aa")));
    assert_eq!(a["licenses"][0]["expression"], "MIT");
    assert_eq!(document["components"].as_array().unwrap().len(), 1);
    assert_eq!(document["dependencies"][0]["dependsOn"], json!([a["bom-ref"]]));
}

/// By CycloneDX's own library, which knows the format and the grammar of licence expressions.
#[test]
fn the_agents_own_document_is_valid() {
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let all = Dependencies::of(Program::Agent, &sh::workspace().unwrap(), &target).unwrap();
    let text = cyclonedx(&all, "2026-01-01T00:00:00Z");
    let bom = Bom::parse_from_json(text.as_bytes()).unwrap();
    let result = bom.validate_version(SpecVersion::V1_5);
    assert!(result.passed(), "{:#?}", result.errors().collect::<Vec<_>>());
    let components = bom.components.unwrap().0;
    assert_eq!(components.len() + 1, all.packages.len(), "all but the program itself");
    let dependencies = bom.dependencies.unwrap().0;
    let known = |reference: &str| all.packages.iter().any(|package| purl(package) == reference);
    assert!(dependencies.iter().flat_map(|one| &one.dependencies).all(|reference| known(reference)));
}

//! The list of a program's crates as CycloneDX 1.5, for scanners.

#[cfg(test)]
mod tests;

use super::dependencies::{Dependencies, Package};
use serde_json::{Value, json};

/// The document. `created`: the time of the sources.
pub(crate) fn cyclonedx(all: &Dependencies, created: &str) -> String {
    let mut components = all.packages.iter().map(component);
    let program = components.next().map(|mut program| {
        program["type"] = "application".into();
        program
    });
    let uses = all.packages.iter().zip(&all.uses).map(|(package, uses)| {
        let uses: Vec<String> = uses.iter().map(|index| purl(&all.packages[*index])).collect();
        json!({"ref": purl(package), "dependsOn": uses})
    });
    let document = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": created,
            "tools": {"components": [
                {"type": "application", "name": "cargo xtask", "version": env!("CARGO_PKG_VERSION")}
            ]},
            "component": program,
        },
        "components": components.collect::<Vec<_>>(),
        "dependencies": uses.collect::<Vec<_>>(),
    });
    format!("{document:#}\n")
}

fn component(package: &Package) -> Value {
    let mut component = json!({
        "type": "library",
        "bom-ref": purl(package),
        "name": package.name,
        "version": package.version,
        "purl": purl(package),
    });
    if let Some(licence) = &package.licence {
        component["licenses"] = json!([{"expression": licence}]);
    }
    if let Some(checksum) = &package.checksum {
        component["hashes"] = json!([{"alg": "SHA-256", "content": checksum}]);
    }
    component
}

/// Name of a crate across tools (<https://github.com/package-url/purl-spec>). `+` of a version is escaped.
fn purl(package: &Package) -> String {
    format!("pkg:cargo/{}@{}", package.name, package.version.replace('+', "%2B"))
}

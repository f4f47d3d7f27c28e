use super::*;
use std::{collections::BTreeSet, fs, path::Path};

fn text(asset: &Asset) -> &str {
    std::str::from_utf8(asset.bytes).unwrap()
}

#[test]
fn every_file_of_the_folder_is_in_the_program() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/plugin/ui/assets");
    let files: BTreeSet<String> =
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(ASSETS.iter().map(|asset| asset.name.to_owned()).collect::<BTreeSet<_>>(), files);
}

#[test]
fn the_page_has_no_inline_script_or_style_and_no_address() {
    let page = text(find("index.html").unwrap());
    for part in page.split("<script").skip(1) {
        assert!(part.trim_start().starts_with("src=\"assets/") && part.contains("></script>"), "{part}");
    }
    for forbidden in ["<style", " style=", " onclick=", " onload=", "javascript:", "http:", "https:", "//"] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
}

#[test]
fn own_scripts_make_no_html_from_text_and_name_no_address() {
    for asset in ASSETS.iter().filter(|asset| asset.kind == SCRIPT && asset.name != "uplot.js") {
        let code = text(asset).replace("http://www.w3.org/2000/svg", "");
        for forbidden in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
            "http:",
            "https:",
        ] {
            assert!(!code.contains(forbidden), "{}: {forbidden}", asset.name);
        }
        assert!(text(asset).lines().count() <= 400, "{} is too long", asset.name);
    }
}

#[test]
fn the_chart_library_has_its_licence() {
    assert!(text(find("uplot.js").unwrap()).contains("uPlot (v1.6.32)"));
    assert!(text(find("uplot.LICENSE.txt").unwrap()).starts_with("The MIT License (MIT)"));
}

use super::*;

#[test]
fn a_package_is_the_same_whenever_helm_makes_it_and_helm_reads_it() {
    let workspace = sh::workspace().unwrap();
    let Some(helm) = netwhy_tests::helm::find(&sh::target_dir(&workspace)) else {
        println!("SKIP the chart's package: no helm; `cargo xtask chart` installs it");
        return;
    };
    let first = package(&workspace, &helm, 1_700_000_000).unwrap();
    // helm writes whole seconds.
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    let second = package(&workspace, &helm, 1_700_000_000).unwrap();
    assert_eq!(first.name, name());
    assert_eq!(first, second);
    let file = std::env::temp_dir().join(format!("{}-{}", std::process::id(), first.name));
    fs::write(&file, &first.bytes).unwrap();
    let rendered = |chart: &Path| sh::output(Command::new(&helm).args(["template", "netwhy"]).arg(chart)).unwrap();
    let (packed, own) = (rendered(&file), rendered(&workspace.join("charts/netwhy")));
    fs::remove_file(&file).unwrap();
    assert!(own.contains("kind: DaemonSet") && packed == own, "{packed}");
}

#[test]
fn what_is_no_package_is_refused() {
    let gzip = |bytes: &[u8]| archive::gzip(bytes).unwrap();
    assert!(entries(b"x").is_err());
    assert_eq!(entries(&gzip(&archive::pack(&[], 0).unwrap())).unwrap_err().to_string(), "helm's package is empty");
    let folder = Entry { path: "netwhy".to_owned(), mode: 0o755, content: None };
    let error = entries(&gzip(&archive::pack(&[folder], 0).unwrap())).unwrap_err().to_string();
    assert!(error.ends_with("which is no file"), "{error}");
}

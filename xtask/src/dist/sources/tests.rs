use super::*;

#[test]
fn a_copy_has_the_sources_and_nothing_that_was_built() {
    let workspace = sh::workspace().unwrap();
    let folder = std::env::temp_dir().join(format!("netwhy-sources-{}", std::process::id()));
    if sh::output(Command::new("git").current_dir(&workspace).arg("rev-parse")).is_err() {
        println!("SKIP the copy of the sources: git knows no checkout here");
        return;
    }
    copy(&workspace, &folder).unwrap();
    let same = |name: &str| fs::read(workspace.join(name)).unwrap() == fs::read(folder.join(name)).unwrap();
    let equal = ["Cargo.lock", "agent/src/main.rs", "charts/netwhy/Chart.yaml"].into_iter().all(same);
    let built = folder.join("target").exists();
    fs::remove_dir_all(&folder).unwrap();
    assert!(equal && !built);
}

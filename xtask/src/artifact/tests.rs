use super::*;

#[test]
fn runs_at_once_share_no_file_and_leave_the_built_program_as_it_was() {
    let folder = std::env::temp_dir().join(format!("netwhy-copies-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let built = folder.join("netwhy-agent");
    fs::copy("/bin/sh", &built).unwrap();
    let before = fs::read(&built).unwrap();
    let [one, other] = [1, 2].map(|process| copies(&folder, process));
    assert_ne!(one, other);
    let crates = Dependencies {
        packages: vec![dependencies::Package {
            name: "program".to_owned(),
            version: "1.0.0".to_owned(),
            licence: None,
            checksum: None,
        }],
        uses: vec![[].into()],
    };
    let first = with_list(&built, &one, &crates, "objcopy").unwrap();
    // While the first run still has its copy.
    let second = with_list(&built, &other, &crates, "objcopy").unwrap();
    let after = fs::read(&built).unwrap();
    let files = [&one, &other].map(|folder| folder.join("netwhy-agent").is_file());
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(files, [true, true]);
    assert!(first == second && first != before && after == before);
}

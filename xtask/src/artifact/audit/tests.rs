use super::*;
use crate::artifact::dependencies::Package;

fn all() -> Dependencies {
    let package = |name: &str, checksum: Option<&str>| Package {
        name: name.to_owned(),
        version: "1.2.3".to_owned(),
        licence: None,
        checksum: checksum.map(str::to_owned),
    };
    Dependencies {
        packages: vec![package("program", None), package("b", Some("x")), package("a", Some("x"))],
        uses: vec![[1, 2].into(), [2].into(), [].into()],
    }
}

#[test]
fn scanners_read_the_list_back_from_a_program() {
    let folder = std::env::temp_dir().join(format!("netwhy-audit-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let program = folder.join("program");
    fs::copy("/proc/self/exe", &program).unwrap();
    // Twice, as when nothing was linked anew.
    for _ in 0..2 {
        embed(&program, &all(), "objcopy").unwrap();
    }
    let limits = auditable_info::Limits { input_file_size: 1 << 30, decompressed_json_size: 1 << 20 };
    let read = auditable_info::audit_info_from_file(&program, limits).unwrap();
    let ran = Command::new(&program).arg("--list").output().unwrap();
    fs::remove_dir_all(&folder).unwrap();
    assert!(ran.status.success(), "it still runs");
    let names: Vec<&str> = read.packages.iter().map(|package| package.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "program"]);
    assert_eq!(read.packages[2].dependencies, [0, 1]);
    assert!(read.packages[2].root && !read.packages[0].root);
}

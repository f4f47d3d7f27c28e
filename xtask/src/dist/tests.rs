use super::*;
use std::process::Command;

fn file(name: &str, bytes: &str) -> File {
    File { name: name.to_owned(), bytes: bytes.into() }
}

#[test]
fn sha256sum_accepts_the_checksums_and_sees_a_change() {
    let folder = std::env::temp_dir().join(format!("netwhy-dist-{}", std::process::id()));
    let mut files = vec![file("a.tar.gz", "a"), file("b.tgz", "b")];
    files.push(checksums(&files));
    // Twice: a release replaces its own files.
    (0..2).for_each(|_| write(&folder, &files).unwrap());
    let accepts = || {
        let mut command = Command::new("sha256sum");
        command.current_dir(&folder).args(["--check", "--strict", CHECKSUMS]).output().unwrap().status.success()
    };
    assert!(accepts());
    fs::write(folder.join("a.tar.gz"), "A").unwrap();
    assert!(!accepts());
    fs::write(folder.join("old.tar.gz"), "").unwrap();
    let error = write(&folder, &files).unwrap_err().to_string();
    fs::remove_dir_all(&folder).unwrap();
    assert!(error.contains("holds old.tar.gz, which is no file of this release"), "{error}");
}

#[test]
fn addresses_are_those_of_folders() {
    assert_eq!(url("https://a.example/b/").unwrap(), "https://a.example/b");
    for wrong in ["", "a.example/b", "https://", "https:///b", "ftp://a", "https://a b", "https://a\n"] {
        assert!(url(wrong).is_err(), "{wrong:?}");
    }
}

fn arches(names: &[&str]) -> Vec<Arch> {
    let arch = |name: &&str| Target::parse(&format!("{name}-unknown-linux-gnu")).unwrap().arch;
    names.iter().map(arch).collect()
}

#[test]
fn a_folder_with_other_files_is_refused_by_names_alone() {
    let folder = std::env::temp_dir().join(format!("netwhy-others-{}", std::process::id()));
    let check = |names: &[String]| refuse_others(&folder, names).map_err(|error| error.to_string());
    let (signed, unsigned) = (names(&arches(&["x86_64"]), true), names(&arches(&["x86_64"]), false));
    let absent = check(&unsigned);
    fs::create_dir_all(&folder).unwrap();
    signed.iter().for_each(|name| fs::write(folder.join(name), "").unwrap());
    let (same, without_key) = (check(&signed), check(&unsigned));
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!((absent, same), (Ok(()), Ok(())));
    assert!(without_key.unwrap_err().contains("which is no file of this release"), "the old signature would stay");
}

#[test]
fn files_of_two_architectures_have_names_of_their_own_beside_common_ones() {
    let one = names(&arches(&["x86_64"]), true);
    let both = names(&arches(&["x86_64", "aarch64"]), true);
    let version = env!("CARGO_PKG_VERSION");
    for name in ["netwhy-agent_V_linux_amd64.oci.tar", "netwhy_V_linux_amd64.provenance.intoto.jsonl"] {
        assert!(one.contains(&name.replace('V', version)), "{name} in {one:?}");
    }
    let wanted = [
        "netwhy-agent_V_linux.oci.tar",
        "netwhy_V_linux.provenance.json",
        "netwhy_V_amd64.deb",
        "netwhy_V_arm64.deb",
        "kubectl-netwhy_V_linux_arm64.tar.gz",
        "netwhy-agent_V_linux_arm64.cdx.json",
    ];
    for name in wanted {
        assert!(both.contains(&name.replace('V', version)), "{name} in {both:?}");
    }
    let mut distinct = both.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!((one.len(), both.len(), distinct.len()), (12, 17, 17));
}

#[test]
fn a_second_run_at_once_is_refused() {
    let folder = std::env::temp_dir().join(format!("netwhy-lock-{}", std::process::id()));
    let held = lock(&folder).unwrap();
    let error = lock(&folder).err().unwrap().to_string();
    drop(held);
    let again = lock(&folder).is_ok();
    fs::remove_dir_all(&folder).unwrap();
    assert!(error.starts_with("another `cargo xtask dist` is at work"), "{error}");
    assert!(again);
}

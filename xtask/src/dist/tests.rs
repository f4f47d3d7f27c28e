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

#[test]
fn sizes_have_the_unit_that_fits() {
    assert_eq!([900, 20_000, 30 << 20].map(size), ["900 B", "19.5 KiB", "30.0 MiB"]);
}

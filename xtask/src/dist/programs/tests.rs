use super::*;
use crate::sh;
use std::{collections::BTreeMap, io::Read as _};

const SECONDS: u64 = 1_700_000_000;

/// Permissions and content of each file in an archive.
fn unpacked(bytes: &[u8]) -> BTreeMap<String, (u32, String)> {
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(flate2::read::GzDecoder::new(bytes)).entries().unwrap() {
        let mut entry = entry.unwrap();
        // krew unpacks nothing else.
        assert!(entry.header().entry_type().is_file());
        assert_eq!(entry.header().mtime().unwrap(), SECONDS);
        assert_eq!((entry.header().uid().unwrap(), entry.header().gid().unwrap()), (0, 0));
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        files.insert(entry.path().unwrap().display().to_string(), (entry.header().mode().unwrap(), text));
    }
    files
}

#[test]
fn an_archive_has_the_program_and_its_licences_and_is_the_same_again() {
    let workspace = sh::workspace().unwrap();
    let packed = |program| packed(program, b"program".to_vec(), &workspace, SECONDS).unwrap();
    assert_eq!(packed(Program::Agent), packed(Program::Agent));
    let agent = unpacked(&packed(Program::Agent));
    let names: Vec<&str> = agent.keys().map(String::as_str).collect();
    assert_eq!(names, ["LICENSE-APACHE", "LICENSE-MIT", "netwhy-agent", "netwhy.example.yaml", "netwhy.service"]);
    assert_eq!(agent["netwhy-agent"], (0o755, "program".to_owned()));
    assert_eq!(agent["LICENSE-MIT"].0, 0o644);
    let plugin = unpacked(&packed(Program::Plugin));
    assert_eq!((plugin.len(), plugin["kubectl-netwhy"].0), (4, 0o755));
}

#[test]
fn completion_hands_its_words_to_the_plugin() {
    use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};
    let folder = std::env::temp_dir().join(format!("netwhy-completion-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    };
    write("kubectl-netwhy", "#!/bin/sh\nprintf '<%s>' \"$@\"\n");
    let script = write(COMPLETION.0, COMPLETION.1);
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let output = Command::new(script).args(["why", "", "-n", "a b"]).env("PATH", path).output().unwrap();
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "<__complete><why><><-n><a b>");
}

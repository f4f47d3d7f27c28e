use super::*;
use std::{
    fs::{self, OpenOptions},
    io::{Read as _, Write as _},
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("netwhy-system-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_private_file_is_its_owners_alone_from_its_first_moment() {
    let folder = Folder::new("private");
    let path = folder.0.join("new");
    private(OpenOptions::new().write(true).create_new(true)).open(&path).unwrap();
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn appending_privately_makes_the_folder_keeps_the_text_and_closes_an_open_file() {
    let folder = Folder::new("append");
    let path = folder.0.join("a/b");
    append_privately(&path).unwrap().write_all(b"one ").unwrap();
    assert_eq!((mode(&path), mode(&folder.0.join("a"))), (0o600, 0o700));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o664)).unwrap();
    append_privately(&path).unwrap().write_all(b"two").unwrap();
    assert_eq!((mode(&path), fs::read_to_string(&path).unwrap().as_str()), (0o600, "one two"));
}

#[test]
fn links_are_opened_neither_for_reading_nor_for_appending() {
    let folder = Folder::new("link");
    let (file, link) = (folder.0.join("file"), folder.0.join("link"));
    fs::write(&file, "text").unwrap();
    symlink(&file, &link).unwrap();
    assert!(open_no_link(&link).is_err() && append_privately(&link).is_err());
    let mut text = String::new();
    open_no_link(&file).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "text");
}

#[test]
fn users_and_machines_have_names() {
    assert_eq!(user(), rustix::process::geteuid().as_raw().to_string());
    assert!(local_user().ends_with(&format!("(uid {})", rustix::process::getuid().as_raw())));
    assert!(!host_name().is_empty());
}

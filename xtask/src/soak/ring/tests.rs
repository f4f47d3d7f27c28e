use super::*;
use std::fs::File;

/// A directory that goes with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("netwhy-soak-ring-{}-{name}", std::process::id())))
    }

    /// A ring whose folder is there.
    fn ring(&self) -> Ring {
        let ring = Ring::new(&self.0);
        fs::create_dir_all(&ring.folder).unwrap();
        ring
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn write(ring: &Ring, name: &str, mib: u64) -> PathBuf {
    let file = ring.folder.join(name);
    File::create(&file).unwrap().set_len(mib << 20).unwrap();
    file
}

#[test]
fn a_ring_above_its_bound_is_an_error() {
    let scratch = Scratch::new("bound");
    let mut ring = scratch.ring();
    write(&ring, "a.netwhy", 5);
    let open = write(&ring, "b.open", 3);
    ring.check().unwrap();
    // As a look sees it that the renaming of a segment overtakes.
    fs::hard_link(open, ring.folder.join("b.netwhy")).unwrap();
    ring.check().unwrap();
    write(&ring, "c.open", 1);
    assert!(ring.check().unwrap_err().to_string().contains("9437184"));
    assert_eq!(ring.shown(), "9.0 of 8 MiB");
}

#[test]
fn the_folder_goes_with_the_ring_and_is_needed_before() {
    let scratch = Scratch::new("gone");
    let mut ring = scratch.ring();
    write(&ring, "a.netwhy", 1);
    let folder = ring.folder.clone();
    fs::remove_dir_all(&folder).unwrap();
    assert!(ring.check().is_err(), "an agent that records nothing");
    fs::create_dir_all(&folder).unwrap();
    drop(ring);
    assert!(!folder.exists());
}

#[test]
fn the_configuration_quotes_the_folder() {
    let ring = Ring::new(Path::new("/tmp/a: \"b\""));
    let expected = "history:\n  folder: \"/tmp/a: \\\"b\\\"/history\"\n  max_mib: 8\n  frame_seconds: 1\n";
    assert_eq!(ring.config(), expected);
}

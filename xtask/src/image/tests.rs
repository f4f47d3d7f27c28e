use super::*;

/// A static program without content, of a machine as elf(5) numbers it.
fn program(machine: u8) -> Vec<u8> {
    let mut bytes = vec![0; 64];
    bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
    bytes[18] = machine;
    bytes
}

#[test]
fn an_image_of_given_programs_has_their_architecture_and_no_second_one() {
    let folder = std::env::temp_dir().join(format!("netwhy-given-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let [arm, intel] = [("arm", 183), ("intel", 62)].map(|(name, machine)| {
        let file = folder.join(name);
        fs::write(&file, program(machine)).unwrap();
        file
    });
    let arch = given(&arm, Some(&arm)).unwrap().arch;
    let error = given(&arm, Some(&intel)).err().unwrap().to_string();
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(arch.oci, "arm64");
    assert!(error.ends_with("is for amd64, but the agent for arm64"), "{error}");
}

use super::*;

#[test]
fn this_test_program_is_seen_to_be_dynamic_and_others_are_refused() {
    let own = std::fs::read(env::current_exe().unwrap()).unwrap();
    assert_eq!(asks_for_interpreter(&own), Some(!cfg!(target_feature = "crt-static")));
    assert_eq!(asks_for_interpreter(b"#!/bin/sh\n"), None);
    assert_eq!(asks_for_interpreter(&own[..60]), None, "cut off within its header table");
    // The same without its program headers.
    let mut none = own;
    none[56..58].copy_from_slice(&[0, 0]);
    assert_eq!(asks_for_interpreter(&none), Some(false));
}

/// A program without program headers, of a machine as elf(5) numbers it.
fn program(class: u8, order: u8, machine: u16) -> Vec<u8> {
    let mut bytes = vec![0; 64];
    bytes[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', class, order]);
    bytes[18..20].copy_from_slice(&machine.to_le_bytes());
    bytes
}

#[test]
fn a_programs_architecture_is_read_from_it() {
    let arch = |machine| check(&program(2, 1, machine)).map(|arch| arch.oci);
    assert_eq!((arch(62).unwrap(), arch(183).unwrap()), ("amd64", "arm64"));
    assert!(arch(8).is_err(), "MIPS");
    assert!(check(&program(1, 1, 62)).is_err(), "32 bits");
    assert!(check(&program(2, 2, 183)).is_err(), "big-endian");
}

#[test]
fn paths_of_a_standard_library_that_is_built_too_are_replaced() {
    let flags = |sources| flags(Path::new("/checkout"), Path::new("/checkout/target"), sources);
    let own = flags(None);
    let both = flags(Some(Path::new("/toolchain/src")));
    assert_eq!(both[..own.len()], own);
    assert_eq!(both[own.len()..], ["--remap-path-prefix=/toolchain/src=/rust"]);
}

#[test]
fn neither_program_that_people_get_aborts_at_a_panic() {
    let profile = |program: Program, asked| program.profile(asked).to_owned();
    assert_eq!(profile(Program::Agent, PROFILE), PROFILE);
    assert_eq!(profile(Program::Plugin, "dev"), "dev");
    let manifest = std::fs::read_to_string(sh::workspace().unwrap().join("Cargo.toml")).unwrap();
    for name in [PROFILE, &profile(Program::Plugin, PROFILE)] {
        let head = format!("\n[profile.{name}]\n");
        let (_, rest) = manifest.split_once(&head).unwrap_or_else(|| panic!("no profile {name}"));
        assert!(!rest.split("\n[").next().unwrap().contains("panic"), "servers of {name} survive a request's panic");
    }
}

#[test]
fn only_a_c_library_that_is_built_in_reads_packed_relocations() {
    let flag = |target: &str| smaller(&Target::parse(target).unwrap());
    assert_eq!(flag("x86_64-unknown-linux-gnu"), None);
    assert_eq!(flag("x86_64-unknown-linux-musl"), Some("-Clink-arg=-Wl,-z,pack-relative-relocs"));
}

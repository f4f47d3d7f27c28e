use super::*;

#[test]
fn only_test_programs_are_taken_from_cargos_messages() {
    let messages = "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"kernel_x\"},\
            \"profile\":{\"test\":true},\"executable\":\"/t/kernel_x-1\"}\n\
            {\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"netwhy-traffic\"},\
            \"profile\":{\"test\":false},\"executable\":\"/t/traffic\"}\n\
            {\"reason\":\"build-finished\",\"success\":true}\n";
    assert_eq!(executables(messages), [("kernel_x".to_owned(), PathBuf::from("/t/kernel_x-1"))]);
}

#[test]
fn programs_for_another_architecture_are_linked_statically() {
    let target = Target::parse("aarch64-unknown-linux-gnu").unwrap();
    let foreign = (target.clone(), Tools::named(&target, false));
    let toolchain = Toolchain {
        name: "nightly-2026-01-01".to_owned(),
        sysroot: "/rust".into(),
        env: Vec::new(),
        bpf_env: Vec::new(),
    };
    let command = cargo(&toolchain, Path::new("/w"), Some(&foreign), &["build"]);
    let shown = sh::shown(&command);
    assert!(shown.contains(" cargo build --package ") && shown.contains(" --target aarch64-"), "{shown}");
    assert!(shown.ends_with(" -Z build-std=std,test"), "{shown}");
    let mut set = command.get_envs().filter_map(|(name, value)| Some((name.to_str()?, value?.to_str()?)));
    assert!(
        set.any(|both| both == ("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS", "-Ctarget-feature=+crt-static"))
    );
}

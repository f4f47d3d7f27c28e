use super::*;

#[test]
fn this_machines_architecture_is_refused() {
    let Some(host) = Arch::host() else { return };
    let names = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu", "riscv64gc-unknown-linux-gnu"];
    let own = names.map(|name| Target::parse(name).unwrap()).into_iter().find(|target| target.arch == host);
    let Some(own) = own else { return };
    let error = run(Path::new("/w"), &own, None).unwrap_err().to_string();
    assert!(error.contains("leave --target out"), "{error}");
}

#[test]
fn a_setting_of_a_target_has_cargos_name() {
    let target = Target::parse("aarch64-unknown-linux-gnu").unwrap();
    assert_eq!(variable(&target, "RUNNER"), "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER");
    assert_eq!(target.arch.emulator(), "qemu-aarch64");
    assert_eq!(Target::parse("powerpc64le-unknown-linux-gnu").unwrap().arch.emulator(), "qemu-ppc64le");
}

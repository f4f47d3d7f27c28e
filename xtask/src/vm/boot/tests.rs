use super::super::{
    arch::Arch,
    machine::{Choice, chosen},
};
use super::*;
use std::path::PathBuf;

fn kernel() -> Kernel {
    let (name, image) = ("6.12".to_owned(), PathBuf::from("/vmlinuz"));
    Kernel { arch: Arch::Amd64, name, image, modules: Vec::new(), busybox: None }
}

fn names(rounds: &[Vec<Boot<'_>>]) -> Vec<Vec<String>> {
    rounds.iter().map(|round| round.iter().map(Boot::name).collect()).collect()
}

#[test]
fn machines_share_the_cpus_and_one_with_more_runs_alone() {
    let kernel = kernel();
    let all = || -> Vec<Boot<'_>> {
        chosen(&[Choice::All]).into_iter().map(|machine| Boot { kernel: &kernel, machine }).collect()
    };
    let expected = [vec!["6.12-systemd", "6.12-v1"], vec!["6.12-lockdown", "6.12-hardened"], vec!["6.12-large"]];
    assert_eq!(names(&rounds(all(), 2)), expected);
    assert_eq!(rounds(all(), 1).len(), 5);
    assert_eq!(rounds(all(), 64).len(), 1);
    assert!(rounds(Vec::new(), 2).is_empty());
}

#[test]
fn a_machine_has_its_cpus_and_its_command_line() {
    let kernel = kernel();
    let shown = |choices: &[Choice]| {
        let boot = Boot { kernel: &kernel, machine: chosen(choices)[0] };
        sh::shown(&boot.command(Path::new("/a.cpio"), 60, "tcg", "more"))
    };
    assert!(shown(&[]).contains("-smp 1 -m 1024 "), "{}", shown(&[]));
    assert!(shown(&[Choice::Large]).contains("-smp 8 -m 4096 "), "{}", shown(&[Choice::Large]));
    let lockdown = shown(&[Choice::Lockdown]);
    assert!(lockdown.ends_with(" lockdown=integrity more"), "{lockdown}");
    assert!(lockdown.contains(" qemu-system-x86_64 -cpu max ") && lockdown.contains("console=ttyS0 "), "{lockdown}");
    let kernel = Kernel { arch: Arch::Arm64, ..kernel };
    let boot = Boot { kernel: &kernel, machine: chosen(&[])[0] };
    let arm64 = sh::shown(&boot.command(Path::new("/a.cpio"), 60, "tcg", ""));
    assert!(arm64.contains(" qemu-system-aarch64 -machine virt ") && arm64.contains("console=ttyAMA0 "), "{arm64}");
}

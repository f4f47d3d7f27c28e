use super::*;
use aya::{EbpfError, maps::MapError, programs::ProgramError, sys::SyscallError};

fn os(number: i32) -> io::Error {
    io::Error::from_raw_os_error(number)
}

#[test]
fn the_kind_follows_from_the_error_number_wherever_it_is_in_the_chain() {
    for (number, kind) in [
        (libc::EPERM, Refusal::Permission),
        (libc::EOPNOTSUPP, Refusal::Unsupported),
        (ENOTSUPP, Refusal::Unsupported),
        (libc::EACCES, Refusal::Other),
        (libc::EINVAL, Refusal::Other),
    ] {
        assert_eq!(Refusal::of(&os(number)), kind);
        let call = || SyscallError { call: "bpf_map_create", io_error: os(number) };
        assert_eq!(Refusal::of(&ProgramError::SyscallError(call())), kind);
        let create = MapError::CreateError { name: "EDGES".to_owned(), io_error: os(number) };
        assert_eq!(Refusal::of(&EbpfError::MapError(create)), kind);
        let nested = ProgramError::MapError(MapError::SyscallError(call()));
        assert_eq!(Refusal::of(&EbpfError::ProgramError(nested)), kind);
    }
}

#[test]
fn a_text_that_looks_like_a_missing_permission_is_none() {
    let text = io::Error::other("Operation not permitted (os error 1)");
    assert_eq!(Refusal::of(&text), Refusal::Other);
    assert_eq!(Refusal::of(&ProgramError::NotLoaded), Refusal::Other);
}

#[test]
fn a_verifier_log_becomes_one_line() {
    let log = "func#0 @0\n\nR1 type=ctx\ninvalid access\nprocessed 4 insns\nstack depth 8\n";
    assert_eq!(brief(log), "func#0 @0 … invalid access");
    let call = SyscallError { call: "bpf_link_create", io_error: os(libc::EPERM) };
    assert_eq!(one_line(&call), "`bpf_link_create` failed: Operation not permitted (os error 1)");
}

#[test]
fn a_helper_that_the_kernel_lacks_is_told_from_other_refusals_by_the_verifiers_log() {
    for line in [
        "unknown func bpf_sk_storage_get#107",
        "invalid func unknown#162",
        "program of this type cannot use helper bpf_task_storage_get#156",
    ] {
        assert!(lacks_helper(&format!("12: (85) call 107\n{line}\nprocessed 13 insns\n")));
    }
    for line in ["R1 type=ctx expected=fp", "BPF_STX uses reserved fields", "; unknown func of a source line"] {
        assert!(!lacks_helper(&format!("{line}\nprocessed 13 insns\n")));
    }
}

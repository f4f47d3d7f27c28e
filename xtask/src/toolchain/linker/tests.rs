use super::*;

#[test]
fn older_and_foreign_linkers_are_refused() {
    assert!(at_least("bpf-linker 0.13.0\n", "0.13.0"));
    assert!(at_least("bpf-linker 0.14.2-rc1", "0.13.0"));
    assert!(at_least("bpf-linker 1.0.0", "0.13.0"));
    assert!(!at_least("bpf-linker 0.9.15", "0.13.0"));
    assert!(!at_least("ld 2.40", "0.13.0"));
    assert!(!at_least("", "0.13.0"));
}

#[test]
fn the_llvm_is_read_from_the_needed_library() {
    assert_eq!(llvm_major(b"\0libc.so.6\0libLLVM.so.22.1\0"), Some(22));
    assert_eq!(llvm_major(b"\0libLLVM-19.so\0"), Some(19));
    assert_eq!(llvm_major(b"\0libc.so.6\0"), None);
}

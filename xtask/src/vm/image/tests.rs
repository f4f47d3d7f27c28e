use super::*;

#[test]
fn libraries_and_the_loader_are_found_in_what_ldd_prints() {
    let text = "\tlinux-vdso.so.1 (0x7ffe)\n\
            \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x7f)\n\
            \t/lib64/ld-linux-x86-64.so.2 (0x7f)\n";
    let found = libraries(text);
    assert_eq!(found, ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"].map(PathBuf::from));
    assert!(libraries("\tnot a dynamic executable\n").is_empty());
}

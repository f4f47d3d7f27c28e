use super::*;

#[test]
fn llvm_and_channel_are_read_from_rustc() {
    let nightly = "rustc 1.97.0-nightly (e50aa6fba 2026-05-19)\nrelease: 1.97.0-nightly\nLLVM version: 22.1.4\n";
    assert_eq!(parse_version(nightly), Some((22, true)));
    let stable = "rustc 1.96.0\nrelease: 1.96.0\nLLVM version: 22.1.8\n";
    assert_eq!(parse_version(stable), Some((22, false)));
    assert_eq!(parse_version("rustc 1.96.0"), None);
}

#[test]
fn the_advice_names_both_ways() {
    let text = how_to_install("not root");
    for part in ["rustup toolchain install nightly", "rust-web-src", "LLVM_PREFIX=/usr/lib/llvm-22", "not root"] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
}

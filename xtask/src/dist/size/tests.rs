use super::*;

#[test]
fn sizes_have_the_unit_that_fits() {
    assert_eq!([900, 20_000, 30 << 20].map(shown), ["900 B", "19.5 KiB", "30.0 MiB"]);
}

#[test]
fn what_is_above_its_target_is_named() {
    assert_eq!(too_large(What::Program(Program::Agent), 12_000_000), None);
    let text = too_large(What::Program(Program::Plugin), 12_340_000);
    assert_eq!(text.as_deref(), Some("kubectl-netwhy has 12.3 MB, above the target of 12 MB"));
    assert!(too_large(What::Image, 15_000_001).is_some());
}
